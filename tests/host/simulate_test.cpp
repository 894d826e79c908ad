// SPDX-License-Identifier: BSD-3-Clause
#include "host/simulate.hpp"

#include "host/h5.hpp"
#include "host/metadata.hpp"
#include "host/simulate_random.hpp"
#include "host/speckle.hpp"
#include "tests/host/raw_files.hpp"
#include "tests/host/temp_dir.hpp"

#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace xpcs {
namespace {

using testing::expect_error;
using testing::read_events;
using testing::TempDir;

std::string bytes_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

int files_in(const std::string& directory) {
    int n = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory)) {
        ++n;
    }
    return n;
}

class Simulate : public ::testing::Test {
  protected:
    SimulateOptions small() const {
        SimulateOptions options;
        options.output = directory.file("run.bin");
        options.rows = 64;
        options.cols = 96;
        options.n_frames = 2000;
        options.occupancy = 0.02;
        options.seed = 7;
        options.contrast = 0.4;
        options.threads = 2;
        return options;
    }
    TempDir directory;
};

TEST(SimulateRandom, NormalHasTheRightMoments) {
    RandomStream random(1, 2);
    constexpr int n = 1'000'000;
    double sum = 0, square = 0, fourth = 0;
    int beyond_3 = 0;
    for (int i = 0; i < n; ++i) {
        const double x = random.normal();
        sum += x;
        square += x * x;
        fourth += x * x * x * x;
        beyond_3 += std::abs(x) > 3;
    }
    // Five standard errors: 1/sqrt(n), sqrt(2/n), sqrt(96/n); 0.0027 of draws beyond 3.
    EXPECT_NEAR(sum / n, 0, 5e-3);
    EXPECT_NEAR(square / n, 1, 7.1e-3);
    EXPECT_NEAR(fourth / n, 3, 0.049);
    EXPECT_NEAR(beyond_3, 2700, 5 * 52);
}

TEST(SimulateRandom, PoissonHasTheRightMeanAndVariance) {
    for (const double mean : {0.01, 0.7, 5.0, 40.0}) {
        RandomStream random(3, static_cast<std::uint64_t>(mean * 100));
        constexpr int n = 200'000;
        double sum = 0, square = 0;
        for (int i = 0; i < n; ++i) {
            const auto k = static_cast<double>(random.poisson(mean));
            sum += k;
            square += k * k;
        }
        const double got = sum / n, variance = square / n - got * got;
        EXPECT_NEAR(got, mean, 5 * std::sqrt(mean / n));
        EXPECT_NEAR(variance, mean, 5 * std::sqrt((mean + 2 * mean * mean) / n));
    }
}

TEST(SimulateRandom, StreamsAreTheSameEverywhere) {
    RandomStream random(1, 0);
    const std::uint64_t first = random.bits();
    RandomStream again(1, 0), other(1, 1);
    EXPECT_EQ(again.bits(), first);
    EXPECT_NE(other.bits(), first);
}

TEST(SimulateSpeckle, ContrastIsMadeOfWholeModes) {
    for (const double contrast : {1.0, 0.5, 0.4, 0.3, 0.2, 0.05}) {
        const SpeckleModes modes = modes_for(contrast);
        EXPECT_NEAR(modes.fluctuating * modes.fluctuating / modes.n, contrast, 1e-12);
        EXPECT_LE(modes.fluctuating, 1.0);
    }
}

