// SPDX-License-Identifier: BSD-3-Clause
// The result file: it appears complete under its final name, or not at all.
#pragma once

#include "host/run_result.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace xpcs {

class ChunkWriter;
class ClaimedFile;

/// Checks, before any data is read, that the output directory exists (it is created) and can be
/// written. Throws Error (cannot_create).
void prepare_output_directory(const std::string& directory);

/// Gives a closed hidden file that holds a result the name `<stem>.hdf` of its directory (or
/// `<stem>_1.hdf`..., exclusively; or replaces with `overwrite`), after making it durable and
/// checking that it is complete. Returns the path. Throws Error (io, cannot_create).
std::string publish_result(ClaimedFile& hidden,
                           const std::string& directory,
                           const std::string& stem,
                           bool overwrite);

/// The name that a result would get now: `<prefix>_<base>_<suffix>_results.hdf`,
/// `_results_1.hdf`... if it exists and `overwrite` is false.
std::string planned_result_path(const RunConfig& config, const std::string& base);

/// Per-pixel G2, past and future means while they are made, band of rows by band of rows.
class UnnormalizedSink {
  public:
    virtual ~UnnormalizedSink() = default;
    UnnormalizedSink() = default;
    UnnormalizedSink(const UnnormalizedSink&) = delete;
    UnnormalizedSink& operator=(const UnnormalizedSink&) = delete;

    /// Rows of a chunk: bands that begin at a multiple of this and have this many rows (fewer at
    /// the end) are written fastest; any other band is allowed.
    virtual std::int64_t band_rows() const = 0;

    /// values [n_lags][3 slots: G2, future, past][n_rows][cols], for detector rows
    /// first_row ... first_row + n_rows - 1. Rows never written stay 0.
    virtual void write_rows(std::int64_t first_row, std::int64_t n_rows, const float* values) = 0;
};

/// Blocks in a chunk of a level of multi-tau two-time.
std::size_t band_chunk(std::int64_t n_blocks);

/// A result that is being written under a hidden name in the output directory.
class ResultFile {
  public:
    /// Claims a hidden temporary (exclusive), removes those that a dead process left behind, and
    /// begins with a copy of the metadata file, or with an empty file for "".
    /// Throws Error: config (prefix or suffix with '/' or a control character), cannot_create,
    /// no_input and data (metadata file).
    ResultFile(const RunConfig& config,
               const std::string& base,
               const std::string& metadata_file = "");
    ~ResultFile();  ///< removes the temporary unless committed
    ResultFile(const ResultFile&) = delete;
    ResultFile& operator=(const ResultFile&) = delete;

    /// For -G, before write(): creates the dataset. Owned by this object.
    UnnormalizedSink& unnormalized(int n_lags, std::int64_t rows, std::int64_t cols);

    /// The k-th two-time map (from 1), T x T, in chunks of one tile; close it before write().
    std::unique_ptr<ChunkWriter> twotime_map(std::size_t k, std::int64_t n_frames);

    /// Values of a level of multi-tau two-time, [n_bins][channels][n_blocks], in chunks of
    /// band_chunk blocks; close it before write().
    std::unique_ptr<ChunkWriter> band_level(const BandLevel& level, std::size_t n_bins);

    /// Begins to write the q-map, on threads of its own where the run has more than one; what goes
    /// wrong is thrown by write(). The q-map may not change until then.
    void write_ahead(const QMap& qmap);

    void write(const RunResult& result);

    /// Flush, close, fsync, re-open and check, take the final name exclusively (or replace with
    /// overwrite), fsync the directory. Returns the final path. Throws Error (io, cannot_create).
    std::string commit();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace xpcs
