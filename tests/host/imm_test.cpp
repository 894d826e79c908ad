// SPDX-License-Identifier: BSD-3-Clause
// IMM files, MUST by MUST of the format's description.
#include "host/readers/imm.hpp"

#include "host/readers/imm_header.hpp"
#include "tests/host/imm_files.hpp"
#include "tests/host/raw_files.hpp"
#include "tests/host/temp_dir.hpp"

#include <cstring>

namespace xpcs {
namespace {

using testing::Event;
using testing::expect_error;
using testing::imm_bytes;
using testing::ImmFrame;

class Imm : public ::testing::Test {
  protected:
    std::string write(const std::string& bytes) {
        const std::string path = directory_.file("run_00001-00003.imm");
        testing::write_bytes(path, bytes.data(), bytes.size());
        return path;
    }
    std::unique_ptr<FrameSource> open(const std::string& bytes, const SourceOptions& options = {}) {
        return open_frame_source(write(bytes), options);
    }
    static std::vector<ImmFrame> three() {
        return {{.index = {0, 23}, .value = {1, 2}, .elapsed_s = 0.5, .tick = 7},
                {.elapsed_s = 1.0, .tick = 9},
                {.index = {5}, .value = {40000}, .elapsed_s = 1.5, .tick = 4000000000U}};
    }
    testing::TempDir directory_;
};

TEST_F(Imm, SparseFramesBecomeEvents) {
    const auto source = open(imm_bytes(three()));
    EXPECT_EQ(source->info().format, "imm");
    EXPECT_TRUE(source->info().sparse);
    EXPECT_EQ(source->info().rows, 4);
    EXPECT_EQ(source->info().cols, 6);
    const auto read = testing::read_events(*source);
    // 40000 does not fit a signed 16-bit value.
    EXPECT_EQ(read.events, (std::vector<Event>{{0, 0, 1}, {0, 23, 2}, {2, 5, 40000}}));
    EXPECT_EQ(read.counts.records, 3);
    EXPECT_EQ(source->frame_times().clock_s, (std::vector<double>{0.5, 1.0, 1.5}));
    EXPECT_EQ(source->frame_times().tick, (std::vector<double>{7, 9, 4e9}));
}

TEST_F(Imm, EmptyFramesAtTheEndExist) {
    auto frames = three();
    frames.push_back({});
    frames.push_back({});
    EXPECT_EQ(testing::read_events(*open(imm_bytes(frames))).counts.last_frame, 4);
}

TEST_F(Imm, EveryBlockSizeGivesTheSameEvents) {
    std::vector<ImmFrame> frames;
    for (std::uint32_t f = 0; f < 40; ++f) {
        ImmFrame frame;
        for (std::uint32_t i = 0; i < f % 7; ++i) {
            frame.index.push_back((5 * f + 3 * i) % 24);
            frame.value.push_back(1 + i);
        }
        frames.push_back(frame);
    }
    const std::string bytes = imm_bytes(frames);
    const auto expected = testing::read_events(*open(bytes)).events;
    for (const std::int64_t block : {1, 1024, 1030, 4096, 10000}) {
        SourceOptions options;
        options.block_bytes = block;
        EXPECT_EQ(testing::read_events(*open(bytes, options)).events, expected) << block;
    }
}

TEST_F(Imm, WidthAndCompressionAreThoseOfEachFrame) {
    ImmFrame wide{.value_bytes = 4, .index = {3}, .value = {70000}};
    ImmFrame dense{.compression = 0, .value = std::vector<std::uint32_t>(24, 0)};
    dense.value[11] = 9;
    ImmFrame old{.value_bytes = 4, .index = {2}, .value = {6}, .version = 10};
    // SMD: dlen counts the bytes of the payload.
    ImmFrame smd{.compression = 65540, .index = {1, 2}, .value = {3, 4}, .dlen = 12};
    const auto read = testing::read_events(*open(imm_bytes({wide, dense, old, smd})));
    EXPECT_EQ(read.events,
              (std::vector<Event>{{0, 3, 70000}, {1, 11, 9}, {2, 2, 6}, {3, 1, 3}, {3, 2, 4}}));
}

TEST_F(Imm, DenseFramesStayFrames) {
    ImmFrame first{.compression = 0, .value = std::vector<std::uint32_t>(24, 1)};
    first.value[0] = 65535;
    ImmFrame sparse{.index = {4, 4}, .value = {5, 6}};
    ImmFrame wide{
        .compression = 0, .value_bytes = 4, .value = std::vector<std::uint32_t>(24, 100000)};
    const auto source = open(imm_bytes({first, sparse, wide}));
    EXPECT_FALSE(source->info().sparse);
    EXPECT_EQ(source->info().n_frames, 3);
    ASSERT_EQ(source->info().sample_bytes, 4);
    source->select(0, 3);
    RawBlock block;
    Chunk chunk;
    DecodeCounts counts;
    std::vector<std::uint32_t> samples;
    while (source->next(block)) {
        source->decode(block, chunk, counts);
        const auto& frames = std::get<DenseChunk>(chunk);
        samples.resize(samples.size() + frames.samples.size() / 4);
        std::memcpy(samples.data() + samples.size() - frames.samples.size() / 4,
                    frames.samples.data(),
                    frames.samples.size());
    }
    ASSERT_EQ(samples.size(), 72U);
    EXPECT_EQ(samples[0], 0xFFFFFFFFU);  // no data, in the wider type too
    EXPECT_EQ(samples[1], 1U);
    EXPECT_EQ(samples[24 + 4], 11U);
    EXPECT_EQ(samples[24 + 5], 0U);
    EXPECT_EQ(samples[48], 100000U);
}

TEST_F(Imm, E04HeaderCutNamesFrameAndByte) {
    const std::string whole = imm_bytes(three());
    const std::string bytes = whole.substr(0, 1024 + 12 + 300);
    const auto read = [&] { testing::read_events(*open(bytes)); };
    expect_error(ExitCode::data, {"frame 1 at byte 1036", "300 bytes"}, read);
    SourceOptions options;
    options.allow_truncated = true;
    const auto events = testing::read_events(*open(bytes, options));
    EXPECT_EQ(events.events, (std::vector<Event>{{0, 0, 1}, {0, 23, 2}}));
    EXPECT_EQ(events.counts.last_frame, 0);
}

TEST_F(Imm, E04PayloadCutNamesFrameAndByte) {
    std::string bytes = imm_bytes(three());
    bytes.pop_back();
    const auto read = [&] { testing::read_events(*open(bytes)); };
    expect_error(ExitCode::data, {"frame 2 at byte 2060", "payload of 6 bytes", "5 left"}, read);
    SourceOptions options;
    options.allow_truncated = true;
    EXPECT_EQ(testing::read_events(*open(bytes, options)).counts.last_frame, 1);
}

TEST_F(Imm, E04CutDenseFileIsRefusedWhenItIsOpened) {
    const ImmFrame dense{.compression = 0, .value = std::vector<std::uint32_t>(24, 1)};
    std::string bytes = imm_bytes({dense, dense});
    bytes.resize(bytes.size() - 3);
    expect_error(ExitCode::data, {"frame 1 at byte 1072"}, [&] { open(bytes); });
    SourceOptions options;
    options.allow_truncated = true;
    EXPECT_EQ(open(bytes, options)->info().n_frames, 1);
}

TEST_F(Imm, DamagedHeaders) {
    const auto refused = [&](const ImmFrame& second, const std::vector<std::string>& words) {
        auto frames = three();
        frames[1] = second;
        expect_error(
            ExitCode::data, words, [&] { testing::read_events(*open(imm_bytes(frames))); });
    };
    refused({.mark = 0x3F}, {"frame 1 at byte 1036", "1012"});
    refused({.mark = 0}, {"frame 1", "1012"});  // the first frame had its mark
    refused({.rows = 6, .cols = 4}, {"frame 1", "6 x 4", "4 x 6"});
    refused({.rows = -4}, {"frame 1", "-4"});
    refused({.value_bytes = 3}, {"frame 1", "3 bytes", "2 or 4"});
    refused({.dlen = 25}, {"frame 1", "dlen 25", "at most 24"});
    refused({.dlen = 4294967295}, {"frame 1", "4294967295"});
    refused({.compression = 0, .value = {1, 2, 3}}, {"frame 1", "exactly 24"});
    refused({.compression = 65540, .dlen = 13}, {"frame 1", "13", "multiple of 6"});
}

TEST_F(Imm, IndexBeyondTheDetector) {
    const std::string bytes = imm_bytes({{}, {.index = {7, 24}, .value = {1, 1}}});
    expect_error(
        ExitCode::data, {"frame 1", "24", "4 x 6"}, [&] { testing::read_events(*open(bytes)); });
    SourceOptions options;
    options.drop_bad_index = true;
    const auto read = testing::read_events(*open(bytes, options));
    EXPECT_EQ(read.events, (std::vector<Event>{{1, 7, 1}}));
    EXPECT_EQ(read.counts.bad_index, 1);
}

TEST_F(Imm, ZerosForAMarkAreWarnedOf) {
    auto frames = three();
    for (ImmFrame& frame : frames)
        frame.mark = 0;
    const auto source = open(imm_bytes(frames));
    EXPECT_EQ(source->info().format, "imm");
    ASSERT_FALSE(source->info().warnings.empty());
    EXPECT_THAT(source->info().warnings.front(), ::testing::HasSubstr("1012"));
    EXPECT_EQ(testing::read_events(*source).events.size(), 3U);
}

TEST_F(Imm, QMapOfAnotherShapeIsRefused) {
    const auto source = open(imm_bytes(three()));
    source->set_shape(4, 6);
    expect_error(
        ExitCode::data, {"4 x 6", "6 x 4", "transposed"}, [&] { source->set_shape(6, 4); });
}

TEST(ImmHeader, WrittenHeadersReadBack) {
    imm::Header header;
    header.compression = imm::compression_sparse;
    header.rows = 512;
    header.cols = 1024;
    header.stated_value_bytes = 4;
    header.dlen = 77;
    header.version = 11;
    header.elapsed_s = 1.25;
    header.tick = 4000000001U;
    const imm::Header read = imm::parse_header(imm::make_header(header, 3).data());
    EXPECT_TRUE(imm::plausible(read));
    EXPECT_EQ(read.mark, imm::Mark::present);
    EXPECT_EQ(read.payload_bytes(), 77 * 8);
    EXPECT_EQ(read.elapsed_s, 1.25);
    EXPECT_EQ(read.tick, 4000000001U);
    EXPECT_EQ(read.rows, 512);
    EXPECT_EQ(read.cols, 1024);
}

}  // namespace
}  // namespace xpcs
