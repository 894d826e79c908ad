// SPDX-License-Identifier: BSD-3-Clause
// q-map files, group /qmap: reading with every check, writing, the content hash, and the partition
// made from it.
#pragma once

#include "kernels/partition.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace xpcs {

/// A q-map as the file has it. Labels from 1, 0 = not used. Maps are [rows * cols].
struct QMap {
    std::string file;
    std::int64_t rows = 0;
    std::int64_t cols = 0;
    std::vector<std::uint8_t> mask;
    std::vector<std::uint8_t> blemish;  ///< empty if the file has none
    std::vector<std::uint32_t> dynamic_roi_map;
    std::vector<std::uint32_t> static_roi_map;
    std::array<std::int64_t, 2> dynamic_num_pts{};
    std::array<std::int64_t, 2> static_num_pts{};
    std::array<std::vector<double>, 2> dynamic_v_list;
    std::array<std::vector<double>, 2> static_v_list;
    std::vector<std::int64_t> dynamic_index_mapping;  ///< natural bin of compressed label k+1
    std::vector<std::int64_t> static_index_mapping;
    std::array<std::string, 2> map_names{"q", "phi"};
    std::array<std::string, 2> map_units{"\xC3\x85\xE2\x81\xBB\xC2\xB9", "deg"};
    double beam_center_x = 0, beam_center_y = 0;  ///< px
    double pixel_size_m = 0, detector_distance_m = 0, energy_keV = 0;
    std::string source_file;
    std::string hash;     ///< attribute as found, "" if missing
    std::string version;  ///< attribute as found
    bool shape_transposed = false;
    std::vector<std::string> warnings;

    std::uint32_t n_dynamic() const {
        return static_cast<std::uint32_t>(dynamic_index_mapping.size());
    }
    std::uint32_t n_static() const {
        return static_cast<std::uint32_t>(static_index_mapping.size());
    }
    /// Centre of dynamic bin `label` (from 1) along map axis 0 (q) or 1 (phi).
    double dynamic_centre(std::uint32_t label, int axis) const;
    double static_centre(std::uint32_t label, int axis) const;
};

/// Reads and validates. Throws Error: no_input (missing), data (not HDF5, no /qmap, older layout by
/// name, NaN, negative or fractional labels with number and first position, shapes that differ).
/// Labels always count the entries of the index mapping: where a file numbers natural bins in its
/// maps but lists only the filled ones in the mapping, labels are counted down, with a warning.
/// Hash missing or stale: a warning.
QMap load_qmap(const std::string& path);

/// The file still has this map: every value that a q-map group holds, not what it says of itself
/// (hash, version). False where it cannot be read.
bool file_still_has(const QMap& qmap);

/// Writes the current layout (group /qmap, LZF above 1024 elements), hash computed and stored.
/// Exclusive creation through a hidden temporary; `overwrite` replaces atomically.
void save_qmap(const QMap& qmap, const std::string& path, bool overwrite);

/// SHA-256 over the datasets as the q-map program defines it; 64 hex digits.
std::string qmap_hash(const QMap& qmap);

/// Swaps rows and columns of every map.
void transpose(QMap& qmap);

/// What became of the pixels of the q-map.
struct PartitionReport {
    std::int64_t masked = 0;      ///< mask = 0
    std::int64_t no_dynamic = 0;  ///< in the mask, dynamic label 0
    std::int64_t no_static = 0;   ///< in the mask, static label 0
    std::int64_t in_gap = 0;      ///< labelled, but no detector there
    std::int64_t labelled_outside_mask = 0;
    std::int64_t split_static_bins = 0;        ///< extra bins made by split_static
    std::vector<std::uint32_t> empty_dynamic;  ///< labels without a kept pixel
    std::vector<std::uint32_t> empty_static;
};

struct QMapPartition {
    Partition partition;
    PartitionReport report;
    /// [partition.n_static] static label in the q-map of each (possibly split) static bin.
    std::vector<std::uint32_t> label_of_static;
};

/// Kept pixels = mask and dynamic > 0 and static > 0 and not gap. A static bin in two dynamic bins
/// is an Error (data) naming the bins, unless `split_static`. No usable pixel: Error (data).
/// `gap` is empty or [rows * cols].
QMapPartition
partition_of(const QMap& qmap, const std::vector<std::uint8_t>& gap, bool split_static);

}  // namespace xpcs