/// g2 - 1 of equal pixels at some lags by direct sums, sparse or dense, against
/// contrast * exp(-2 Gamma lag).
void check_correlation(double mean, double contrast, double gamma, std::uint64_t seed) {
    constexpr std::size_t n_pixels = 3000;
    constexpr std::int64_t n_frames = 4000;
    SpecklePixels pixels(
        std::vector<PixelModel>(n_pixels, {mean, gamma, false}), modes_for(contrast), seed, 0, 0);
    const std::vector<int> lags = {1, 3, 10, 30, 100};
    std::vector<double> products(lags.size(), 0);
    double photons = 0;
    std::vector<std::uint32_t> series;
    for (std::size_t pixel = 0; pixel < n_pixels; ++pixel) {
        series.assign(n_frames, 0);
        // Three slabs: their limits must not show.
        for (const auto& [begin, end] :
             std::vector<std::pair<int, int>>{{0, 1234}, {1234, 1235}, {1235, n_frames}}) {
            pixels.advance(pixel, begin, end, [&](std::int64_t frame, std::uint32_t count) {
                EXPECT_GE(frame, begin);
                EXPECT_LT(frame, end);
                EXPECT_EQ(series[static_cast<std::size_t>(frame)], 0U);
                series[static_cast<std::size_t>(frame)] = count;
            });
        }
        for (std::size_t t = 0; t < series.size(); ++t) {
            if (series[t] == 0) continue;
            photons += series[t];
            for (std::size_t k = 0; k < lags.size(); ++k) {
                const std::size_t later = t + static_cast<std::size_t>(lags[k]);
                if (later < series.size()) products[k] += double(series[t]) * series[later];
            }
        }
    }
    const double samples = double(n_pixels) * n_frames;
    // Correlated photons: effective samples are n_frames * gamma per pixel.
    const double mean_error = std::sqrt(1 / (mean * samples) + contrast / (gamma * samples));
    EXPECT_NEAR(photons / samples / mean, 1, 5 * mean_error);
    for (std::size_t k = 0; k < lags.size(); ++k) {
        const double pairs = double(n_pixels) * (n_frames - lags[k]);
        const double g2 = products[k] / pairs / (mean * mean);  // the true mean: no bias
        const double expected = 1 + contrast * std::exp(-2 * gamma * lags[k]);
        // Shot noise of the pairs, and the speckle's own noise: products I(t)I(t+lag) stay
        // correlated over about 1/gamma frames, their relative variance is below 8 * contrast
        // (contrast <= 0.5).
        const double error =
            expected * std::sqrt(1 / products[k] + 8 * contrast / (gamma * samples));
        EXPECT_NEAR(g2, expected, 4 * error) << "lag " << lags[k] << " mean " << mean;
        EXPECT_LT(error, 0.25 * contrast);  // or the test could not fail
    }
}

TEST(SimulateSpeckle, ThinnedPixelsFollowTheModel) {
    check_correlation(0.02, 0.5, 0.02, 21);
}
TEST(SimulateSpeckle, SteppedPixelsFollowTheModel) {
    check_correlation(0.8, 0.3, 0.02, 22);
}

TEST_F(Simulate, OccupancyIsRightWithinStatistics) {
    SimulateOptions options = small();
    options.diffusion = 1e9;  // fast: frames are independent
    options.beamstop_radius_px = 5;
    options.falloff_q_inv_angstrom = 0.005;
    const auto report = simulate(options);
    const double samples = static_cast<double>(report.lit_pixels) * 2000;
    const double expected = options.occupancy * samples;
    EXPECT_LT(report.lit_pixels, 64 * 96);
    EXPECT_NEAR(static_cast<double>(report.n_photons), expected, 6 * std::sqrt(expected * 1.1));
    const auto source = open_frame_source(options.output, {});
    source->set_shape(64, 96);
    const auto got = read_events(*source);
    EXPECT_EQ(static_cast<std::int64_t>(got.events.size()), report.n_events);
    EXPECT_EQ(got.counts.out_of_order, 0);
    EXPECT_EQ(got.counts.zero_count, 0);
    for (std::size_t i = 1; i < got.events.size(); ++i) {  // pixels ascend within a frame
        const auto& [frame, pixel, count] = got.events[i];
        const auto& [frame_before, pixel_before, count_before] = got.events[i - 1];
        ASSERT_TRUE(frame > frame_before || pixel > pixel_before);
        const double r =
            std::hypot(pixel % 96 - report.beam_center_x, pixel / 96 - report.beam_center_y);
        ASSERT_GE(r, 5);
    }
}

TEST_F(Simulate, SameBytesForOneAndTwoThreads) {
    SimulateOptions options = small();
    options.n_hot = 3;
    options.threads = 1;
    simulate(options);
    const std::string one = bytes_of(options.output);
    options.output = directory.file("two.bin");
    options.threads = 2;
    simulate(options);
    EXPECT_EQ(bytes_of(options.output), one);
    EXPECT_EQ(bytes_of(directory.file("two_truth.json")),
              bytes_of(directory.file("run_truth.json")));
    options.output = directory.file("other.bin");
    options.seed = 8;
    simulate(options);
    EXPECT_NE(bytes_of(options.output), one);
}

