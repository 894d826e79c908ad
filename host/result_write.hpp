// SPDX-License-Identifier: BSD-3-Clause
// The parts of a result file, written into an open HDF5 file; result_file puts them together.
// All throw Error (io) where writing fails.
#pragma once

#include "host/h5.hpp"
#include "host/result_paths.hpp"
#include "host/run_result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xpcs {

/// gzip with shuffle above 8192 elements, chunks of at most 256 KiB: any HDF5 reader opens it.
h5::Storage result_storage();

/// Adds unit and description and closes, so that a full disk is found out at once.
void finish(h5::Dataset dataset, const std::string& unit = "", const std::string& description = "");

/// A row of the table of paths, with its unit and description.
template <class T>
void put(hid_t file, const ResultPath& path, const std::vector<T>& values, const h5::Shape& shape) {
    finish(h5::write<T>(file, path.path, values, shape, result_storage()),
           path.unit,
           path.description);
}
template <class T>
void put(hid_t file, const ResultPath& path, const std::vector<T>& values) {
    put(file, path, values, {values.size()});
}
void put_text(hid_t file, const ResultPath& path, const std::string& value);
void put_texts(hid_t file, const ResultPath& path, const std::vector<std::string>& values);

/// Names, sizes and times of the files that were read.
void put_inputs(hid_t file, const std::vector<InputFile>& inputs);
/// The arguments as a shell would need them.
std::string command_line_of(const std::vector<std::string>& arguments);
/// The last thing that is written: attributes program, version and complete of /xpcs.
void mark_complete(hid_t file);

/// Valid UTF-8 without zero bytes; every other byte becomes the four characters \xNN.
std::string to_utf8(std::string_view bytes);

/// Moves a group /xpcs that came with the metadata file out of the way; returns its new path or "".
std::string displace_metadata_xpcs(hid_t file);

/// Adds to /entry what readers need and the metadata file lacks, from the q-map and the run. A
/// frame time other than that of the run is replaced; the old one stays as attribute.
void complete_entry(hid_t file, const RunResult& result);

/// /xpcs/qmap: the datasets of the q-map file as they are, with attributes, recompressed. From
/// memory if the file no longer holds the q-map that was used, or it was transposed. Returns the
/// hash of the q-map that was used.
std::string write_qmap(hid_t file, const QMap& qmap, bool transposed);

/// Copies a group member by member; compressed datasets get result_storage().
void copy_recompressed(hid_t from, const std::string& from_path, hid_t to, const std::string& path);
/// The same of one dataset.
void copy_values(hid_t from, const std::string& from_path, hid_t to, const std::string& path);

void write_multitau(hid_t file, const RunResult& result);
/// The tables of result.two_time and of result.band; the maps are in the file already.
void write_twotime(hid_t file, const RunResult& result);
void write_band(hid_t file, const RunResult& result);
void write_scattering(hid_t file, const RunResult& result);

/// Options as given, with the frame selection as resolved, into `group` (.../config).
void write_config(hid_t file, const RunResult& result, const std::string& group);
void write_provenance(hid_t file, const RunResult& result, const std::string& qmap_hash);

/// [rows][n_static] values of static bins brought to [rows][n_labels]: means over all pixels of a
/// label (bins weighted with their pixels), NaN for a label without pixels.
std::vector<float> fold_static_bins(const std::vector<double>& values,
                                    std::int64_t rows,
                                    const std::vector<std::uint32_t>& label_of_static,
                                    const std::vector<std::int64_t>& pixels_per_static,
                                    std::uint32_t n_labels);

}  // namespace xpcs
