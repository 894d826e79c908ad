// SPDX-License-Identifier: BSD-3-Clause
// What a q-map means: centres, orientation, and the partition of the pixels.
#include "host/qmap.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

namespace xpcs {

namespace {

/// Natural bin i0 * n1 + i1 -> centre on the chosen axis; NaN where the file says nothing.
double centre(std::uint32_t label,
              int axis,
              const std::vector<std::int64_t>& mapping,
              const std::array<std::int64_t, 2>& num_pts,
              const std::array<std::vector<double>, 2>& v_list) {
    constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
    if (label == 0 || label > mapping.size() || num_pts[1] < 1) return unknown;
    const std::int64_t natural = mapping[label - 1];
    const std::int64_t index = axis == 0 ? natural / num_pts[1] : natural % num_pts[1];
    const auto& centres = v_list[axis == 0 ? 0 : 1];
    if (index < 0 || index >= static_cast<std::int64_t>(centres.size())) return unknown;
    return centres[static_cast<std::size_t>(index)];
}

std::string map_name(const QMap& qmap) {
    return "q-map " + (qmap.file.empty() ? std::string("(not saved)") : printable(qmap.file));
}

template <class T>
void transpose_map(std::vector<T>& map, std::int64_t rows, std::int64_t cols) {
    if (map.empty()) return;
    std::vector<T> turned(map.size());
    for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t col = 0; col < cols; ++col) {
            turned[static_cast<std::size_t>(col * rows + row)] =
                map[static_cast<std::size_t>(row * cols + col)];
        }
    }
    map = std::move(turned);
}

void check_sizes(const QMap& qmap, const std::vector<std::uint8_t>& gap) {
    const auto n = static_cast<std::size_t>(qmap.rows * qmap.cols);
    if (qmap.mask.size() != n || qmap.dynamic_roi_map.size() != n ||
        qmap.static_roi_map.size() != n) {
        throw Error(ExitCode::internal,
                    map_name(qmap) + ": maps differ from the shape (" + std::to_string(qmap.rows) +
                        ", " + std::to_string(qmap.cols) + ")");
    }
    if (!gap.empty() && gap.size() != n) {
        throw Error(ExitCode::data,
                    map_name(qmap) + ": " + std::to_string(n) +
                        " pixels, the detector's gap map has " + std::to_string(gap.size()));
    }
}

/// Labels of kept pixels, 0 elsewhere, and the count of what was dropped for which reason.
struct KeptLabels {
    std::vector<std::uint32_t> dynamic_label;
    std::vector<std::uint32_t> static_label;
    std::int64_t n_kept = 0;
};

KeptLabels
keep_pixels(const QMap& qmap, const std::vector<std::uint8_t>& gap, PartitionReport& report) {
    KeptLabels kept{qmap.dynamic_roi_map, qmap.static_roi_map, 0};
    for (std::size_t p = 0; p < qmap.mask.size(); ++p) {
        const bool in_dynamic = qmap.dynamic_roi_map[p] != 0;
        const bool in_static = qmap.static_roi_map[p] != 0;
        const bool in_mask = qmap.mask[p] != 0;
        const bool labelled = in_dynamic && in_static;
        const bool gone = in_mask && labelled && !gap.empty() && gap[p] != 0;
        report.masked += !in_mask;
        report.labelled_outside_mask += !in_mask && (in_dynamic || in_static);
        report.no_dynamic += in_mask && !in_dynamic;
        report.no_static += in_mask && !in_static;
        report.in_gap += gone;
        if (in_mask && labelled && !gone) {
            ++kept.n_kept;
        } else {
            kept.dynamic_label[p] = 0;
            kept.static_label[p] = 0;
        }
    }
    return kept;
}

using BinPair = std::pair<std::uint32_t, std::uint32_t>;  // static, dynamic label

/// Every static bin that reaches into further dynamic bins than the lowest one, in order, with the
/// number of the new static bin that these pixels form.
std::map<BinPair, std::uint32_t> straddling_pairs(const QMap& qmap, const KeptLabels& kept) {
    std::vector<std::uint32_t> lowest(qmap.n_static() + std::size_t{1}, 0);
    for (std::size_t p = 0; p < kept.static_label.size(); ++p) {
        const std::uint32_t s = kept.static_label[p];
        if (s == 0) continue;
        if (lowest[s] == 0 || kept.dynamic_label[p] < lowest[s]) {
            lowest[s] = kept.dynamic_label[p];
        }
    }
    std::map<BinPair, std::uint32_t> pairs;
    for (std::size_t p = 0; p < kept.static_label.size(); ++p) {
        const std::uint32_t s = kept.static_label[p];
        if (s != 0 && kept.dynamic_label[p] != lowest[s]) pairs[{s, kept.dynamic_label[p]}] = 0;
    }
    std::uint32_t next = qmap.n_static();
    for (auto& [pair, label] : pairs)
        label = ++next;
    return pairs;
}

