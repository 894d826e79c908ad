// SPDX-License-Identifier: BSD-3-Clause
// Counts are small integers: their products run on the tensor cores as bytes with 32-bit sums,
// exact, static bin by static bin; what divides the counts depends on frame and static bin alone
// and is applied to the sums. One block makes 64 x 64 frames of C; strips of squares are computed
// while the strip before is handed on.
#include "kernels/twotime.hpp"

#include "kernels/cuda_support.cuh"
#include "kernels/twotime_digits.hpp"
#include "kernels/twotime_factors.hpp"

#include <cuda_pipeline.h>

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace xpcs::gpu {

namespace {

constexpr int tile = 64;           // frames along the side of a block's square
constexpr int depth = 64;          // columns of the matrix that a block holds at a time
constexpr int row_bytes = 80;      // of shared memory per frame: no two rows of 8 share a bank
constexpr int tile_threads = 128;  // four warps, each 32 x 32 frames
constexpr unsigned block_size = 256;
static_assert(depth == digit_columns);

/// Events of a bin on the device, and where they go.
struct ScatterJob {
    const std::uint64_t* begin;
    const std::uint32_t* frame;
    const std::uint32_t* count;
    const std::uint64_t* column;
    const std::uint32_t* next_digit;
    std::uint32_t n_pixels;
    std::uint64_t n_columns;
    std::int8_t* matrix;  ///< [T padded][n_columns], zeroed
};

/// A warp per pixel. A pixel's frames are distinct, so no two events meet.
__global__ void scatter_events(ScatterJob job) {
    const std::size_t p = thread_index() / warp_lanes;
    if (p >= job.n_pixels) return;
    const std::uint64_t end = job.begin[p + 1];
    for (std::uint64_t i = job.begin[p] + threadIdx.x % warp_lanes; i < end; i += warp_lanes) {
        std::int8_t* at = job.matrix + job.frame[i] * job.n_columns + job.column[p];
        for (std::uint32_t count = job.count[i]; count != 0; count >>= digit_bits) {
            *at = static_cast<std::int8_t>(count % digit_base);
            at += job.next_digit[p];
        }
    }
}

/// A strip: whole rows of squares of C.
struct StripJob {
    const std::int8_t* matrix;
    std::uint64_t n_columns;
    const DigitProduct* products;
    std::uint32_t n_products;
    const double* factor;          ///< [n_bins][T]
    const double* inverse_or_nan;  ///< [T] 1 / sum of x
    double n_pixels;
    std::int64_t n_frames, side, n_squares;
    std::int64_t first_square;  ///< row of squares
    float* squares;             ///< [rows of squares][n_squares][side][side], zeroed

    __device__ float* at(std::int64_t t1, std::int64_t t2) const {
        const std::int64_t row = t1 / side, col = t2 / side;
        return squares +
               (((row - first_square) * n_squares + col) * side + (t1 - row * side)) * side +
               (t2 - col * side);
    }
};

/// Where in the list of products the block is.
struct Cursor {
    std::uint32_t product = 0, k = 0;
    __device__ void advance(const StripJob& job) {
        k += depth;
        if (k < job.products[product].length) return;
        k = 0;
        ++product;
    }
};

struct TileBuffer {
    unsigned char a[tile * row_bytes], b[tile * row_bytes];
};

/// Starts the copy of 64 columns of 64 frames on either side.
__device__ void
fetch(const StripJob& job, const Cursor& at, std::int64_t row0, std::int64_t col0, TileBuffer& to) {
    const DigitProduct& product = job.products[at.product];
    for (int i = static_cast<int>(threadIdx.x); i < tile * depth / 16; i += tile_threads) {
        const int r = i / (depth / 16), c = i % (depth / 16) * 16;
        const auto row = static_cast<std::uint64_t>(row0 + r);
        const auto col = static_cast<std::uint64_t>(col0 + r);
        __pipeline_memcpy_async(to.a + r * row_bytes + c,
                                job.matrix + row * job.n_columns + product.a + at.k +
                                    static_cast<unsigned>(c),
                                16);
        __pipeline_memcpy_async(to.b + r * row_bytes + c,
                                job.matrix + col * job.n_columns + product.b + at.k +
                                    static_cast<unsigned>(c),
                                16);
    }
}

__device__ std::uint32_t word(const unsigned char* side, int row, int byte) {
    return *reinterpret_cast<const std::uint32_t*>(side + row * row_bytes + byte);
}

/// sums += 16 x 32 bytes times 32 x 8 bytes, over a warp.
__device__ void
multiply_add(std::int32_t (&sums)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
                 : "+r"(sums[0]), "+r"(sums[1]), "+r"(sums[2]), "+r"(sums[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// The part of a block's square that a warp makes: 2 x 4 fragments of 16 x 8 frames. A thread holds
/// frames row(m, h) x col(n, w) in element h * 2 + w of fragment (m, n).
struct WarpPart {
    int row0, col0, group, lane;  // group = lane / 4, lane = lane % 4
    __device__ WarpPart()
        : row0(static_cast<int>(threadIdx.x) / 64 * 32),
          col0(static_cast<int>(threadIdx.x) / 32 % 2 * 32),
          group(static_cast<int>(threadIdx.x) % 32 / 4), lane(static_cast<int>(threadIdx.x) % 4) {}
    __device__ int row(int m, int h) const { return row0 + m * 16 + h * 8 + group; }
    __device__ int col(int n, int w) const { return col0 + n * 8 + lane * 2 + w; }

    __device__ void multiply(const TileBuffer& in, std::int32_t (&sums)[2][4][4]) const {
#pragma unroll
        for (int k = 0; k < depth; k += 32) {
            std::uint32_t a[2][4], b[4][2];
#pragma unroll
            for (int m = 0; m < 2; ++m) {
                a[m][0] = word(in.a, row(m, 0), k + lane * 4);
                a[m][1] = word(in.a, row(m, 1), k + lane * 4);
                a[m][2] = word(in.a, row(m, 0), k + lane * 4 + 16);
                a[m][3] = word(in.a, row(m, 1), k + lane * 4 + 16);
            }
#pragma unroll
            for (int n = 0; n < 4; ++n) {
                b[n][0] = word(in.b, col0 + n * 8 + group, k + lane * 4);
                b[n][1] = word(in.b, col0 + n * 8 + group, k + lane * 4 + 16);
            }
#pragma unroll
            for (int m = 0; m < 2; ++m) {
#pragma unroll
                for (int n = 0; n < 4; ++n)
                    multiply_add(sums[m][n], a[m], b[n]);
            }
        }
    }
};

/// all += scale a(t1,s) a(t2,s) sums, and sums = 0.
__device__ void fold(const StripJob& job,
                     const DigitProduct& product,
                     const WarpPart& part,
                     std::int64_t row0,
                     std::int64_t col0,
                     std::int32_t (&sums)[2][4][4],
                     double (&all)[2][4][4]) {
    const double* factor = job.factor + product.bin * static_cast<std::uint64_t>(job.n_frames);
    const auto of = [&](std::int64_t t) { return t < job.n_frames ? factor[t] : 0.0; };
    double of_row[2][2];
#pragma unroll
    for (int m = 0; m < 2; ++m) {
#pragma unroll
        for (int h = 0; h < 2; ++h)
            of_row[m][h] = product.scale * of(row0 + part.row(m, h));
    }
#pragma unroll
    for (int n = 0; n < 4; ++n) {
        const double of_col[2] = {of(col0 + part.col(n, 0)), of(col0 + part.col(n, 1))};
#pragma unroll
        for (int m = 0; m < 2; ++m) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                all[m][n][e] += of_row[m][e / 2] * of_col[e % 2] * sums[m][n][e];
                sums[m][n][e] = 0;
            }
        }
    }
}

/// C = N sum / (sum of x at t1, at t2) on and above the diagonal.
__device__ void store(const StripJob& job,
                      const WarpPart& part,
                      std::int64_t row0,
                      std::int64_t col0,
                      const double (&all)[2][4][4]) {
#pragma unroll
    for (int m = 0; m < 2; ++m) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
            const std::int64_t t1 = row0 + part.row(m, h);
            if (t1 >= job.n_frames) continue;
            const double scale = job.inverse_or_nan[t1] * job.n_pixels;
#pragma unroll
            for (int n = 0; n < 4; ++n) {
#pragma unroll
                for (int w = 0; w < 2; ++w) {
                    const std::int64_t t2 = col0 + part.col(n, w);
                    if (t2 < t1 || t2 >= job.n_frames) continue;
                    *job.at(t1, t2) =
                        static_cast<float>(all[m][n][2 * h + w] * scale * job.inverse_or_nan[t2]);
                }
            }
        }
    }
}

/// A block per 64 x 64 frames of the strip; those below the diagonal have nothing to do.
__global__ void __launch_bounds__(tile_threads)
    correlate_tiles(StripJob job, std::uint32_t tiles_per_row) {
    __shared__ __align__(16) TileBuffer buffer[2];
    const std::int64_t row0 =
        job.first_square * job.side + std::int64_t{blockIdx.x / tiles_per_row} * tile;
    const std::int64_t col0 = std::int64_t{blockIdx.x % tiles_per_row} * tile;
    if (row0 >= job.n_frames || col0 + tile <= row0) return;
    const WarpPart part;
    std::int32_t sums[2][4][4] = {};
    double all[2][4][4] = {};
    Cursor at, ahead;
    if (job.n_products > 0) fetch(job, ahead, row0, col0, buffer[0]);
    __pipeline_commit();
    for (int which = 0; at.product < job.n_products; which = 1 - which) {
        ahead.advance(job);
        if (ahead.product < job.n_products) fetch(job, ahead, row0, col0, buffer[1 - which]);
        __pipeline_commit();
        __pipeline_wait_prior(1);
        __syncthreads();
        part.multiply(buffer[which], sums);
        if (ahead.product != at.product)
            fold(job, job.products[at.product], part, row0, col0, sums, all);
        __syncthreads();
        at = ahead;
    }
    store(job, part, row0, col0, all);
}

/// What a row of squares adds to every diagonal: sums[row of squares][k]; NaN is left out.
__global__ void sum_diagonals(StripJob job, std::int64_t n_rows, double* sums) {
    const auto index = static_cast<std::int64_t>(thread_index());
    const std::int64_t k = index % job.n_frames, row = index / job.n_frames;
    if (row >= n_rows) return;
    const std::int64_t first = (job.first_square + row) * job.side;
    const std::int64_t end = min(first + job.side, job.n_frames - k);
    double sum = 0;
    for (std::int64_t t = first; t < end; ++t) {
        const float c = *job.at(t, t + k);
        if (!isnan(c)) sum += static_cast<double>(c);
    }
    sums[(job.first_square + row) * job.n_frames + k] = sum;
}

/// The same within segments: sums[row of squares][k][5].
__global__ void sum_segments(StripJob job, std::int64_t n_rows, std::int64_t length, double* sums) {
    const auto index = static_cast<std::int64_t>(thread_index());
    const std::int64_t k = index % length, row = index / length % n_rows;
    const std::int64_t segment = index / length / n_rows;
    if (segment >= twotime_segments) return;
    const std::int64_t square = job.first_square + row;
    const std::int64_t first = max(square * job.side, segment * length);
    const std::int64_t end = min((square + 1) * job.side, (segment + 1) * length - k);
    double sum = 0;
    for (std::int64_t t = first; t < end; ++t) {
        const float c = *job.at(t, t + k);
        if (!isnan(c)) sum += static_cast<double>(c);
    }
    sums[(square * length + k) * twotime_segments + segment] = sum;
}

/// out[i] = sum over rows of in[row][i], in ascending order.
__global__ void add_rows(const double* in, std::int64_t n_rows, std::int64_t n, double* out) {
    const auto i = static_cast<std::int64_t>(thread_index());
    if (i >= n) return;
    double sum = 0;
    for (std::int64_t row = 0; row < n_rows; ++row)
        sum += in[row * n + i];
    out[i] = sum;
}

template <class T>
std::size_t size_of(T n) {
    return static_cast<std::size_t>(n);
}

}  // namespace