TEST_F(Simulate, HotPixelsFireInNearlyEveryFrame) {
    SimulateOptions options = small();
    options.n_hot = 4;
    options.hot_rate = 0.95;
    const auto report = simulate(options);
    ASSERT_EQ(report.hot_pixels.size(), 4U);
    const auto source = open_frame_source(options.output, {});
    source->set_shape(64, 96);
    std::map<std::uint32_t, int> frames_of;
    for (const auto& [frame, pixel, count] : read_events(*source).events) {
        ++frames_of[pixel];
    }
    for (const std::int64_t hot : report.hot_pixels) {
        // Binomial: 1900 +- 9.7.
        EXPECT_NEAR(frames_of[static_cast<std::uint32_t>(hot)], 1900, 50);
    }
    options.output = directory.file("given.bin");
    options.hot_given = {17};
    EXPECT_EQ(simulate(options).hot_pixels, std::vector<std::int64_t>{17});
    options.output = directory.file("beyond.bin");
    options.hot_given = {64 * 96};
    expect_error(ExitCode::config, {"hot pixel 6144"}, [&] { simulate(options); });
}

TEST_F(Simulate, Rigaku3mWritesSixModules) {
    SimulateOptions options = small();
    options.format = SimulateFormat::rigaku3m;
    options.n_frames = 20;
    options.occupancy = 0.001;
    const auto report = simulate(options);
    EXPECT_EQ(report.raw_files.size(), 6U);
    EXPECT_EQ(report.raw_files[0], directory.file("run.bin.000"));
    EXPECT_EQ(report.metadata_file, directory.file("run_metadata.hdf"));
    EXPECT_EQ(report.rows, 1676);
    const auto source = open_frame_source(report.raw_files[3], {});
    const auto got = read_events(*source);
    EXPECT_EQ(static_cast<std::int64_t>(got.events.size()), report.n_events);
    EXPECT_EQ(report.lit_pixels, 6 * 512 * 1024);
    for (const auto& [frame, pixel, count] : got.events) {
        ASSERT_EQ(source->info().gap[pixel], 0);
    }
}

TEST_F(Simulate, DenseFramesHoldTheSamePhotonsInEveryStorage) {
    std::vector<std::byte> first;
    for (const auto compression : {SimulateCompression::none,
                                   SimulateCompression::gzip,
                                   SimulateCompression::lzf,
                                   SimulateCompression::bslz4}) {
        SimulateOptions options = small();
        options.format = SimulateFormat::hdf5;
        options.n_frames = 50;
        options.occupancy = 2;
        options.compression = compression;
        options.output =
            directory.file("c" + std::to_string(static_cast<int>(compression)) + ".h5");
        SimulateReport report;
        try {
            report = simulate(options);
        } catch (const Error& error) {
            ASSERT_EQ(compression, SimulateCompression::bslz4) << error.what();
            EXPECT_EQ(error.code(), ExitCode::config);  // the plug-in is not installed here
            continue;
        }
        const auto source = open_frame_source(options.output, {});
        EXPECT_EQ(source->info().n_frames, 50);
        std::vector<std::byte> samples;
        RawBlock block;
        Chunk chunk;
        DecodeCounts counts;
        while (source->next(block)) {
            source->decode(block, chunk, counts);
            const auto& frames = std::get<DenseChunk>(chunk);
            samples.insert(samples.end(), frames.samples.begin(), frames.samples.end());
        }
        if (first.empty()) first = samples;
        EXPECT_EQ(samples, first);
        const auto* values = reinterpret_cast<const std::uint16_t*>(samples.data());
        std::int64_t photons = 0;
        for (std::size_t i = 0; i < samples.size() / 2; ++i) {
            photons += values[i];
        }
        EXPECT_EQ(photons, report.n_photons);
        // Static speckle at 50 frames: relative error sqrt(contrast / pixels) = 0.8 %.
        EXPECT_NEAR(static_cast<double>(photons) / (50.0 * 64 * 96), 2, 2 * 5 * 0.0082);
    }
}

