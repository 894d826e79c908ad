// SPDX-License-Identifier: BSD-3-Clause
// Two-time maps of an average, band by band of rows.
#include "host/average_write.hpp"
#include "host/chunk_writer.hpp"
#include "host/errors.hpp"
#include "host/result_paths.hpp"
#include "host/result_write.hpp"
#include "host/stop.hpp"
#include "host/text.hpp"
#include "kernels/twotime.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace xpcs {

namespace {

constexpr std::size_t bytes_at_once = std::size_t{256} << 20;

/// Sums of a band of rows over the results.
struct BandSums {
    BandSums(std::int64_t first, std::int64_t rows, std::int64_t n)
        : first_row(first), n_rows(rows), n_cols(n), sum(static_cast<std::size_t>(rows * n), 0.0),
          count(sum.size(), 0), values(sum.size()) {}

    void add(const std::string& path, const std::string& map) {
        const h5::File file = h5::open_file(path);
        const h5::Dataset dataset = h5::open_dataset(file.id(), map);
        const auto side = static_cast<hsize_t>(n_cols);
        const h5::Shape shape = h5::shape_of(dataset);
        if (shape != h5::Shape{side, side}) {
            throw Error(ExitCode::data,
                        fmt::format("average: '{}': {} is {}, {} expected",
                                    printable(path),
                                    map,
                                    h5::to_string(shape),
                                    h5::to_string({side, side})));
        }
        h5::read_slab(dataset,
                      H5T_NATIVE_FLOAT,
                      {static_cast<hsize_t>(first_row), 0},
                      {static_cast<hsize_t>(n_rows), static_cast<hsize_t>(n_cols)},
                      values.data());
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (!std::isfinite(values[i])) continue;
            sum[i] += static_cast<double>(values[i]);
            ++count[i];
        }
    }
    /// Mean at row and column of the map; 0 below the diagonal, NaN without a value.
    float at(std::int64_t row, std::int64_t col) const {
        if (col < row || col >= n_cols || row >= first_row + n_rows) return 0;
        const auto i = static_cast<std::size_t>((row - first_row) * n_cols + col);
        return count[i] > 0 ? static_cast<float>(sum[i] / count[i])
                            : std::numeric_limits<float>::quiet_NaN();
    }
    std::int64_t first_row, n_rows, n_cols;
    std::vector<double> sum;
    std::vector<std::int32_t> count;
    std::vector<float> values;
};

void write_band(ChunkWriter& writer, const BandSums& band, std::int64_t side) {
    std::vector<float> tile(static_cast<std::size_t>(side * side));
    for (std::int64_t row = band.first_row; row < band.first_row + band.n_rows; row += side) {
        for (std::int64_t col = row; col < band.n_cols; col += side) {
            for (std::int64_t r = 0; r < side; ++r) {
                for (std::int64_t c = 0; c < side; ++c) {
                    tile[static_cast<std::size_t>(r * side + c)] = band.at(row + r, col + c);
                }
            }
            writer.write({static_cast<hsize_t>(row), static_cast<hsize_t>(col)}, tile.data());
        }
    }
}

}  // namespace

void average_maps(hid_t file, const std::vector<Repeat>& kept) {
    const std::int64_t n = kept.front().twotime_frames;
    const std::int64_t side = twotime_tile_side(n);
    const auto bytes_per_row = static_cast<std::size_t>(n) * (sizeof(double) + 2 * sizeof(float));
    const std::int64_t rows =
        std::max<std::int64_t>(1, static_cast<std::int64_t>(bytes_at_once / bytes_per_row) / side) *
        side;
    for (std::size_t k = 1; k <= kept.front().twotime_bins.size(); ++k) {
        const std::string map = twotime_map_path(k);
        const auto T = static_cast<hsize_t>(n);
        ChunkWriter writer(
            file, map, {T, T}, {static_cast<hsize_t>(side), static_cast<hsize_t>(side)});
        for (std::int64_t first = 0; first < n; first += rows) {
            throw_if_stopped();
            BandSums band(first, std::min(rows, n - first), n);
            for (const Repeat& repeat : kept) {
                band.add(repeat.path, map);
            }
            write_band(writer, band, side);
        }
        h5::describe(writer.dataset().id(),
                     result_path::twotime_map.unit,
                     result_path::twotime_map.description);
        writer.close();
    }
}

}  // namespace xpcs
