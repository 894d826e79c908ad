// SPDX-License-Identifier: BSD-3-Clause
// A q-map of a few pixels.
#pragma once

#include "host/qmap.hpp"

#include <cstdint>
#include <vector>

namespace xpcs::testing {

/// 4 x 6 pixels; dynamic bins are pairs of columns, static bins columns. Natural dynamic bin 1 of
/// four is empty, so the mapping is 0, 2, 3.
inline QMap small_qmap() {
    QMap qmap;
    qmap.rows = 4;
    qmap.cols = 6;
    for (std::uint32_t p = 0; p < 24; ++p) {
        qmap.mask.push_back(1);
        qmap.dynamic_roi_map.push_back(p % 6 / 2 + 1);
        qmap.static_roi_map.push_back(p % 6 + 1);
    }
    qmap.dynamic_num_pts = {2, 2};
    qmap.static_num_pts = {4, 2};
    qmap.dynamic_v_list = {std::vector<double>{0.01, 0.02}, std::vector<double>{-90, 90}};
    qmap.static_v_list = {std::vector<double>{0.01, 0.02, 0.03, 0.04},
                          std::vector<double>{-90, 90}};
    qmap.dynamic_index_mapping = {0, 2, 3};
    qmap.static_index_mapping = {0, 1, 4, 5, 6, 7};
    qmap.beam_center_x = 2.5;
    qmap.beam_center_y = 1e-5;
    qmap.pixel_size_m = 76e-6;
    qmap.detector_distance_m = 12;
    qmap.energy_keV = 10.9;
    qmap.source_file = "/data/\xC3\x85 \"x\".h5";
    qmap.version = "0.2.0";
    return qmap;
}

}  // namespace xpcs::testing