TEST_F(Simulate, LoadingAPlugInLeavesDenormalNumbersAlone) {
    SimulateOptions options = small();
    options.format = SimulateFormat::hdf5;
    options.n_frames = 2;
    options.compression = SimulateCompression::bslz4;
    options.output = directory.file("plugin.h5");
    try {
        simulate(options);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::config);  // the plug-in is not installed here
    }
    volatile double smallest = std::numeric_limits<double>::denorm_min();
    EXPECT_GT(smallest * 1.0, 0.0);
}

TEST_F(Simulate, CountsStopBelowTheAllOnesValue) {
    SimulateOptions options = small();
    options.format = SimulateFormat::hdf5;
    options.output = directory.file("u8.h5");
    options.sample_bytes = 1;
    options.n_frames = 20;
    options.occupancy = 300;
    options.contiguous = true;
    simulate(options);
    const auto source = open_frame_source(options.output, {});
    RawBlock block;
    ASSERT_TRUE(source->next(block));
    const auto* values = reinterpret_cast<const std::uint8_t*>(block.bytes.data());
    const auto end = values + block.bytes.size();
    EXPECT_EQ(*std::max_element(values, end), 254);
}

TEST_F(Simulate, MetadataHasWhatReadersNeed) {
    SimulateOptions options = small();
    options.n_frames = 10;
    options.temperature_K = 310;
    options.start_after_s = 3661;
    const auto report = simulate(options);
    const h5::File file = h5::open_file(report.metadata_file);
    const hid_t id = file.id();
    const std::string detector = "/entry/instrument/detector_1/";
    EXPECT_EQ(h5::read_string(id, "/entry/schema_version"), "0.1.0");
    EXPECT_EQ(h5::read_string(id, "/entry/definition"), "NXxpcs");
    EXPECT_EQ(h5::read_string(id, "/entry/start_time"), "2026-01-01 10:01:01.000000");
    EXPECT_DOUBLE_EQ(h5::read_number(id, "/entry/sample/qnw1_temperature"), 310);
    EXPECT_DOUBLE_EQ(h5::read_number(id, detector + "frame_time"), options.frame_time_s);
    EXPECT_DOUBLE_EQ(h5::read_number(id, detector + "count_time"), options.frame_time_s);
    EXPECT_DOUBLE_EQ(h5::read_number(id, detector + "x_pixel_size"), 76e-6);
    EXPECT_DOUBLE_EQ(h5::read_number(id, detector + "y_pixel_size"), 76e-6);
    EXPECT_DOUBLE_EQ(h5::read_number(id, detector + "beam_center_x"), 47.5);
    EXPECT_DOUBLE_EQ(h5::read_number(id, "/entry/instrument/incident_beam/incident_energy"), 10);
    const auto frame_time = h5::open_object(id, detector + "frame_time");
    EXPECT_EQ(h5::read_string_attribute(frame_time.id(), "units"), "s");
    EXPECT_TRUE(h5::read_string_attribute(frame_time.id(), "description").has_value());
    const auto group = h5::open_object(id, "/entry/instrument/detector_1");
    EXPECT_EQ(h5::read_string_attribute(group.id(), "NX_class"), "NXdetector");
    std::ifstream truth_file(report.truth_file);
    const auto truth = nlohmann::json::parse(truth_file);
    EXPECT_EQ(truth["seed"], 7);
    EXPECT_EQ(truth["events"].get<std::int64_t>(), report.n_events);
    // D from the default relaxation time: 1 / (1 ms * (0.005 / A)^2).
    EXPECT_DOUBLE_EQ(truth["diffusion_angstrom2_per_s"].get<double>(), 1 / (1e-3 * 25e-6));
}

TEST_F(Simulate, GeometryIsThatOfQMaps) {
    SimulateOptions options = small();
    options.beam_center_x = 10;
    options.beam_center_y = 20;
    // 1000 px * 76 um at 4 m: alpha = atan(0.019); k = 2 pi * 10 / 12.39841984.
    const double k = 2 * 3.14159265358979323846 * 10 / 12.39841984;
    const double alpha = std::atan(0.019);
    EXPECT_NEAR(simulated_q(options, 20, 1010), 2 * k * std::sin(alpha / 2), 1e-15);
    EXPECT_NEAR(simulated_q(options, 1020, 10), 2 * k * std::sin(alpha / 2), 1e-15);
    EXPECT_EQ(simulated_q(options, 20, 10), 0);
}

