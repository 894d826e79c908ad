// SPDX-License-Identifier: BSD-3-Clause
// Results to export, and what the tests of it share.
#pragma once

#include "host/chunk_writer.hpp"
#include "host/export.hpp"
#include "host/result_file.hpp"
#include "host/result_paths.hpp"
#include "kernels/twotime.hpp"
#include "tests/host/result_fixture.hpp"

#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

namespace xpcs::testing {

namespace rp = result_path;

constexpr std::int64_t n_frames = 700;

/// Both analyses, -G and partial curves, with every value different from the others.
inline std::string write_everything(const TempDir& dir) {
    RunResult result = made_up_result(dir, n_frames);
    result.config.type = AnalysisType::both;
    result.config.stride_frame = result.frames.stride = 2;
    result.frames.begin = 3;
    result.frames.end = 3 + 2 * n_frames;
    result.one_time.g2[5] = std::numeric_limits<double>::quiet_NaN();
    const std::size_t n_lags = result.one_time.ladder.lags.size();
    result.partial.emplace();
    result.partial->end_frame = {350, 700};
    result.partial->g2.assign(2 * n_lags * 3, 1.25);
    result.partial->g2_err.assign(2 * n_lags * 3, 0.5);
    TwotimeTable table;
    table.labels = {1, 3};
    table.natural = {0, 3};
    table.n_frames = n_frames;
    table.segment_frames = n_frames / 5;
    for (std::int64_t i = 0; i < n_frames * 2; ++i)
        table.g2.push_back(1 + 0.001F * static_cast<float>(i));
    for (std::int64_t i = 0; i < n_frames / 5 * 5 * 2; ++i)
        table.g2_segments.push_back(2 + 0.001F * static_cast<float>(i));
    table.empty_frames = {0, 0};
    result.two_time = table;

    ResultFile file(result.config, "run", result.metadata.file);
    UnnormalizedSink& sink =
        file.unnormalized(static_cast<int>(n_lags), result.qmap.rows, result.qmap.cols);
    std::vector<float> all(n_lags * 3 *
                           static_cast<std::size_t>(result.qmap.rows * result.qmap.cols));
    for (std::size_t i = 0; i < all.size(); ++i)
        all[i] = static_cast<float>(i);
    sink.write_rows(0, result.qmap.rows, all.data());
    const auto side = static_cast<std::int64_t>(twotime_tile_side(n_frames));
    for (std::size_t k = 1; k <= 2; ++k) {
        const auto map = file.twotime_map(k, n_frames);
        for (std::int64_t r = 0; r < n_frames; r += side) {
            for (std::int64_t c = r; c < n_frames; c += side) {
                std::vector<float> tile(static_cast<std::size_t>(side * side), 0);
                for (std::int64_t i = 0; i < side; ++i) {
                    for (std::int64_t j = 0; j < side; ++j) {
                        const bool upper = r + i <= c + j && c + j < n_frames && r + i < n_frames;
                        tile[static_cast<std::size_t>(i * side + j)] =
                            upper ? static_cast<float>(k) +
                                        1e-6F * static_cast<float>((r + i) * n_frames + c + j)
                                  : 0;
                    }
                }
                map->write({static_cast<hsize_t>(r), static_cast<hsize_t>(c)}, tile.data());
            }
        }
        map->close();
    }
    file.write(result);
    return file.commit();
}

inline std::string write_plain(const TempDir& dir) {
    const RunResult result = made_up_result(dir);
    ResultFile file(result.config, "run", result.metadata.file);
    file.write(result);
    return file.commit();
}

/// Bytes of a float32 dataset, so that NaN compares too.
inline std::string float_bytes(const std::string& file, const std::string& path) {
    const auto values = h5::read<float>(h5::open_file(file).id(), path);
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

inline h5::Shape shape(const std::string& file, const std::string& path) {
    return h5::shape_of(h5::open_dataset(h5::open_file(file).id(), path));
}

inline std::vector<std::string>
convert(const std::string& in, const std::string& out, ExportFormat format) {
    return export_result({in, out, format, "", false});
}

inline std::string text_of(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace xpcs::testing
