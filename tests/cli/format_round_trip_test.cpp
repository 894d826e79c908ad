// SPDX-License-Identifier: BSD-3-Clause
// Every layout that simulate writes: simulated, correlated by the program, compared with the
// float64 reference; and converted to Rigaku words and to sparse HDF5 without a change. What the
// detector saw is taken from a Rigaku file of the same seed, read here word by word: pixels draw
// from their own random stream, so the layout does not change the photons.
#include "host/readers/rigaku_word.hpp"
#include "host/readers/spidr4_word.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "cli_fixture.hpp"
#include "reference/reference.hpp"

namespace xpcs::testing {
namespace {

struct Layout {
    const char* format;
    const char* output;  ///< what simulate is told to write
    const char* raw;     ///< what is read
    const char* inspected;
    std::int64_t rows, cols, n_frames;
    Arguments simulate = {};
    Arguments read = {};
    std::uint32_t largest_count = 0;  ///< 0 = more than is simulated
};

/// Two data files for the masters: 1000 frames fill one.
const Layout layouts[] = {
    {"rigaku", "a.bin", "a.bin", "rigaku64", 24, 40, 300},
    {"rigaku", "b.bin", "b.bin", "rigaku64", 512, 448, 300},
    {"hdf5", "a.h5", "a.h5", "hdf5", 24, 40, 300, {"--compression", "lzf"}},
    {"imm", "a.imm", "a.imm", "imm", 24, 40, 300},
    {"imm-dense", "a.imm", "a.imm", "imm", 24, 40, 300},
    {"ufxc", "a.ufxc", "a.ufxc", "ufxc", 128, 256, 300, {}, {}, 3},
    {"hdf5-sparse", "a.h5", "a.h5", "hdf5-sparse", 24, 40, 300},
    {"dectris", "a.h5", "a_master.h5", "hdf5", 24, 40, 1100},
    {"dectris4d", "a.h5", "a_master.h5", "hdf5", 24, 40, 1100, {"--sample-bytes", "4"}},
    {"timepix4", "a.tpx", "a.tpx", "timepix4", 512, 448, 300, {}, {"--bin-time-s", "2e-5"}},
    {"rigaku3m", "a.bin", "a.bin.000", "rigaku3m", 1676, 2100, 40},
    {"ftf", "a.h5", "a.h5.003", "rigaku3m-ftf", 1676, 2100, 40, {}, {}, 3},
    {"ftf", "b.h5", "b.h5.000", "rigaku3m-ftf4", 1676, 2100, 40, {"--ftf-bits", "4"}},
    {"ftf", "c.h5", "c.h5.000", "rigaku3m-ftf8", 1676, 2100, 40, {"--ftf-bits", "8"}},
};

std::vector<Event> words_of_file(const std::string& path, std::int64_t cols, Event origin = {}) {
    const std::string bytes = bytes_of(path);
    const std::int64_t row0 = std::get<0>(origin), col0 = std::get<1>(origin);
    std::vector<Event> events;
    for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + at, 8);
        const auto index = static_cast<std::int64_t>(word >> 16 & 0x1FFFFF);
        const auto count = static_cast<std::uint32_t>(word & 0xFFF);
        if (count == 0) continue;  // marks the last frame
        std::int64_t pixel = index;
        if (cols == 2100) {
            const std::int64_t local = index & 0x7FFFF;
            pixel = (row0 + local / 1024) * cols + col0 + local % 1024;
        }
        events.emplace_back(
            static_cast<std::int64_t>(word >> 40), static_cast<std::uint32_t>(pixel), count);
    }
    return events;
}

class RoundTrip : public ::testing::TestWithParam<Layout> {
  protected:
    bool modules() const { return GetParam().cols == 2100; }
    std::string file(const std::string& name) const { return dir_.file(name); }