TEST_F(Simulate, ImpossibleOptionsAreNamed) {
    const auto refused = [&](const std::string& word, auto&& change) {
        SimulateOptions options = small();
        change(options);
        expect_error(ExitCode::config, {word, "allowed"}, [&] { simulate(options); });
    };
    refused("frames 0", [](auto& o) { o.n_frames = 0; });
    refused("occupancy -1", [](auto& o) { o.occupancy = -1; });
    refused("occupancy nan", [](auto& o) { o.occupancy = std::nan(""); });
    refused("rows * cols", [](auto& o) { o.rows = o.cols = 2048; });
    refused("contrast 1.5", [](auto& o) { o.contrast = 1.5; });
    refused("hot rate 2", [](auto& o) { o.hot_rate = 2; });
    refused("energy", [](auto& o) { o.energy_keV = 0; });
    refused("distance", [](auto& o) { o.distance_m = -4; });
    refused("output 'x.h5'", [](auto& o) { o.output = "x.h5"; });
    refused("sample bytes 3", [](auto& o) {
        o.format = SimulateFormat::hdf5;
        o.output = "x.h5";
        o.sample_bytes = 3;
    });
    refused("beamstop", [](auto& o) { o.beamstop_radius_px = 1e4; });
    refused("hot pixels", [](auto& o) { o.n_hot = 64 * 96 + 1; });
    EXPECT_EQ(files_in(directory.path()), 0);
}

TEST_F(Simulate, ExistingFilesStayUnlessOverwritten) {
    SimulateOptions options = small();
    options.n_frames = 10;
    testing::write_bytes(options.output, "mine", 4);
    expect_error(ExitCode::cannot_create, {"run.bin", "exists"}, [&] { simulate(options); });
    EXPECT_EQ(bytes_of(options.output), "mine");
    EXPECT_EQ(files_in(directory.path()), 1);
    options.overwrite = true;
    simulate(options);
    EXPECT_NE(bytes_of(options.output), "mine");
    EXPECT_EQ(files_in(directory.path()), 3);
    options.output = directory.file("absent/run.bin");
    expect_error(
        ExitCode::cannot_create, {"absent/run.bin", "No such file"}, [&] { simulate(options); });
}

TEST_F(Simulate, AStoppedSimulationLeavesNothing) {
    SimulateOptions options = small();
    options.progress = [](double) { throw Error(ExitCode::interrupted, "stopped"); };
    expect_error(ExitCode::interrupted, {"stopped"}, [&] { simulate(options); });
    EXPECT_EQ(files_in(directory.path()), 0);
}

TEST_F(Simulate, DiskFullIsAnOutputError) {
    // A limit on the file size stands in for the full disk.
    SimulateOptions options = small();
    const auto child = [&] {
        ::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{20'000, 20'000};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        try {
            simulate(options);
        } catch (const Error& error) {
            std::_Exit(error.exit_status());
        }
        std::_Exit(0);
    };
    EXPECT_EXIT(child(), ::testing::ExitedWithCode(static_cast<int>(ExitCode::io)), "");
    EXPECT_EQ(files_in(directory.path()), 0);
}

TEST_F(Simulate, CountsThatTheFileCannotHoldAreCounted) {
    SimulateOptions options = small();
    options.n_frames = 20;
    options.occupancy = 250;
    options.overwrite = true;  // both have a_truth.json
    for (const SimulateFormat format : {SimulateFormat::hdf5, SimulateFormat::rigaku}) {
        options.format = format;
        options.output = directory.file(format == SimulateFormat::hdf5 ? "a.h5" : "a.bin");
        options.sample_bytes = 1;
        EXPECT_EQ(simulate(options).n_clipped > 0, format == SimulateFormat::hdf5);
    }
    options.occupancy = 0.1;
    options.output = directory.file("a.h5");
    options.format = SimulateFormat::hdf5;
    EXPECT_EQ(simulate(options).n_clipped, 0);
}

}  // namespace
}  // namespace xpcs
