// SPDX-License-Identifier: BSD-3-Clause
// Small IMM files for tests, written by the offsets of docs/formats.md alone.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace xpcs::testing {

struct ImmFrame {
    std::int32_t compression = 6;
    std::int32_t value_bytes = 2;
    std::vector<std::uint32_t> index = {};  ///< empty for dense frames
    std::vector<std::uint32_t> value = {};
    std::int32_t rows = 4, cols = 6, version = 11;
    std::int64_t dlen = -1;  ///< -1: as many as there are
    double elapsed_s = 0;
    std::uint32_t tick = 0;
    unsigned char mark = 0xFF;
};

inline void append_imm(std::string& to, const ImmFrame& frame) {
    std::string header(1024, '\0');
    const auto put = [&](std::size_t at, auto value) {
        std::memcpy(header.data() + at, &value, sizeof value);
    };
    put(0, std::int32_t{2});
    put(4, frame.compression);
    put(108, frame.rows);
    put(112, frame.cols);
    put(116, frame.value_bytes);
    put(128, frame.elapsed_s);
    const auto n = static_cast<std::int64_t>(frame.value.size());
    put(152, static_cast<std::uint32_t>(frame.dlen < 0 ? n : frame.dlen));
    put(616, frame.version);
    put(620, frame.tick);
    std::memset(header.data() + 1012, frame.mark, 12);
    to += header;
    to.append(reinterpret_cast<const char*>(frame.index.data()), 4 * frame.index.size());
    const std::size_t width = frame.version < 11 ? 2 : static_cast<std::size_t>(frame.value_bytes);
    for (const std::uint32_t value : frame.value) {
        to.append(reinterpret_cast<const char*>(&value), width);
    }
}

inline std::string imm_bytes(const std::vector<ImmFrame>& frames) {
    std::string out;
    for (const ImmFrame& frame : frames)
        append_imm(out, frame);
    return out;
}

}  // namespace xpcs::testing