[[noreturn]] void throw_straddling(const QMap& qmap,
                                   const KeptLabels& kept,
                                   const std::map<BinPair, std::uint32_t>& pairs) {
    const auto [bin, upper] = pairs.begin()->first;
    std::uint32_t lower = upper;
    for (std::size_t p = 0; p < kept.static_label.size(); ++p) {
        if (kept.static_label[p] == bin) lower = std::min(lower, kept.dynamic_label[p]);
    }
    std::size_t n_bins = 0;
    std::uint32_t last = 0;
    for (const auto& [pair, label] : pairs) {
        n_bins += pair.first != last;
        last = pair.first;
    }
    throw Error(ExitCode::data,
                map_name(qmap) + ": static bin " + std::to_string(bin) + " lies in dynamic bins " +
                    std::to_string(lower) + " and " + std::to_string(upper) +
                    "; one expected (static bins that do so: " + std::to_string(n_bins) +
                    "; --split-static makes a bin of each part)");
}

[[noreturn]] void throw_unusable(const QMap& qmap, const PartitionReport& report) {
    throw Error(ExitCode::data,
                map_name(qmap) + ": no usable pixel (of " + std::to_string(qmap.mask.size()) +
                    ": masked " + std::to_string(report.masked) + ", without dynamic label " +
                    std::to_string(report.no_dynamic) + ", without static label " +
                    std::to_string(report.no_static) + ", in detector gaps " +
                    std::to_string(report.in_gap) + ")");
}

std::vector<std::uint32_t> labels_without_pixel(const std::vector<std::uint32_t>& map,
                                                std::uint32_t n_labels) {
    std::vector<std::uint8_t> seen(n_labels + std::size_t{1}, 0);
    for (const std::uint32_t label : map)
        seen[label] = 1;
    std::vector<std::uint32_t> empty;
    for (std::uint32_t label = 1; label <= n_labels; ++label) {
        if (seen[label] == 0) empty.push_back(label);
    }
    return empty;
}

void check_labels(const QMap& qmap,
                  const std::vector<std::uint32_t>& map,
                  std::uint32_t n_labels,
                  const char* which) {
    const auto largest = std::max_element(map.begin(), map.end());
    if (largest == map.end() || *largest <= n_labels) return;
    throw Error(ExitCode::data,
                map_name(qmap) + ": " + which + " label " + std::to_string(*largest) +
                    ", the index mapping has " + std::to_string(n_labels) + " bins");
}

}  // namespace

double QMap::dynamic_centre(std::uint32_t label, int axis) const {
    return centre(label, axis, dynamic_index_mapping, dynamic_num_pts, dynamic_v_list);
}

double QMap::static_centre(std::uint32_t label, int axis) const {
    return centre(label, axis, static_index_mapping, static_num_pts, static_v_list);
}

void transpose(QMap& qmap) {
    transpose_map(qmap.mask, qmap.rows, qmap.cols);
    transpose_map(qmap.blemish, qmap.rows, qmap.cols);
    transpose_map(qmap.dynamic_roi_map, qmap.rows, qmap.cols);
    transpose_map(qmap.static_roi_map, qmap.rows, qmap.cols);
    std::swap(qmap.rows, qmap.cols);
    qmap.shape_transposed = !qmap.shape_transposed;
}

QMapPartition
partition_of(const QMap& qmap, const std::vector<std::uint8_t>& gap, bool split_static) {
    check_sizes(qmap, gap);
    check_labels(qmap, qmap.dynamic_roi_map, qmap.n_dynamic(), "dynamic");
    check_labels(qmap, qmap.static_roi_map, qmap.n_static(), "static");
    QMapPartition result;
    KeptLabels kept = keep_pixels(qmap, gap, result.report);
    if (kept.n_kept == 0) throw_unusable(qmap, result.report);

    result.report.empty_dynamic = labels_without_pixel(kept.dynamic_label, qmap.n_dynamic());
    result.report.empty_static = labels_without_pixel(kept.static_label, qmap.n_static());
    const auto pairs = straddling_pairs(qmap, kept);
    if (!pairs.empty() && !split_static) throw_straddling(qmap, kept, pairs);

    // The lowest dynamic bin keeps the old label; further parts are appended, so that labels of the
    // file stay what they are.
    for (std::uint32_t label = 1; label <= qmap.n_static(); ++label) {
        result.label_of_static.push_back(label);
    }
    for (const auto& [pair, label] : pairs)
        result.label_of_static.push_back(pair.first);
    if (!pairs.empty()) {
        for (std::size_t p = 0; p < kept.static_label.size(); ++p) {
            const auto part = pairs.find({kept.static_label[p], kept.dynamic_label[p]});
            if (part != pairs.end()) kept.static_label[p] = part->second;
        }
    }
    result.report.split_static_bins = static_cast<std::int64_t>(pairs.size());
    result.partition = make_partition(qmap.rows,
                                      qmap.cols,
                                      kept.static_label,
                                      kept.dynamic_label,
                                      static_cast<std::uint32_t>(result.label_of_static.size()),
                                      qmap.n_dynamic());
    return result;
}

}  // namespace xpcs
