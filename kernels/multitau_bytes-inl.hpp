// SPDX-License-Identifier: BSD-3-Clause
// Groups of pixels (multitau_lanes-inl.hpp) whose counts are so small that bytes hold them: twice
// as many pixels to a vector. Compiled once per instruction set.
//
// A pixel has a 16-bit lane, its column k the samples 2k (low byte) and 2k + 1 (high byte). With
// E(k) a column and O(k) that of the samples 2k + 1 and 2k + 2, the sums are those of whole columns
// there; they are taken in 16 bits and emptied into 32 before they could overflow.

#if defined(XPCS_MULTITAU_BYTES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef XPCS_MULTITAU_BYTES_INL
#undef XPCS_MULTITAU_BYTES_INL
#else
#define XPCS_MULTITAU_BYTES_INL
#endif

#include "kernels/multitau_lanes-inl.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace xpcs::HWY_NAMESPACE {

/// Counts, or blocks of counts, up to which bytes pay: 16 columns of products fit 16 bits.
constexpr std::int64_t largest_byte = 45;

/// For each 16-bit lane: product of the low bytes + product of the high bytes, none above 127.
template <class V16>
HWY_INLINE V16 byte_products(V16 x, V16 y) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
    return V16{_mm512_maddubs_epi16(x.raw, y.raw)};
#elif HWY_TARGET == HWY_AVX2
    return V16{_mm256_maddubs_epi16(x.raw, y.raw)};
#elif HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_SSSE3
    return V16{_mm_maddubs_epi16(x.raw, y.raw)};
#else
    const hn::DFromV<V16> d;
    const auto byte = hn::Set(d, 0xFF);
    const auto low = hn::Mul(hn::And(x, byte), hn::And(y, byte));
    return hn::Add(low, hn::Mul(hn::ShiftRight<8>(x), hn::ShiftRight<8>(y)));
#endif
}

/// Columns of a piece: even[k] and odd[k] are E(k) and O(k).
struct ByteColumns {
    static constexpr std::int64_t most = (piece_frames + ahead_frames) / 2 + column_pad;
    alignas(64) std::uint16_t even[most * 2 * most_lanes];
    alignas(64) std::uint16_t odd[most * 2 * most_lanes];
};

/// Those of `n` frames, each `pitch` counts behind the one before, with zeros behind the last.
/// Samples 2j and 2j + 1 become block j of `halves`, side by side, which may lie over those that
/// were read; `largest` of each pixel grows with them.
HWY_INLINE void byte_columns(const std::uint8_t* cell,
                             std::int64_t pitch,
                             std::int64_t n,
                             ByteColumns& out,
                             std::uint8_t* halves,
                             std::uint16_t* HWY_RESTRICT largest) {
    const hn::ScalableTag<std::uint16_t> d;
    const hn::RebindToSigned<decltype(d)> d_signed;
    const hn::Rebind<std::uint8_t, decltype(d)> d8;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const auto ones = hn::Set(d, 0x0101), zero = hn::Zero(d);
    auto most = hn::Load(d, largest);
    std::uint16_t *even = out.even, *odd = out.odd;
    const auto next = [&]() HWY_ATTR {
        const auto frame = hn::PromoteTo(d, hn::LoadU(d8, cell));
        cell += pitch;
        return frame;
    };
    const auto put = [&](auto first, auto second, auto third) HWY_ATTR {
        const auto both = hn::Or(first, hn::ShiftLeft<8>(second));
        hn::Store(both, d, even);
        hn::Store(hn::Or(second, hn::ShiftLeft<8>(third)), d, odd);
        even += lanes;
        odd += lanes;
        return byte_products(both, ones);
    };
    const auto put_half = [&](auto sum) HWY_ATTR {
        most = hn::Max(most, sum);
        hn::StoreU(hn::DemoteTo(d8, hn::BitCast(d_signed, sum)), d8, halves);
        halves += lanes;
    };
    auto first = next();
    std::int64_t t = 0;
    for (; t + 2 < n; t += 2) {
        const auto second = next(), third = next();
        put_half(put(first, second, third));
        first = third;
    }
    if (t + 1 < n) {
        put_half(put(first, next(), zero));
    } else {
        put(first, zero, zero);
    }
    for (std::int64_t k = 0; k < column_pad; ++k)
        put(zero, zero, zero);
    hn::Store(most, d, largest);
}

/// Adds to out[i] of each pixel: the products of the first n samples with those x0 + i later, i <
/// N, where x0 = 1 (N = 8) or 5 (N = 4). 16-bit lanes are emptied every `steps` columns.
template <int N>
HWY_INLINE void byte_dots(const ByteColumns& columns,
                          std::int64_t n,
                          std::int64_t steps,
                          std::uint32_t (*HWY_RESTRICT out)[2 * most_lanes]) {
    const hn::ScalableTag<std::uint16_t> d;
    const hn::Repartition<std::uint32_t, decltype(d)> d32;
    const hn::Half<decltype(d)> half;
    using V = hn::Vec<decltype(d)>;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const auto even = [&](std::int64_t k)
                          HWY_ATTR { return hn::Load(d, columns.even + k * lanes); };
    const auto odd = [&](std::int64_t k) HWY_ATTR { return hn::Load(d, columns.odd + k * lanes); };
    const auto empty = [&](V sum, int i) HWY_ATTR {
        const auto low = hn::PromoteTo(d32, hn::LowerHalf(half, sum));
        const auto high = hn::PromoteTo(d32, hn::UpperHalf(half, sum));
        hn::Store(hn::Add(low, hn::Load(d32, out[i])), d32, out[i]);
        hn::Store(hn::Add(high, hn::Load(d32, out[i] + lanes / 2)), d32, out[i] + lanes / 2);
    };
    const std::int64_t n_columns = (n + 1) / 2;
    for (std::int64_t k = 0; k < n_columns;) {
        const std::int64_t end = std::min(n_columns, k + steps);
        V a0 = hn::Zero(d), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0;
        for (; k < end; ++k) {
            const auto e = even(k);
            if constexpr (N == 8) {
                a0 = hn::Add(a0, byte_products(e, odd(k)));
                a1 = hn::Add(a1, byte_products(e, even(k + 1)));
                a2 = hn::Add(a2, byte_products(e, odd(k + 1)));
                a3 = hn::Add(a3, byte_products(e, even(k + 2)));
            }
            a4 = hn::Add(a4, byte_products(e, odd(k + 2)));
            a5 = hn::Add(a5, byte_products(e, even(k + 3)));
            a6 = hn::Add(a6, byte_products(e, odd(k + 3)));
            a7 = hn::Add(a7, byte_products(e, even(k + 4)));
        }
        for_lags<N>(empty, a0, a1, a2, a3, a4, a5, a6, a7);
    }
}

