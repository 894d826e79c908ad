// SPDX-License-Identifier: BSD-3-Clause
// One square of the two-time map: sums of products by both engines, then the ratio. Read once per
// instruction set by twotime_cpu.cpp.
#if defined(XPCS_TWOTIME_TILE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef XPCS_TWOTIME_TILE_INL
#undef XPCS_TWOTIME_TILE_INL
#else
#define XPCS_TWOTIME_TILE_INL
#endif

#include "kernels/twotime_tile.hpp"

#include <hwy/highway.h>

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace xpcs {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Products of every pair of events of a pixel, one in each block; on the diagonal only forward.
inline void
sparse_products(const TwotimeBlocks& in, std::int64_t row, std::int64_t col, double* sums) {
    const std::uint64_t* rows = in.block(row);
    const std::uint64_t* cols = in.block(col);
    const std::uint8_t* frame = in.frame.data();
    const float* value = in.value.data();
    for (std::int64_t p = 0; p < in.n_sparse; ++p) {
        const std::uint64_t end = cols[p + 1];
        if (cols[p] == end) continue;
        for (std::uint64_t i = rows[p]; i < rows[p + 1]; ++i) {
            double* out = sums + std::int64_t{frame[i]} * twotime_side;
            const double x = value[i];
            for (std::uint64_t j = row == col ? i : cols[p]; j < end; ++j)
                out[frame[j]] += x * value[j];
        }
    }
}

/// Spreads the events of pixels [first, first + n) of a block into strips of `width` frames:
/// [strips][n][width].
inline void spread(const TwotimeBlocks& in,
                   std::int64_t block,
                   std::int64_t first,
                   std::int64_t n,
                   std::int64_t width,
                   std::int64_t strips,
                   float* out) {
    std::fill(out, out + strips * n * width, 0.0F);
    std::int64_t place[twotime_side];
    for (std::int64_t f = 0; f < twotime_side; ++f)
        place[f] = f / width * n * width + f % width;
    const std::uint64_t* begin = in.block(block);
    for (std::int64_t p = 0; p < n; ++p) {
        for (std::uint64_t i = begin[first + p]; i < begin[first + p + 1]; ++i)
            out[place[in.frame[i]] + p * width] = in.value[i];
    }
}

constexpr std::int64_t dense_rows = 6;

/// sums[6][2 vectors] += a^T b over n pixels; a [n][6], b [n][2 vectors].
inline HWY_ATTR void multiply(const float* a, const float* b, std::int64_t n, double* sums) {
    const hn::ScalableTag<float> d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    auto s00 = hn::Zero(d), s01 = s00, s10 = s00, s11 = s00, s20 = s00, s21 = s00;
    auto s30 = s00, s31 = s00, s40 = s00, s41 = s00, s50 = s00, s51 = s00;
    for (std::int64_t p = 0; p < n; ++p) {
        const auto b0 = hn::LoadU(d, b), b1 = hn::LoadU(d, b + lanes);
        const auto a0 = hn::Set(d, a[0]), a1 = hn::Set(d, a[1]), a2 = hn::Set(d, a[2]);
        s00 = hn::MulAdd(a0, b0, s00);
        s01 = hn::MulAdd(a0, b1, s01);
        s10 = hn::MulAdd(a1, b0, s10);
        s11 = hn::MulAdd(a1, b1, s11);
        s20 = hn::MulAdd(a2, b0, s20);
        s21 = hn::MulAdd(a2, b1, s21);
        const auto a3 = hn::Set(d, a[3]), a4 = hn::Set(d, a[4]), a5 = hn::Set(d, a[5]);
        s30 = hn::MulAdd(a3, b0, s30);
        s31 = hn::MulAdd(a3, b1, s31);
        s40 = hn::MulAdd(a4, b0, s40);
        s41 = hn::MulAdd(a4, b1, s41);
        s50 = hn::MulAdd(a5, b0, s50);
        s51 = hn::MulAdd(a5, b1, s51);
        a += dense_rows;
        b += 2 * lanes;
    }
    HWY_ALIGN float one[std::size_t{2} * HWY_MAX_BYTES / sizeof(float)];
    const auto add = [&](auto low, auto high, std::int64_t row) HWY_ATTR {
        hn::StoreU(low, d, one);
        hn::StoreU(high, d, one + lanes);
        double* out = sums + row * twotime_side;
        for (std::int64_t i = 0; i < 2 * lanes; ++i)
            out[i] += one[i];
    };
    add(s00, s01, 0);
    add(s10, s11, 1);
    add(s20, s21, 2);
    add(s30, s31, 3);
    add(s40, s41, 4);
    add(s50, s51, 5);
}

/// The dense pixels as a matrix product, 256 pixels at a time.
inline HWY_ATTR void dense_products(const TwotimeBlocks& in,
                                    std::int64_t row,
                                    std::int64_t col,
                                    TwotimeScratch& scratch) {
    const hn::ScalableTag<float> d;
    const std::int64_t width = 2 * static_cast<std::int64_t>(hn::Lanes(d));
    const std::int64_t row_strips = (twotime_side + dense_rows - 1) / dense_rows;
    const std::int64_t col_strips = (twotime_side + width - 1) / width;
    const std::int64_t used_rows = (in.side + dense_rows - 1) / dense_rows;
    const std::int64_t used_cols = (in.side + width - 1) / width;
    scratch.a.resize(static_cast<std::size_t>(row_strips * dense_rows * twotime_pixels_at_once));
    scratch.b.resize(static_cast<std::size_t>(col_strips * width * twotime_pixels_at_once));
    for (std::int64_t p = in.n_sparse; p < in.n_pixels; p += twotime_pixels_at_once) {
        const std::int64_t n = std::min(twotime_pixels_at_once, in.n_pixels - p);
        spread(in, row, p, n, dense_rows, row_strips, scratch.a.data());
        spread(in, col, p, n, width, col_strips, scratch.b.data());
        for (std::int64_t c = 0; c < used_cols; ++c) {
            for (std::int64_t r = 0; r < used_rows; ++r) {
                const float* a = scratch.a.data() + r * n * dense_rows;
                const float* b = scratch.b.data() + c * n * width;
                double* sums = scratch.sums.data() + r * dense_rows * twotime_side + c * width;
                for (std::int64_t k = 0; k < n; k += twotime_single_pixels) {
                    multiply(a + k * dense_rows,
                             b + k * width,
                             std::min(twotime_single_pixels, n - k),
                             sums);
                }
            }
        }
    }
}

/// Sums to C, and the sums of C along the diagonals.
inline HWY_ATTR void normalise(const TwotimeJob& job,
                               std::int64_t row,
                               std::int64_t col,
                               TwotimeScratch& scratch,
                               TwotimeTileSums& out) {
    const TwotimeBlocks& in = job.blocks;
    const std::int64_t side = in.side;
    const std::int64_t row0 = row * side, col0 = col * side;
    const std::int64_t rows = std::min(side, in.n_frames - row0);
    const std::int64_t cols = std::min(side, in.n_frames - col0);
    const std::int64_t length = job.segment_frames;
    std::fill(scratch.map.begin(), scratch.map.end(), 0.0F);
    out.diagonal.assign(static_cast<std::size_t>(2 * side), 0.0);
    out.segment.clear();
    const bool near =
        length > 0 && row0 < twotime_segments * length &&
        col0 < (std::min(row0 + rows - 1, twotime_segments * length - 1) / length + 1) * length;
    if (near) out.segment.assign(static_cast<std::size_t>(twotime_segments * 2 * side), 0.0);

    for (std::int64_t r = 0; r < rows; ++r) {
        const std::int64_t t1 = row0 + r;
        const std::int64_t first = row == col ? r : 0;
        const double scale =
            job.inverse_or_nan[static_cast<std::size_t>(t1)] * static_cast<double>(in.n_pixels);
        const double scale_or_0 =
            job.inverse[static_cast<std::size_t>(t1)] * static_cast<double>(in.n_pixels);
        const double* sums = scratch.sums.data() + r * twotime_side;
        const double* or_nan = job.inverse_or_nan.data() + col0;
        const double* or_0 = job.inverse.data() + col0;
        float* map = scratch.map.data() + r * side;
        double* diagonal = out.diagonal.data() + (side - r);
        for (std::int64_t c = first; c < cols; ++c)
            map[c] = static_cast<float>(sums[c] * scale * or_nan[c]);
        for (std::int64_t c = first; c < cols; ++c)
            diagonal[c] += sums[c] * scale_or_0 * or_0[c];
        if (!near || t1 >= twotime_segments * length) continue;
        const std::int64_t segment = t1 / length;
        const std::int64_t end = std::min(cols, (segment + 1) * length - col0);
        double* of_segment = out.segment.data() + segment * 2 * side + (side - r);
        for (std::int64_t c = first; c < end; ++c)
            of_segment[c] += sums[c] * scale_or_0 * or_0[c];
    }
}

inline HWY_ATTR void twotime_tile(const TwotimeJob& job,
                                  std::int64_t row,
                                  std::int64_t col,
                                  TwotimeScratch& scratch,
                                  TwotimeTileSums& out) {
    // Rows are padded to whole strips of the dense engine.
    constexpr std::int64_t padded =
        (twotime_side + dense_rows - 1) / dense_rows * dense_rows * twotime_side + twotime_side;
    scratch.sums.assign(static_cast<std::size_t>(padded), 0.0);
    scratch.map.resize(static_cast<std::size_t>(job.blocks.side * job.blocks.side));
    sparse_products(job.blocks, row, col, scratch.sums.data());
    if (job.blocks.n_sparse < job.blocks.n_pixels) dense_products(job.blocks, row, col, scratch);
    normalise(job, row, col, scratch, out);
}

}  // namespace HWY_NAMESPACE
}  // namespace xpcs
HWY_AFTER_NAMESPACE();

#endif