    void simulate(const std::string& format, const std::string& output, Arguments more) const {
        const Layout& layout = GetParam();
        Arguments arguments = {"simulate",
                               "--format",
                               format,
                               "-o",
                               file(output),
                               "--frames",
                               std::to_string(layout.n_frames),
                               "--rows",
                               std::to_string(layout.rows),
                               "--cols",
                               std::to_string(layout.cols),
                               "--occupancy",
                               modules() ? "0.004" : "0.02",
                               "--contrast",
                               "1",
                               "--seed",
                               "5",
                               "--progress",
                               "never"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        const Outcome outcome = run(arguments);
        ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    }

    /// What the detector saw.
    std::vector<Event> truth() const {
        std::vector<Event> events;
        if (modules()) {
            constexpr std::pair<int, int> origins[] = {
                {0, 1076}, {582, 1076}, {1164, 1076}, {1164, 0}, {582, 0}, {0, 0}};
            for (int n = 0; n < 6; ++n) {
                const auto [row, col] = origins[n];
                const auto some = words_of_file(file("truth.bin.00" + std::to_string(n)),
                                                2100,
                                                {row, static_cast<std::uint32_t>(col), 0});
                events.insert(events.end(), some.begin(), some.end());
            }
        } else {
            events = words_of_file(file("truth.bin"), GetParam().cols);
        }
        if (GetParam().format == std::string("timepix4")) {
            std::erase_if(events, [](const Event& event) {
                const std::int64_t pixel = std::get<1>(event);
                return spidr4::is_digital({pixel / 448, pixel % 448});
            });
        }
        if (const std::uint32_t most = GetParam().largest_count; most > 0) {
            for (auto& [frame, pixel, count] : events)
                count = std::min(count, most);  // where the detector's counter ends
        }
        std::sort(events.begin(), events.end());
        return events;
    }

    std::vector<Event> converted(const std::string& ending) const {
        const std::string output = file("converted" + ending);
        Arguments arguments = {"convert", file(GetParam().raw), "-o", output};
        if (GetParam().format == std::string("rigaku")) {
            for (const auto& [name, value] :
                 {std::pair{"--rows", GetParam().rows}, std::pair{"--cols", GetParam().cols}}) {
                arguments.push_back(name);
                arguments.push_back(std::to_string(value));
            }
        }
        arguments.insert(arguments.end(), GetParam().read.begin(), GetParam().read.end());
        const Outcome outcome = run(arguments);
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        std::vector<Event> events;
        if (ending == ".bin") {
            events = words_of_file(output, 0);
        } else {
            const h5::File opened = h5::open_file(output);
            const std::string group = "/entry_0000/measurement/data/";
            const auto begin = h5::read<std::int64_t>(opened.id(), group + "frame_ptr");
            const auto index = h5::read<std::uint32_t>(opened.id(), group + "index");
            const auto count = h5::read<std::uint32_t>(opened.id(), group + "intensity");
            EXPECT_EQ(static_cast<std::int64_t>(begin.size()), GetParam().n_frames + 1);
            for (std::size_t frame = 0; frame + 1 < begin.size(); ++frame) {
                for (std::int64_t i = begin[frame]; i < begin[frame + 1]; ++i) {
                    const auto at = static_cast<std::size_t>(i);
                    events.emplace_back(static_cast<std::int64_t>(frame), index[at], count[at]);
                }
            }
        }
        std::sort(events.begin(), events.end());
        return events;
    }

    /// Bands of columns, of which some hundreds of pixels are used; more where few are lit.
    QMap sampled_qmap() const {
        QMap qmap = banded_qmap(GetParam().rows, GetParam().cols, 6);
        const std::int64_t n = GetParam().rows * GetParam().cols;
        const std::int64_t step = std::max<std::int64_t>(1, n / (modules() ? 20000 : 500));
        for (std::int64_t p = 0; p < n; ++p) {
            if (p % step == 0) continue;
            const auto at = static_cast<std::size_t>(p);
            qmap.mask[at] = 0;
            qmap.static_roi_map[at] = qmap.dynamic_roi_map[at] = 0;
        }
        if (modules()) {
            for (std::int64_t p = 0; p < n; ++p) {
                const std::int64_t row = p / 2100, col = p % 2100;
                const bool gap = (row >= 512 && row < 582) || (row >= 1094 && row < 1164) ||
                                 (col >= 1024 && col < 1076);
                if (!gap) continue;
                const auto at = static_cast<std::size_t>(p);
                qmap.mask[at] = 0;
                qmap.static_roi_map[at] = qmap.dynamic_roi_map[at] = 0;
            }
        }
        return qmap;
    }

    static reference::Run
    reference_run(const QMap& qmap, const std::vector<Event>& events, std::int64_t n_frames) {
        reference::Run run;
        std::vector<std::int64_t> slot(qmap.mask.size(), -1);
        for (std::size_t p = 0; p < slot.size(); ++p) {
            if (qmap.mask[p] == 0) continue;
            slot[p] = run.n_pixels++;
            run.static_label.push_back(static_cast<int>(qmap.static_roi_map[p]));
            run.dynamic_label.push_back(static_cast<int>(qmap.dynamic_roi_map[p]));
        }
        run.n_frames = n_frames;
        run.counts.assign(static_cast<std::size_t>(n_frames * run.n_pixels), 0);
        for (const auto& [frame, pixel, count] : events) {
            if (slot[pixel] < 0) continue;
            run.counts[static_cast<std::size_t>(frame * run.n_pixels + slot[pixel])] += count;
        }
        return run;
    }

    TempDir dir_;
};

TEST_P(RoundTrip, SimulatedCorrelatedConverted) {
    const Layout& layout = GetParam();
    simulate(modules() ? "rigaku3m" : "rigaku", "truth.bin", {});
    simulate(layout.format, layout.output, layout.simulate);
    const std::vector<Event> events = truth();
    ASSERT_GT(events.size(), 1000U);

    // The same events in both formats of convert.
    EXPECT_EQ(converted(".h5"), events);
    if (!modules()) {  // 3M: too many pixels for .bin
        EXPECT_EQ(converted(".bin"), events);
    }

    const QMap qmap = sampled_qmap();
    save_qmap(qmap, file("qmap.h5"), true);
    Arguments arguments = {"-r",
                           file(layout.raw),
                           "-q",
                           file("qmap.h5"),
                           "-o",
                           file("out"),
                           "--metadata",
                           file("truth_metadata.hdf"),
                           "--device",
                           "cpu",
                           "-nf",
                           "0",
                           "--n-frames",
                           std::to_string(layout.n_frames)};
    arguments.insert(arguments.end(), layout.read.begin(), layout.read.end());
    const Outcome outcome = run(arguments);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const h5::File result = h5::open_file(outcome.last_line_of_out());
    const auto g2 = h5::read<double>(result.id(), g2_path);
    const auto delay = h5::read<double>(result.id(), "/xpcs/multitau/delay_time");
    const reference::OneTime want =
        reference::multitau(reference_run(qmap, events, layout.n_frames));
    ASSERT_EQ(g2.size(), want.g2.size());
    std::size_t finite = 0;
    for (std::size_t i = 0; i < g2.size(); ++i) {
        ASSERT_EQ(std::isnan(g2[i]), std::isnan(want.g2[i])) << i;
        if (std::isnan(g2[i])) continue;
        // Sums are exact; g2 is stored as float32: half a unit in the last place is 6e-8 of it.
        EXPECT_NEAR(g2[i], want.g2[i], 1.2e-7 * std::abs(want.g2[i]) + 1e-12) << i;
        finite += want.g2[i] > 0;
    }
    EXPECT_GT(finite, g2.size() / 3);
    // Frames of 20 us, for Timepix4 the bin width.
    for (std::size_t i = 0; i < delay.size(); ++i)
        EXPECT_NEAR(delay[i], 2e-5 * static_cast<double>(want.lags[i].frames), 1e-12);

    Arguments look = {"inspect", "--json", file(layout.raw)};
    look.insert(look.end(), layout.read.begin(), layout.read.end());
    EXPECT_NE(run(look).out.find('"' + std::string(layout.inspected) + '"'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Formats,
                         RoundTrip,
                         ::testing::ValuesIn(layouts),
                         [](const ::testing::TestParamInfo<Layout>& one) {
                             std::string name = std::string(one.param.format) + "_" +
                                                std::to_string(one.param.rows) + "_" +
                                                one.param.inspected;
                             std::replace(name.begin(), name.end(), '-', '_');
                             return name;
                         });

// --- time bins ---------------------------------------------------------------------------------

TEST(TimeBins, TheBinOfAStreamIsItsFrameTimeInEveryAnalysis) {
    TempDir dir;
    const auto file = [&](const char* name) { return dir.file(name); };
    Outcome made = run({"simulate",
                        "--format",
                        "timepix4",
                        "-o",
                        file("a.tpx"),
                        "--frames",
                        "100",
                        "--occupancy",
                        "0.002",
                        "--frame-time",
                        "2e-5",
                        "--progress",
                        "never"});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    save_qmap(banded_qmap(512, 448, 4), file("qmap.h5"), true);
    for (const std::string type : {"Multitau", "Twotime"}) {
        // The metadata say 2e-5 s; two of those frames make one bin.
        const Outcome done = run({"-r",
                                  file("a.tpx"),
                                  "-q",
                                  file("qmap.h5"),
                                  "-o",
                                  file("out"),
                                  "-t",
                                  type,
                                  "--bin-time-s",
                                  "4e-5",
                                  "-nf",
                                  "0",
                                  "-w"});
        ASSERT_EQ(done.exit_code, 0) << done.err;
        EXPECT_FALSE(done.lines_with("experimental").empty());
        const h5::File result = h5::open_file(done.last_line_of_out());
        const std::string group = type == "Multitau" ? "multitau" : "twotime";
        EXPECT_EQ(h5::read_integer(result.id(), "/xpcs/" + group + "/config/n_frames_used"), 50);
        if (type != "Multitau") continue;
        const auto delay = h5::read<double>(result.id(), "/xpcs/multitau/delay_time");
        EXPECT_NEAR(delay.at(1) - delay.at(0), 4e-5, 1e-12);
    }
    const Outcome refused = run(
        {"-r", file("a.tpx"), "-q", file("qmap.h5"), "-o", file("out"), "--frame-time", "1e-3"});
    EXPECT_EQ(refused.exit_code, 78);
    EXPECT_FALSE(refused.lines_with("--bin-time-s").empty());
}

TEST(TimeBins, OfConvertedFilesWhereNobodyElseSaysTheFrameTime) {
    const SmallRun small;  // 32 x 64 pixels: the shape is that of the q-map
    std::filesystem::remove(small.metadata);
    const auto step = [&](const Arguments& more) {
        Arguments all = {"--no-metadata", "-w"};
        all.insert(all.end(), more.begin(), more.end());
        const Outcome done = small.correlate(all);
        EXPECT_EQ(done.exit_code, 0) << done.err;
        const h5::File result = h5::open_file(done.last_line_of_out());
        const auto delay = h5::read<double>(result.id(), "/xpcs/multitau/delay_time");
        return delay.at(1) - delay.at(0);
    };
    EXPECT_NEAR(step({"--bin-time-s", "383e-9"}), 383e-9, 1e-15);
    EXPECT_NEAR(step({"--bin-time-s", "383e-9", "--frame-time", "1e-3"}), 1e-3, 1e-12);
}

}  // namespace
}  // namespace xpcs::testing
