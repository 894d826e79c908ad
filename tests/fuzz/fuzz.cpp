// SPDX-License-Identifier: BSD-3-Clause
#include "tests/fuzz/fuzz.hpp"

#include "host/log.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace xpcs::fuzz {

namespace fs = std::filesystem;

namespace {

struct Directory {
    std::string path;
    Directory() {
        // script/fuzz takes away what processes that fell leave behind.
        const char* given = std::getenv("XPCS_FUZZ_SCRATCH");
        const bool memory = fs::is_directory("/dev/shm") && ::access("/dev/shm", W_OK) == 0;
        path = given != nullptr ? given : memory ? "/dev/shm" : fs::temp_directory_path().string();
        path += "/xpcs-fuzz-XXXXXX";
        if (::mkdtemp(path.data()) == nullptr) found("no scratch directory", path);
    }
    ~Directory() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
};

void check(const EventChunk& events, std::uint64_t n_pixels) {
    if (events.pixel.size() != events.frame.size() || events.pixel.size() != events.count.size()) {
        found("columns of an event chunk differ in length");
    }
    for (std::size_t i = 0; i < events.pixel.size(); ++i) {
        if (events.pixel[i] >= n_pixels) found("an event outside of the detector");
        if (events.count[i] == 0) found("an event without a count");
    }
}

void check(const DenseChunk& frames, std::int64_t n_pixels) {
    const auto wanted = frames.n_frames * n_pixels * frames.sample_bytes;
    if (frames.n_pixels != n_pixels || static_cast<std::int64_t>(frames.samples.size()) != wanted) {
        found("a dense chunk of another size than it says");
    }
}

}  // namespace

const std::string& scratch_directory() {
    static const Directory directory;
    return directory.path;
}

Scratch::Scratch(const std::string& name) : path_(scratch_directory() + "/" + name) {}

Scratch::~Scratch() {
    ::unlink(path_.c_str());
}

const std::string& Scratch::write(Bytes bytes) {
    std::ofstream out(path_, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (!out) found("scratch cannot be written", path_);
    return path_;
}

SourceOptions source_options(Choices& choices) {
    SourceOptions options;
    const std::uint8_t bits = choices.byte();
    options.strict = (bits & 1) != 0;
    options.drop_bad_index = (bits & 2) != 0;
    options.allow_missing_module = (bits & 4) != 0;
    options.allow_truncated = (bits & 8) != 0;
    options.direct_chunks = (bits & 16) == 0;
    options.ftf_high_first = (bits & 32) != 0;
    options.block_bytes = 8 + 8 * (choices.byte() % 32);
    if ((bits & 64) != 0) options.n_frames = choices.byte();
    return options;
}

void drain(FrameSource& source, std::int64_t rows, std::int64_t cols) {
    constexpr int most_blocks = 2000;
    constexpr std::uint64_t most_bytes = 64 << 20;
    if (source.info().rows == 0) source.set_shape(rows, cols);
    const SourceInfo& info = source.info();
    const std::int64_t n_pixels = info.rows * info.cols;
    RawBlock block;
    Chunk chunk;
    DecodeCounts counts;
    std::uint64_t bytes = 0;
    for (int n = 0; n < most_blocks && bytes < most_bytes && source.next(block); ++n) {
        bytes += block.bytes.size();
        source.decode(block, chunk, counts);
        if (const auto* events = std::get_if<EventChunk>(&chunk)) {
            check(*events, static_cast<std::uint64_t>(n_pixels));
        } else {
            check(std::get<DenseChunk>(chunk), n_pixels);
            bytes += std::get<DenseChunk>(chunk).samples.size();
        }
    }
    const double fraction = source.fraction_read();
    if (!(fraction >= 0 && fraction <= 1.0001)) found("a progress of", std::to_string(fraction));
    source.frame_times();
}

}  // namespace xpcs::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    xpcs::Log::set_sink([](const std::string&) {});
    xpcs::fuzz::scratch_directory();
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    xpcs::fuzz::one_input({data, size});
    return 0;
}
