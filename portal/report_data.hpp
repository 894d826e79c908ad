// SPDX-License-Identifier: BSD-3-Clause
// Everything a report shows, gathered once: page, pictures and tables are made from it.
#pragma once

#include "host/band_reader.hpp"
#include "portal/diagnosis.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace xpcs::portal {

/// The detector as it is shown: averaged over squares of `factor` pixels where it is large. Values
/// are NaN where the mask leaves nothing; labels are those of the square's first pixel.
struct ReportImage {
    std::int64_t rows = 0, cols = 0;
    std::int64_t factor = 1;
    std::vector<double> values;
    std::vector<std::uint16_t> dynamic_labels;
    std::vector<std::uint16_t> static_labels;
    bool empty() const { return values.empty(); }
};

/// Smallest rectangle that holds every shown pixel: rows [row0, row1), columns [col0, col1).
struct Box {
    std::int64_t row0 = 0, row1 = 0, col0 = 0, col1 = 0;
};
Box used_box(const ReportImage& image);

struct ReportMap {
    std::size_t index = 0;   ///< in the file, from 0
    std::int64_t label = 0;  ///< dynamic label
    Matrix values;           ///< diagonal replaced by its neighbours
};

struct ReportData {
    std::string name;  ///< of the data set: file name without _results.hdf
    std::string file;  ///< file name of the result
    ResultData result;
    QMap maps;
    ReportImage image;
    std::optional<FitTable> fits;
    std::vector<ReportMap> two_time;
    std::size_t n_maps_left_out = 0;
    std::vector<BandMap> band;  ///< two-time whose resolution falls with the lag
    std::vector<Finding> findings;
    std::vector<std::size_t> outliers;
    std::vector<HotPixel> hot;
    std::vector<NamedValue> entry, config, provenance;
    /// Every group of options that the result has, by its path in the file.
    std::vector<std::pair<std::string, std::vector<NamedValue>>> configs;
    std::string time_unit = "s";
    std::vector<double> delay;  ///< of one_time, in time_unit
    double step = 1;            ///< of intensity and two-time maps, in time_unit
    double frame_step = 1;      ///< of the frame numbers of the intensity, in time_unit

    std::string bin_text(std::int64_t label) const;  ///< "q = 0.00412 Å⁻¹, φ = 10.0 deg"
};

/// Reads a result of any layout. At most `most_maps` two-time maps, spread evenly, each averaged
/// to at most `side` rows. Fits are those that the file holds, else made here. Throws what
/// ResultReader throws.
ReportData gather(const std::string& path,
                  bool stretched,
                  std::size_t most_maps = 36,
                  std::int64_t side = 400);

/// Only one-time curves and their fits: what a comparison needs, without images and findings.
ReportData gather_curves(const std::string& path, bool stretched);

/// Dataset name of a result file: no directory, no .hdf/.h5/.hdf5, no _results.
std::string dataset_name(const std::string& path);

/// Now, "2026-01-31T12:00:00Z".
std::string utc_now();

}  // namespace xpcs::portal
