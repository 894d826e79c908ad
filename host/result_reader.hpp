// SPDX-License-Identifier: BSD-3-Clause
// Reads results: of this program, of the production correlator (same layout), and of the older
// /exchange layout, into plain structs. Small things are read at once, images and two-time maps on
// demand. Sizes are checked before memory is taken.
//
// Errors: Error (no_input) for a missing file, Error (data) for one that is no result or whose
// content contradicts itself.
#pragma once

#include "host/h5.hpp"
#include "host/qmap.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace xpcs {

/// Rows x columns, C order.
struct Matrix {
    std::int64_t rows = 0;
    std::int64_t cols = 0;
    std::vector<double> values;
    double at(std::int64_t row, std::int64_t col) const {
        return values[static_cast<std::size_t>(row * cols + col)];
    }
    std::vector<double> column(std::int64_t col) const;
    std::vector<double> row(std::int64_t row_index) const;
    bool empty() const { return values.empty(); }
};

using NamedScalar = std::
    variant<bool, std::int64_t, double, std::string, std::vector<double>, std::vector<std::string>>;

/// A dataset of a group of metadata or options.
struct NamedValue {
    std::string path;  ///< relative to the group that was asked for, e.g. "detector_1/frame_time"
    std::string units;
    NamedScalar value;
};

/// Text of a value as a table shows it; lists as "a, b, c".
std::string to_text(const NamedScalar& value);

struct DatasetPlace {
    std::string file, path;
};

struct OneTimeData {
    std::vector<std::int64_t> delay_list;  ///< [n_lags] frames after stride and averaging
    std::vector<double> delay_s;           ///< [n_lags] seconds; NaN if no frame time is known
    std::vector<std::int64_t> n_pairs;     ///< empty if the file has none
    Matrix g2;                             ///< [n_lags][n_dynamic]
    Matrix g2_err;
    std::vector<Matrix> partial;         ///< [n_segments] each [n_lags][n_dynamic]
    std::vector<Matrix> partial_err;     ///< [n_segments]
    std::vector<double> partial_labels;  ///< [n_segments] frames
    bool has_unnormalized = false;
    DatasetPlace unnormalized;  ///< [n_lags][3: G2, IF, IP][rows][cols]; may be another file
};

struct TwoTimeData {
    std::vector<std::int64_t> processed_bins;  ///< dynamic label of each column of g2
    std::vector<std::int64_t> map_bins;        ///< [n_maps] dynamic label of each map in the file
    std::size_t n_maps = 0;     ///< all processed bins, or fewer if some were removed
    std::int64_t n_frames = 0;  ///< side of a map
    Matrix g2;                  ///< [n_frames][processed_bins]; row = lag in frames
    std::vector<double> delay_s;
};

struct ResultData {
    std::string path;
    std::string layout;   ///< "xpcs" or "exchange"
    std::string program;  ///< "" if the file does not say
    std::string version;
    std::vector<std::string> analysis_types;  ///< "Multitau", "Twotime"
    std::string rawdata_path;
    std::string start_time;
    double frame_time_s = 0;  ///< of a raw frame; 0 if unknown
    bool frame_time_known = false;
    std::int64_t stride_frame = 1;
    std::int64_t avg_frame = 1;
    OneTimeData one_time;
    TwoTimeData two_time;
    bool has_band = false;          ///< multi-tau two-time, see group("/xpcs/twotime_multitau")
    Matrix scattering_1d;           ///< [rows][n_static]
    Matrix scattering_1d_segments;  ///< [n_segments][n_static]
    std::vector<double> intensity_frame;
    std::vector<double> intensity;  ///< counts per frame and pixel
    std::int64_t rows = 0, cols = 0;
    bool transposed = false;  ///< the file's axes are in MATLAB's order; those here are not
    QMap qmap;                ///< without its maps: see ResultReader::load_maps
    std::vector<std::string> warnings;

    bool has_multitau() const { return !one_time.g2.empty(); }
    bool has_twotime() const { return two_time.n_maps > 0 || !two_time.g2.empty(); }
    /// Centre of dynamic bin `label` (from 1) along map axis 0 (q) or 1 (phi); NaN if not known.
    double dynamic_centre(std::int64_t label, int axis) const;
    /// Seconds of one step of delay_list; NaN if not known.
    double step_s() const;
};

class ResultReader {
  public:
    /// `keep_intensity` false: intensity against time is read, but not kept.
    explicit ResultReader(const std::string& path, bool keep_intensity = true);

    const ResultData& data() const { return data_; }

    /// Mean counts per frame [rows][cols]; empty if the file has none.
    Matrix scattering_2d() const;
    /// Fills mask, blemish, dynamic_roi_map and static_roi_map of a copy of data().qmap.
    QMap load_maps() const;
    /// Two-time map k (from 0), full and symmetric [n][n], averaged over squares of frames so that
    /// n <= largest_side; NaN where no frame pair has a value.
    Matrix twotime_map(std::size_t k, std::int64_t largest_side = 1024) const;
    /// Where the maps of data().two_time.map_bins and the image are in the file.
    const std::vector<std::string>& map_paths() const { return map_paths_; }
    const std::string& image_path() const { return image_path_; }
    /// Every scalar, string and short list below a group, in order of path; "" if it is not there.
    std::vector<NamedValue> group(const std::string& path) const;
    std::vector<NamedValue> entry() const;
    std::vector<NamedValue> config() const;
    std::vector<NamedValue> provenance() const;

  private:
    void read_xpcs();
    void read_exchange();
    h5::File file_;
    bool keep_intensity_;
    ResultData data_;
    std::vector<std::string> map_paths_;
    std::string image_path_;
};

/// True if the file is a complete result with everything that its analyses need; else `reason` says
/// what is missing. Never throws for a bad or missing file.
bool is_complete_result(const std::string& path, std::string& reason);

/// Two-time correlation in the current layout: the maps, or at least the means of their diagonals.
bool has_twotime_group(const h5::File& file);

/// True if the file is HDF5 and holds the result groups of one of the layouts.
bool looks_like_result(const h5::File& file);

}  // namespace xpcs
