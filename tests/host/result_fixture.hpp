// SPDX-License-Identifier: BSD-3-Clause
// A made-up run: q-map and metadata on disk, and the result that belongs to them.
#pragma once

#include "host/h5.hpp"
#include "host/run_result.hpp"
#include "tests/host/temp_dir.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace xpcs::testing {

inline QMap made_up_qmap(std::int64_t rows = 60, std::int64_t cols = 80) {
    constexpr std::int64_t n_static = 6, n_dynamic = 3;  // natural grid 4 x 1: bin 2 is empty
    QMap qmap;
    qmap.rows = rows;
    qmap.cols = cols;
    for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t col = 0; col < cols; ++col) {
            const bool used = row >= 2;
            const auto label = static_cast<std::uint32_t>(col * n_static / cols);
            qmap.mask.push_back(used);
            qmap.blemish.push_back(1);
            qmap.static_roi_map.push_back(used ? label + 1 : 0);
            qmap.dynamic_roi_map.push_back(used ? label / 2 + 1 : 0);
        }
    }
    qmap.dynamic_num_pts = {4, 1};
    qmap.static_num_pts = {n_static, 1};
    qmap.dynamic_v_list = {std::vector<double>{0.01, 0.02, 0.03, 0.04}, std::vector<double>{0}};
    qmap.static_v_list = {std::vector<double>{1, 2, 3, 4, 5, 6}, std::vector<double>{0}};
    qmap.dynamic_index_mapping = {0, 1, 3};
    qmap.static_index_mapping = {0, 1, 2, 3, 4, 5};
    static_assert(n_dynamic == 3);
    qmap.beam_center_x = 10.5;
    qmap.beam_center_y = -3;
    qmap.pixel_size_m = 76e-6;
    qmap.detector_distance_m = 4;
    qmap.energy_keV = 10;
    qmap.source_file = "made_up";
    qmap.version = "test";
    return qmap;
}

inline void write_made_up_metadata(const std::string& path, double frame_time_s) {
    const h5::File file = h5::create_file(path);
    const std::string detector = "/entry/instrument/detector_1/";
    const auto number = [&](const std::string& name, double value, const char* unit) {
        h5::describe(h5::write_scalar<double>(file.id(), name, value).id(), unit, "made up");
    };
    h5::write_string(file.id(), "/entry/schema_version", "0.1.0");
    h5::write_string(file.id(), "/entry/start_time", "2026-01-02 03:04:05.678");
    if (frame_time_s > 0) {
        number(detector + "frame_time", frame_time_s, "s");
    }
    number(detector + "count_time", 0.9 * frame_time_s, "s");
    number(detector + "x_pixel_size", 76e-6, "m");
    number(detector + "y_pixel_size", 76e-6, "m");
    number("/entry/instrument/incident_beam/incident_energy", 10, "keV");
    h5::write_string(file.id(), "/entry/sample/name", "latex \xC3\xA9");
}

/// Relaxing g2 with a known relaxation time 1 / (D q^2).
inline constexpr double made_up_D = 1e7;

inline RunResult made_up_result(const TempDir& dir, std::int64_t n_frames = 1000) {
    RunResult result;
    result.qmap = made_up_qmap();
    result.qmap.file = dir.file("map.hdf");
    save_qmap(result.qmap, result.qmap.file, true);
    result.qmap = load_qmap(result.qmap.file);
    result.metadata.file = dir.file("run_metadata.hdf");
    result.frame_time_s = 20e-6;
    write_made_up_metadata(result.metadata.file, result.frame_time_s);

    result.config.raw = {dir.file("run.bin")};
    result.config.qmap = result.qmap.file;
    result.config.output = dir.path();
    result.raw = result.config.raw.front();
    result.source.format = "rigaku64";
    result.frames = {0, n_frames, 1, 1, n_frames, n_frames, n_frames};
    result.engine = "sparse";
    result.device = "cpu (2 threads)";
    result.host_name = "here";
    result.started = "2026-01-02T03:04:05Z";
    result.finished = "2026-01-02T03:04:06Z";
    result.inputs = {{result.raw, 12345, "2026-01-02T03:04:00Z"}};
    result.stage_s = {{"read", 0.25}, {"correlate", 0.5}};
    result.warnings = {"one \xFF byte that is no UTF-8", "two"};
    result.hot_pixels = {{3, 4, 1000, 1, 1, 0.25}};
    result.counts.decode.records = 77;
    result.counts.occupancy = 0.01;

    const std::size_t n_dynamic = result.qmap.n_dynamic(), n_static = result.qmap.n_static();
    result.pixels_per_dynamic.assign(n_dynamic, 580);
    result.label_of_static = {1, 2, 3, 4, 5, 6};
    result.pixels_per_static.assign(n_static, 290);
    OneTime& one = result.one_time;
    one.ladder = make_lag_ladder(n_frames);
    std::mt19937_64 engine(42);
    std::normal_distribution<double> noise(0, 0.001);
    for (const Lag& lag : one.ladder.lags) {
        for (std::uint32_t bin = 1; bin <= n_dynamic; ++bin) {
            const double q = result.qmap.dynamic_centre(bin, 0);
            const double t = static_cast<double>(lag.frames) * result.frame_time_s;
            one.g2.push_back(1 + 0.2 * std::exp(-2 * made_up_D * q * q * t) + noise(engine));
            one.g2_err.push_back(0.001);
        }
        one.pairs.push_back(static_cast<double>(lag.n_pairs));
        one.static_without_signal.push_back(0);
        one.pixels_without_signal.push_back(0);
    }
    Scattering& scattering = result.scattering;
    for (const std::uint8_t used : result.qmap.mask) {
        scattering.saxs_2d.push_back(used != 0 ? 0.5 : 0);
    }
    scattering.saxs_1d = {1, 2, 3, 4, 5, std::numeric_limits<double>::quiet_NaN()};
    scattering.n_segments = 8;
    for (int k = 0; k < 8; ++k) {
        for (std::size_t s = 0; s < n_static; ++s) {
            scattering.saxs_1d_segments.push_back(static_cast<double>(k) +
                                                  0.1 * static_cast<double>(s));
        }
    }
    for (std::int64_t t = 0; t < n_frames; ++t) {
        scattering.intensity.push_back(0.01 * static_cast<double>(t));
    }
    return result;
}

}  // namespace xpcs::testing