/// Buffers live as long as the run; they only grow.
struct TwotimeMaps::Memory {
    /// A strip on its way: on the device, then on the host.
    struct Strip {
        DeviceArray<float> device;
        PinnedArray<float> host;
        Event copied;
        std::int64_t first_square = -1, n_rows = 0;  ///< -1 = nothing to hand on
    };
    int device = 0;
    DeviceArray<std::uint64_t> begin, column;
    DeviceArray<std::uint32_t> frame, count, next_digit;
    DeviceArray<std::int8_t> matrix;
    DeviceArray<DigitProduct> products;
    DeviceArray<double> factor, inverse;
    DeviceArray<double> diagonals, segments, g2;
    std::array<Strip, 2> strips;
    Stream stream;  // last: ends before what it uses

    template <class T>
    void upload(DeviceArray<T>& to, const T* from, std::size_t n) {
        to.require(n);
        copy_to_device(to.data(), from, n, stream);
    }
    StripJob load(const BinEvents& events,
                  const TwotimeFactors& factors,
                  const TwotimeDigits& digits,
                  const std::vector<double>& inverse_or_nan);
    void compute(StripJob job, Strip& strip, std::int64_t segment_frames);
    void fetch_means(const StripJob& job, TwotimeBin& out);
};

StripJob TwotimeMaps::Memory::load(const BinEvents& events,
                                   const TwotimeFactors& factors,
                                   const TwotimeDigits& digits,
                                   const std::vector<double>& inverse_or_nan) {
    const std::size_t T = inverse_or_nan.size();
    upload(begin, events.begin.data(), events.begin.size());
    upload(frame, events.frame.data(), events.frame.size());
    upload(count, events.count.data(), events.count.size());
    upload(column, digits.column.data(), digits.column.size());
    upload(next_digit, digits.next_digit.data(), digits.next_digit.size());
    upload(products, digits.products.data(), digits.products.size());
    upload(inverse, inverse_or_nan.data(), T);
    factor.require(factors.factor.size() * T);
    for (std::size_t s = 0; s < factors.factor.size(); ++s)
        copy_to_device(factor.data() + s * T, factors.factor[s].data(), T, stream);
    const std::size_t padded = (T + tile - 1) / tile * tile * digits.n_columns;
    matrix.require(padded);
    clear(matrix.data(), padded, stream);
    const ScatterJob scatter{begin.data(),
                             frame.data(),
                             count.data(),
                             column.data(),
                             next_digit.data(),
                             static_cast<std::uint32_t>(events.n_pixels()),
                             digits.n_columns,
                             matrix.data()};
    launch(scatter_events,
           blocks_for(size_of(events.n_pixels()) * warp_lanes, block_size),
           block_size,
           0,
           stream,
           scatter);
    StripJob job{};
    job.matrix = matrix.data();
    job.n_columns = digits.n_columns;
    job.products = products.data();
    job.n_products = static_cast<std::uint32_t>(digits.products.size());
    job.factor = factor.data();
    job.inverse_or_nan = inverse.data();
    job.n_pixels = static_cast<double>(events.n_pixels());
    job.n_frames = static_cast<std::int64_t>(T);
    job.side = twotime_tile_side(job.n_frames);
    job.n_squares = (job.n_frames + job.side - 1) / job.side;
    return job;
}

