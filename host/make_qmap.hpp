// SPDX-License-Identifier: BSD-3-Clause
// A q-map from geometry alone, in the layout and with the binning rules of the q-map program.
//
// Pixel (row, col), h = (col - x) p, v = (row - y) p, r = sqrt(h^2 + v^2), D the distance:
//   alpha = atan(r / D),  q = 2 k sin(alpha / 2),  k = 2 pi / lambda,
//   lambda = 12.39841984 Angstrom keV / E,  phi = -atan2(v, h) in degrees.
// Bins of an axis: equal widths between the smallest and the largest value over the mask (equal
// ratios for logarithmic q); values and edges are rounded to 1e-12 before they are compared; the
// last edge belongs to the last bin, a value below the first edge to bin 1. The centre of a bin is
// the mean of its edges (logarithmic q: the geometric mean). Natural bin i0 * n1 + i1; bins without
// pixel are left out of the labels, the mapping says which. Bitwise repeatable.
#pragma once

#include "host/qmap.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace xpcs {

/// Region of the detector in pixels. Pixels inside are not used; with `keep` it is the other way
/// round: only pixels in one of the keep regions are used.
struct MaskRectangle {
    std::int64_t first_row = 0, first_col = 0;  ///< inclusive; may lie outside the detector
    std::int64_t end_row = 0, end_col = 0;      ///< exclusive, > first
    bool keep = false;
};
struct MaskCircle {
    double row = 0, col = 0;  ///< centre; pixel centres have whole numbers
    double radius_px = 0;     ///< > 0; pixels at this distance are inside
    bool keep = false;
};

struct MakeQmapOptions {
    /// "custom", "rigaku500k", "rigaku3m", "eiger4m": shape, pixel size and module gaps. Shape and
    /// pixel size given below win where they are not 0; gaps are those of the preset's own shape.
    std::string detector = "custom";
    std::int64_t rows = 0;        ///< 1 ... 65536
    std::int64_t cols = 0;        ///< 1 ... 65536, rows * cols <= 2^28
    double pixel_size_m = 0;      ///< 1e-7 ... 0.01
    double energy_keV = 0;        ///< 0.1 ... 1000
    double distance_m = 0;        ///< 1e-3 ... 1000
    double beam_center_x_px = 0;  ///< column, |x| <= 1e6
    double beam_center_y_px = 0;  ///< row, |y| <= 1e6

    std::vector<MaskRectangle> rectangles;
    std::vector<MaskCircle> circles;
    std::string mask_file;                    ///< HDF5, "" = none; not 0 = used
    std::string mask_dataset = "/qmap/mask";  ///< 2-D, shape of the detector

    std::int64_t static_q_bins = 360;   ///< 1 ... 1e6, a multiple of dynamic_q_bins
    std::int64_t dynamic_q_bins = 36;   ///< 1 ... 1e6
    std::int64_t static_phi_bins = 1;   ///< 1 ... 1e6, a multiple of dynamic_phi_bins
    std::int64_t dynamic_phi_bins = 1;  ///< 1 ... 1e6; static and dynamic bins <= 2^24 each
    bool logarithmic_q = false;
    double q_min_inv_angstrom = 0;  ///< pixels outside q_min <= q <= q_max are masked
    double q_max_inv_angstrom = std::numeric_limits<double>::infinity();
    double phi_offset_deg = 0;      ///< -360 ... 360; phi + offset is wrapped to -180 ... 180
    int symmetry_fold = 1;          ///< 1 ... 360; above 1: phi modulo 360 / fold
    bool allow_straddling = false;  ///< static numbers need not be multiples of the dynamic ones

    std::string source_file;  ///< stored, and part of the hash
};

/// "path:/group/dataset" -> path and dataset; without a dataset part /qmap/mask.
std::pair<std::string, std::string> split_mask_argument(const std::string& argument);

/// Names that `detector` may have.
std::vector<std::string> detector_presets();

/// 1 = no detector at this pixel; empty for "custom" and for detectors without gaps.
/// Throws Error (config) for an unknown name.
std::vector<std::uint8_t> detector_gap(const std::string& detector);

/// Fills shape and pixel size from the preset and checks every range.
/// Throws Error (config) naming option, value and what is allowed.
MakeQmapOptions validate(MakeQmapOptions options);

/// Throws Error: config (options, no pixel left), no_input and data (mask file).
QMap make_qmap(const MakeQmapOptions& options);

}  // namespace xpcs
