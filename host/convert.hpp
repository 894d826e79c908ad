// SPDX-License-Identifier: BSD-3-Clause
// Any raw input as another raw format, losslessly: what was written is read back and compared.
#pragma once

#include "host/readers/frame_source.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace xpcs {

enum class ConvertFormat {
    rigaku,       ///< .bin: 64-bit words (readers/rigaku_word.hpp)
    sparse_hdf5,  ///< .h5: frame_ptr, index, intensity (readers/hdf5_sparse.hpp)
    imm           ///< .imm: sparse frames (readers/imm_header.hpp)
};

struct ConvertOptions {
    std::string input, output;
    SourceOptions source;
    std::int64_t rows = 0, cols = 0;  ///< for an input whose file does not say; 0 = 512 x 1024
    bool drop_no_data = false;        ///< leave samples without data out instead of refusing them
    bool overwrite = false;
};

struct ConvertReport {
    std::string format;  ///< of the input
    std::int64_t rows = 0, cols = 0, n_frames = 0;
    std::int64_t n_events = 0;  ///< (pixel, frame) pairs with counts
    std::int64_t n_photons = 0;
    std::int64_t no_data = 0;     ///< samples left out
    std::int64_t duplicates = 0;  ///< records summed into one
    std::int64_t late = 0;        ///< events beyond --n-frames, left out
    std::uint64_t bytes_in = 0, bytes_out = 0;
    std::vector<std::string> warnings;  ///< of the reader
};

/// The format that a name asks for. Throws Error (usage) for another ending.
ConvertFormat convert_format_of(const std::string& output);

/// Takes 32 bytes of memory per event. Throws Error: of the source; usage (the output is an input);
/// data (samples without data, or what the format cannot hold: pixel index, frame gap); no_memory;
/// cannot_create, io; internal if the file read back is not what was read.
ConvertReport convert(const ConvertOptions& options);

}  // namespace xpcs