void TwotimeMaps::Memory::compute(StripJob job, Strip& strip, std::int64_t segment_frames) {
    const std::size_t n =
        size_of(strip.n_rows) * size_of(job.n_squares) * size_of(job.side * job.side);
    job.first_square = strip.first_square;
    job.squares = strip.device.data();
    clear(job.squares, n, stream);
    const auto tiles_per_row = static_cast<std::uint32_t>((job.n_frames + tile - 1) / tile);
    const std::int64_t n_tile_rows = (strip.n_rows * job.side + tile - 1) / tile;
    // Without products as well: there is no C then, which is NaN and not 0.
    launch(correlate_tiles,
           size_of(n_tile_rows) * tiles_per_row,
           tile_threads,
           0,
           stream,
           job,
           tiles_per_row);
    launch(sum_diagonals,
           blocks_for(size_of(strip.n_rows * job.n_frames), block_size),
           block_size,
           0,
           stream,
           job,
           strip.n_rows,
           diagonals.data());
    launch(sum_segments,
           blocks_for(size_of(strip.n_rows * segment_frames * twotime_segments), block_size),
           block_size,
           0,
           stream,
           job,
           strip.n_rows,
           segment_frames,
           segments.data());
    copy_to_host(strip.host.data(), strip.device.data(), n, stream);
    strip.copied.record(stream);
}

