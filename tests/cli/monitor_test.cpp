// SPDX-License-Identifier: BSD-3-Clause
// --monitor: frames divided by an external intensity, against the oracle.
#include "host/h5.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <random>

#include "analysis_fixture.hpp"
#include "reference/extra.hpp"

namespace xpcs::testing {
namespace {

constexpr const char* pairs_path = "/xpcs/multitau/n_pairs_used";

class MonitorOption : public ::testing::Test {
  protected:
    MonitorOption() {
        std::mt19937_64 random(12);
        std::uniform_real_distribution<double> beam(0.5, 2.0);
        for (int t = 0; t < 400; ++t)
            values.push_back(beam(random));
    }
    std::string text(const std::vector<double>& list, const std::string& before = "") const {
        std::ofstream out(small.dir.file("monitor.txt"));
        out.precision(17);
        out << before;
        for (const double value : list)
            out << value << "\n";
        return small.dir.file("monitor.txt");
    }
    /// Weights as the definition has them, of blocks of `average` frames.
    static std::vector<double> weights_of(const std::vector<double>& m) {
        double sum = 0, n = 0;
        for (const double value : m) {
            sum += value;
            n += value > 0;
        }
        std::vector<double> weight;
        for (const double value : m)
            weight.push_back(value > 0 ? sum / n / value : 0);
        return weight;
    }

    SmallRun small{0.1};
    std::vector<Event> events = poisson_events(400, 2048, 0.1, 7);
    std::vector<double> values;
};

TEST_F(MonitorOption, DividesEveryFrameWhateverNfSays) {
    const reference::Run run = oracle_of(small, events);
    const auto expected = reference::weighted(run, weights_of(values));
    for (const char* nf : {"0", "1"}) {
        small.expect_done({}, {"--monitor", text(values, "# I0\n\n"), "-nf", nf});
        expect_close(small.read(g2_path), expected.g2);
        expect_close(small.read(pairs_path), expected.pairs, 1e-14);
    }
    // Scattering is taken before normalisation.
    double sum = 0;
    for (const auto& event : events)
        sum += std::get<2>(event);
    double image = 0;
    for (const double value : small.read(image_path))
        image += value;
    EXPECT_NEAR(image * 400, sum, 1e-5 * sum);
}

TEST_F(MonitorOption, Value0LeavesItsFrameOutInPairs) {
    for (const int t : {0, 7, 8, 9, 200, 399})
        values[static_cast<std::size_t>(t)] = 0;
    const reference::Run run = oracle_of(small, events);
    const auto expected = reference::weighted(run, weights_of(values));
    small.expect_done({"warning", "6 frames", "monitor"}, {"--monitor", text(values)});
    expect_close(small.read(g2_path), expected.g2);
    expect_close(small.read(pairs_path), expected.pairs, 1e-14);
    EXPECT_EQ(small.read("/xpcs/multitau/n_pairs")[0], 399);
    EXPECT_EQ(small.read(pairs_path)[0], 399 - 8);
}

TEST_F(MonitorOption, AveragedFramesAddTheirValuesUp) {
    values[12] = 0;
    std::vector<double> of_two;
    for (std::size_t k = 0; k < 195; ++k) {
        const double a = values[10 + 2 * k], b = values[11 + 2 * k];
        of_two.push_back(a > 0 && b > 0 ? a + b : 0);
    }
    const reference::Run run = reference::select(oracle_of(small, events), 10, 400, 1, 2);
    small.expect_done({}, {"--monitor", text(values), "-b", "10", "-a", "2"});
    expect_close(small.read(g2_path), reference::weighted(run, weights_of(of_two)).g2);
}

TEST_F(MonitorOption, ComesFromAnyOfThreePlaces) {
    small.expect_done({}, {"--monitor", text(values)});
    const auto expected = small.read(g2_path);
    {
        const h5::File file = h5::create_file(small.dir.file("beam.h5"));
        h5::write<double>(file.id(), "/entry/i0", values, {400, 1});
        const h5::File metadata = h5::open_file_for_writing(small.metadata);
        h5::write<double>(metadata.id(), "/entry/monitor/data", values, {400});
    }
    small.expect_done({}, {"--monitor", small.dir.file("beam.h5") + ":/entry/i0"});
    EXPECT_EQ(small.read(g2_path), expected);
    small.expect_done({}, {"--monitor", "/entry/monitor/data"});
    EXPECT_EQ(small.read(g2_path), expected);
}

TEST_F(MonitorOption, StatesTheFramesOfAFileThatDoesNot) {
    std::erase_if(events, [](const Event& e) { return std::get<0>(e) > 390; });
    small.write_events(events);
    small.expect_done({}, {"--monitor", text(values)});
    EXPECT_EQ(small.shape(intensity_path), (h5::Shape{2, 400}));
    values.resize(300);
    small.expect_refused(
        ExitCode::data, {"monitor.txt", "300 values", "391 frames"}, {"--monitor", text(values)});
}

TEST_F(MonitorOption, IsCheckedBeforeAnythingIsRead) {
    const auto refused = [&](ExitCode code,
                             const std::vector<std::string>& words,
                             const std::string& monitor,
                             const Arguments& more = {}) {
        Arguments all = {"--monitor", monitor};
        all.insert(all.end(), more.begin(), more.end());
        small.expect_refused(code, words, all);
    };
    refused(ExitCode::no_input,
            {"monitor '" + small.dir.file("nowhere.txt") + "': no such file"},
            small.dir.file("nowhere.txt"));
    refused(ExitCode::data, {"monitor '", "is not a plain text file"}, small.dir.path());
    refused(ExitCode::no_input, {"nowhere.h5"}, small.dir.file("nowhere.h5") + ":/a");
    refused(ExitCode::data, {"qmap.hdf:/none"}, small.qmap_file + ":/none");
    refused(ExitCode::data, {"one axis"}, small.qmap_file + ":/qmap/mask");
    refused(ExitCode::data, {"is HDF5", "FILE:/PATH"}, small.qmap_file);
    refused(ExitCode::data, {"no number"}, text({}));
    refused(ExitCode::data, {"line 3", "'abc'"}, text({}, "1\n2\nabc\n"));
    refused(ExitCode::data, {"line 1", "'1 2'"}, text({}, "1 2\n"));
    refused(ExitCode::data,
            {"399 values", "400 frames"},
            text({values.begin(), values.end() - 1}),
            {"--n-frames", "400"});
    values[5] = -1;
    refused(ExitCode::data, {"frame 5", "-1", "at least 0"}, text(values));
    values[5] = std::nan("");
    refused(ExitCode::data, {"frame 5", "nan", "finite"}, text(values));
    std::fill(values.begin(), values.end(), 0);
    refused(ExitCode::data, {"0 of 400", "at least 2"}, text(values));
    refused(ExitCode::config, {"no metadata file"}, "/entry/x", {"--no-metadata"});
    refused(ExitCode::config, {"multi-tau"}, text(values), {"-t", "Twotime"});
    refused(ExitCode::config, {"--follow"}, text(values), {"--follow"});
    refused(ExitCode::config,
            {"belongs to one run", "3 raw files"},
            small.qmap_file + ":/qmap/x",
            {"-r", small.raw, small.raw});
}

}  // namespace
}  // namespace xpcs::testing
