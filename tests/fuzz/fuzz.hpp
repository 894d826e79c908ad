// SPDX-License-Identifier: BSD-3-Clause
// What the fuzz targets share. A target defines one_input(); libFuzzer calls it with what it makes
// up, and in ordinary builds seeds_main.cpp calls it with the seeds and what was found before.
#pragma once

#include "host/errors.hpp"
#include "host/readers/frame_source.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <span>
#include <string>
#include <string_view>

namespace xpcs::fuzz {

using Bytes = std::span<const std::uint8_t>;

/// The target. Returns for every input; anything else is a finding.
void one_input(Bytes input);

inline std::string_view text_of(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Ends the program: the property does not hold.
[[noreturn]] inline void found(const char* what, const std::string& detail = "") {
    std::fprintf(stderr, "FOUND: %s %s\n", what, detail.c_str());
    std::abort();
}

/// Calls `work`, which may throw Error; what it says is the input's fault, never ours.
template <class Work>
void tolerate(Work&& work) {
    try {
        work();
    } catch (const Error& error) {
        const std::string line = error.what();
        if (line.empty()) found("an error without words");
        if (error.exit_status() == static_cast<int>(ExitCode::internal)) {
            found("input is called our own fault:", line);
        }
    } catch (const std::bad_alloc&) {
        found("memory is asked for that the input does not justify");
    }
}

/// A file in memory-backed storage, written anew for every input.
class Scratch {
  public:
    explicit Scratch(const std::string& name);
    ~Scratch();
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    const std::string& path() const { return path_; }
    const std::string& write(Bytes bytes);
    const std::string& write(std::string_view text) {
        return write(Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
    }

  private:
    std::string path_;
};

/// The process's own directory of scratch files; goes away at its end.
const std::string& scratch_directory();

/// First bytes of an input that choose options; 0 where there are no more.
class Choices {
  public:
    explicit Choices(Bytes input) : rest_(input) {}
    std::uint8_t byte() {
        if (rest_.empty()) return 0;
        const std::uint8_t value = rest_.front();
        rest_ = rest_.subspan(1);
        return value;
    }
    bool flag() { return (byte() & 1) != 0; }
    template <class T>
    T number() {
        T value = 0;
        for (std::size_t i = 0; i < sizeof(T); ++i)
            value = static_cast<T>(static_cast<std::uint64_t>(value) << 8 | byte());
        return value;
    }
    /// At most `most` characters up to a zero.
    std::string word(std::size_t most) {
        std::string out;
        while (out.size() < most && !rest_.empty()) {
            const char c = static_cast<char>(byte());
            if (c == 0) break;
            out += c;
        }
        return out;
    }
    Bytes rest() const { return rest_; }
    bool at_end() const { return rest_.empty(); }

  private:
    Bytes rest_;
};

/// Options of a source that an input chooses; small blocks, so that wraps fall between them.
SourceOptions source_options(Choices& choices);

/// Reads everything that a source has, block by block, up to a bound, and checks what the kernels
/// rely on: pixels inside of the detector, frames in order and after the chunk's base.
void drain(FrameSource& source, std::int64_t rows, std::int64_t cols);

}  // namespace xpcs::fuzz