void TwotimeMaps::Memory::fetch_means(const StripJob& job, TwotimeBin& out) {
    const auto sum = [&](const DeviceArray<double>& rows, std::vector<double>& to) {
        g2.require(to.size());
        launch(add_rows,
               blocks_for(to.size(), block_size),
               block_size,
               0,
               stream,
               static_cast<const double*>(rows.data()),
               job.n_squares,
               static_cast<std::int64_t>(to.size()),
               g2.data());
        copy_to_host(to.data(), g2.data(), to.size(), stream);
        stream.wait();
    };
    sum(diagonals, out.g2);
    sum(segments, out.g2_segments);
}

namespace {

/// Bytes of a strip; at least one row of squares.
constexpr std::size_t strip_bytes = std::size_t{64} << 20;

}  // namespace

TwotimeMaps::TwotimeMaps(int device) {
    const CurrentDevice current(device);
    memory_ = std::make_unique<Memory>();
    memory_->device = device;
}

TwotimeMaps::~TwotimeMaps() {
    if (!memory_) return;
    try {
        const CurrentDevice current(memory_->device);
        memory_.reset();
    } catch (const DeviceError&) {  // the device is gone, and its memory with it
    }
}

TwotimeBin TwotimeMaps::correlate(const PixelSeries& series,
                                  std::uint32_t dynamic_bin,
                                  const TwotimeRequest& request) {
    const CurrentDevice current(memory_->device);
    Memory& memory = *memory_;
    TwotimeBin out;
    const std::int64_t T = request.frames.n_frames;
    out.segment_frames = T / twotime_segments;
    out.g2.assign(size_of(T), 0.0);
    out.g2_segments.assign(size_of(twotime_segments * out.segment_frames), 0.0);
    const BinEvents events =
        gather_bin(series, request.frames, dynamic_bin, request.excluded, request.threads);
    const TwotimeFactors factors = make_factors(events, series.partition(), T, request.smooth, out);
    const TwotimeDigits digits = make_digits(events, factors.bin_of_pixel);
    out.dense_pixels = out.n_pixels;
    std::vector<double> inverse_or_nan;
    for (const double sum : factors.sum)
        inverse_or_nan.push_back(sum > 0 ? 1 / sum : std::numeric_limits<double>::quiet_NaN());
    const StripJob job = memory.load(events, factors, digits, inverse_or_nan);

    const std::size_t square = size_of(job.side * job.side);
    const std::size_t row = size_of(job.n_squares) * square;
    const std::int64_t rows = std::clamp<std::int64_t>(
        static_cast<std::int64_t>(strip_bytes / sizeof(float) / row), 1, job.n_squares);
    memory.diagonals.require(size_of(job.n_squares) * out.g2.size());
    memory.segments.require(size_of(job.n_squares) * out.g2_segments.size());
    for (Memory::Strip& strip : memory.strips) {
        strip.device.require(size_of(rows) * row);
        strip.host.require(size_of(rows) * row);
        strip.first_square = -1;
    }
    oneapi::tbb::task_arena arena(request.threads > 0 ? request.threads
                                                      : oneapi::tbb::task_arena::automatic);
    const auto hand_on = [&](Memory::Strip& strip) {
        if (strip.first_square < 0) return;
        strip.copied.wait();
        const std::int64_t first = strip.first_square;
        strip.first_square = -1;
        arena.execute([&] {
            oneapi::tbb::parallel_for(
                std::int64_t{0}, strip.n_rows * job.n_squares, [&](std::int64_t i) {
                    const std::int64_t r = first + i / job.n_squares, c = i % job.n_squares;
                    if (c < r || !request.tile) return;
                    request.tile(
                        {r * job.side, c * job.side, strip.host.data() + size_of(i) * square});
                });
        });
        if (request.progress) {
            request.progress(static_cast<double>(first + strip.n_rows) /
                             static_cast<double>(job.n_squares));
        }
    };
    std::size_t turn = 0;
    for (std::int64_t first = 0; first < job.n_squares; first += rows) {
        Memory::Strip& strip = memory.strips[turn % 2];
        strip.first_square = first;
        strip.n_rows = std::min(rows, job.n_squares - first);
        memory.compute(job, strip, out.segment_frames);
        hand_on(memory.strips[++turn % 2]);
    }
    hand_on(memory.strips[(turn + 1) % 2]);
    memory.fetch_means(job, out);
    divide_by_pairs(factors.sum, out);
    return out;
}

}  // namespace xpcs::gpu
