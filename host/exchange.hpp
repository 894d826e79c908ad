// SPDX-License-Identifier: BSD-3-Clause
// The /exchange layout of results until 2024, both ways. Its columns, labels and map numbers count
// natural bins (q times phi, empty ones included); ours count those with pixels.
#pragma once

#include "host/result_reader.hpp"

#include <functional>
#include <string>
#include <vector>

namespace xpcs {

/// Writes a result of ours (open as `in`) into the empty file `out`. Returns what is lost, one line
/// each. Throws Error (data) for a result without q-map, (io).
std::vector<std::string> write_exchange(const ResultReader& reader, hid_t in, hid_t out);

/// Writes an /exchange file as a result of ours, marked complete. Returns what was made up or left
/// out. Throws Error (data): no q-map in it, columns that fit no number of bins; (io).
std::vector<std::string> import_exchange(const ResultReader& reader, hid_t in, hid_t out);

/// Reads a two-dimensional dataset band by band, at most about 64 MiB at a time and whole multiples
/// of `step` rows, and hands on first row, number of rows and values. Throws Error (data), and
/// (interrupted) between bands.
void for_each_band(const h5::Dataset& from,
                   hsize_t step,
                   const std::function<void(hsize_t, hsize_t, float*)>& visit);

}  // namespace xpcs