/// The products of one level to out, and the blocks of the next, of which no pixel has one above
/// the value returned; `halves` may be `cell` where its pitch is that of a group.
template <int N>
HWY_INLINE std::int64_t byte_level(const std::uint8_t* cell,
                                   std::int64_t pitch,
                                   std::int64_t n,
                                   std::int64_t largest,
                                   std::uint8_t* halves,
                                   std::uint64_t (*HWY_RESTRICT out)[2 * most_lanes]) {
    const std::int64_t steps = 65535 / (2 * largest * largest);
    const std::int64_t most_pieces = 4294967295 / (piece_frames * largest * largest);
    const std::int64_t pixels = 2 * lanes_in_group();
    ByteColumns columns;  // filled piece by piece. NOLINT(cppcoreguidelines-pro-type-member-init)
    HWY_ALIGN std::uint32_t sums[N][2 * most_lanes];
    HWY_ALIGN std::uint16_t most[2 * most_lanes] = {};
    for (int i = 0; i < N; ++i)
        std::fill_n(out[i], pixels, 0);
    for (std::int64_t first = 0; first < n;) {
        for (int i = 0; i < N; ++i)
            std::fill_n(sums[i], pixels, 0);
        for (std::int64_t k = 0; k < most_pieces && first < n; ++k, first += piece_frames) {
            const std::int64_t n_piece = std::min(piece_frames, n - first);
            const std::int64_t n_reach = std::min(piece_frames + ahead_frames, n - first);
            // Blocks of what lies behind the piece are made once more with the next one.
            byte_columns(cell + first * pitch,
                         pitch,
                         n_reach,
                         columns,
                         halves + first * lanes_in_group(),
                         most);
            byte_dots<N>(columns, n_piece, steps, sums);
        }
        for (int i = 0; i < N; ++i) {
            for (std::int64_t lane = 0; lane < pixels; ++lane)
                out[i][lane] += sums[i][lane];
        }
    }
    return std::min<std::int64_t>(2 * largest, *std::max_element(most, most + pixels));
}

HWY_INLINE std::size_t byte_blocks_size(std::int64_t n_frames) {
    return static_cast<std::size_t>((n_frames / 2 + 1) * 2 * lanes_in_group());
}

/// Where bytes end: `n` blocks of `level`, side by side, none above `largest`.
struct ByteLevels {
    int level;  ///< 0: nothing was done
    std::int64_t n, largest;
    const std::uint8_t* block;
};

/// The levels of a group whose blocks are no larger than largest_byte, of counts up to `largest`
/// that are not either; `halves` has room for byte_blocks_size(). What end_level leaves in `out` is
/// for the levels that are left.
inline ByteLevels byte_levels(const std::uint8_t* cell,
                              std::int64_t pitch,
                              std::int64_t largest,
                              const LagLadder& ladder,
                              std::uint8_t* halves,
                              LaneSums (&out)[2]) {
    ByteLevels at{0, ladder.n_frames, largest, cell};
    const std::int64_t lanes = lanes_in_group();
    const int n_lags = ladder.n_lags();
    while (at.level < ladder.n_levels && at.largest <= largest_byte) {
        const std::int64_t n_edge = std::min<std::int64_t>(at.n, 8);
        for (int half = 0; half < 2; ++half) {
            HWY_ALIGN std::int16_t first[(4 + column_pad) * 2 * most_lanes];
            HWY_ALIGN std::int16_t last[(4 + column_pad) * 2 * most_lanes];
            const std::uint8_t* of_half = at.block + half * lanes;
            columns_of_cells(of_half, pitch, n_edge, first);
            columns_of_cells(of_half + (at.n - n_edge) * pitch, pitch, n_edge, last);
            lane_edges(first, last, n_edge, at.level, n_lags, out[half]);
            end_level(last, n_edge, at.level, at.n, out[half]);
        }
        HWY_ALIGN std::uint64_t sums[8][2 * most_lanes];
        const std::int64_t most =
            at.level == 0 ? byte_level<8>(at.block, pitch, at.n, at.largest, halves, sums)
                          : byte_level<4>(at.block, pitch, at.n, at.largest, halves, sums);
        for (int k = 0; k < core::lags_in_level(at.level, n_lags); ++k) {
            for (int half = 0; half < 2; ++half)
                std::copy_n(
                    sums[k] + half * lanes, lanes, out[half].G2[core::first_lag(at.level) + k]);
        }
        at = {at.level + 1, at.n / 2, std::max<std::int64_t>(most, 1), halves};
        pitch = 2 * lanes;
    }
    return at;
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
