// SPDX-License-Identifier: BSD-3-Clause
// Lines of a dense series (pixel_series.hpp) unfolded into blocks of bytes, and their photons added
// up while they are in registers. Compiled once per instruction set.

#if defined(XPCS_MULTITAU_UNFOLD_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef XPCS_MULTITAU_UNFOLD_INL
#undef XPCS_MULTITAU_UNFOLD_INL
#else
#define XPCS_MULTITAU_UNFOLD_INL
#endif

#include "kernels/multitau_job.hpp"
#include "kernels/series_lines.hpp"

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace xpcs::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// The two blocks of a line: frame t of pixel i is at first[t * block + i], and `apart` further for
/// pixel i + block.
struct LineBlocks {
    std::uint8_t* first = nullptr;
    std::int64_t apart = 0;
};
static_assert(line_pixels == 2 * TileCells::block, "a line is two blocks");

/// The photons of as many pixels as a vector has bytes: sums of few small counts fit a byte, from
/// which they are emptied into 32 bits.
class ByteSums {
    static constexpr hn::CappedTag<std::uint8_t, TileCells::block> d{};
    using V = hn::Vec<decltype(d)>;

  public:
    static constexpr std::int64_t steps = 17;  ///< of counts of at most 15

    HWY_INLINE ByteSums() : sum_(hn::Zero(d)), most_(hn::Zero(d)) {}
    HWY_INLINE void add(V count) {
        sum_ = hn::Add(sum_, count);
        most_ = hn::Max(most_, count);
    }
    HWY_INLINE void empty(std::uint32_t* HWY_RESTRICT sums) {
        const hn::Rebind<std::uint32_t, hn::CappedTag<std::uint8_t, HWY_MAX_BYTES / 4>> d32;
        const hn::Rebind<std::uint8_t, decltype(d32)> d8;
        HWY_ALIGN std::uint8_t bytes[TileCells::block];
        hn::Store(sum_, d, bytes);
        for (std::size_t i = 0; i < hn::Lanes(d); i += hn::Lanes(d32)) {
            const auto more = hn::PromoteTo(d32, hn::LoadU(d8, bytes + i));
            hn::StoreU(hn::Add(more, hn::LoadU(d32, sums + i)), d32, sums + i);
        }
        sum_ = hn::Zero(d);
    }
    HWY_INLINE void tell_most(std::uint32_t* HWY_RESTRICT largest) const {
        HWY_ALIGN std::uint8_t bytes[TileCells::block];
        hn::Store(most_, d, bytes);
        for (std::size_t i = 0; i < hn::Lanes(d); ++i)
            largest[i] = std::max<std::uint32_t>(largest[i], bytes[i]);
    }

  private:
    V sum_, most_;
};

/// Frames [begin, end) of a line to `out`, which begins with that of the line; their photons to
/// sums, in 32 bits.
HWY_INLINE void unfold_frames(Lines<HalfByte> line,
                              std::int64_t begin,
                              std::int64_t end,
                              LineBlocks out,
                              std::uint32_t* HWY_RESTRICT sums,
                              std::uint32_t* HWY_RESTRICT largest) {
    constexpr std::int64_t block = TileCells::block;
    const hn::CappedTag<std::uint8_t, block> d;
    const auto half = hn::Set(d, 0xF);
    for (std::int64_t at = 0; at < block; at += static_cast<std::int64_t>(hn::Lanes(d))) {
        ByteSums low, high;
        for (std::int64_t f = begin; f < end;) {
            const std::int64_t few = std::min(end, f + ByteSums::steps);
            for (; f < few; ++f) {
                const auto both = hn::LoadU(d, line.at + f * block + at);
                const auto l = hn::And(both, half), h = hn::ShiftRight<4>(both);
                std::uint8_t* to = out.first + f * block + at;
                hn::StoreU(l, d, to);
                hn::StoreU(h, d, to + out.apart);
                low.add(l);
                high.add(h);
            }
            low.empty(sums + at);
            high.empty(sums + block + at);
        }
        low.tell_most(largest + at);
        high.tell_most(largest + block + at);
    }
}

/// The same of samples that are bytes in the line, or (never met here) wider.
template <class Sample>
HWY_INLINE void unfold_frames(Lines<Sample> line,
                              std::int64_t begin,
                              std::int64_t end,
                              LineBlocks out,
                              std::uint32_t* HWY_RESTRICT sums,
                              std::uint32_t* HWY_RESTRICT largest) {
    constexpr std::int64_t block = TileCells::block;
    for (std::int64_t f = begin; f < end; ++f) {
        for (std::int64_t half = 0; half < 2; ++half) {
            const Sample* from = line.at + f * line_pixels + half * block;
            std::uint8_t* to = out.first + half * out.apart + f * block;
            std::uint32_t* of_half = sums + half * block;
            std::uint32_t* most = largest + half * block;
            for (std::int64_t i = 0; i < block; ++i) {
                to[i] = static_cast<std::uint8_t>(from[i]);
                of_half[i] += to[i];
                most[i] = std::max<std::uint32_t>(most[i], to[i]);
            }
        }
    }
}

/// The line of kept pixel `slot`, in frames begin_frame ... begin_frame + n - 1 of which none has
/// more than 255 photons, to `out`; frames without data are 0. What `slices` cut the frames into
/// is added up.
inline void unfold_line(const PixelSeries& series,
                        std::int64_t slot,
                        std::int64_t n,
                        LineBlocks out,
                        LineSlices& slices) {
    constexpr std::int64_t block = TileCells::block;
    std::int64_t done = 0;
    const auto clear_to = [&](std::int64_t t) {
        if (t <= done) return;
        std::fill_n(out.first + done * block, (t - done) * block, std::uint8_t{0});
        std::fill_n(out.first + out.apart + done * block, (t - done) * block, std::uint8_t{0});
    };
    slices.start();
    for_each_line_part(
        series, slot, n, [&](auto lines, std::int64_t first, std::int64_t n_some) HWY_ATTR {
            clear_to(first);
            const LineBlocks here{out.first + first * block, out.apart};
            for (std::int64_t f = 0; f < n_some;) {
                const std::int64_t slice = slices.of(first + f);
                const std::int64_t end = std::min(n_some, slices.end(slice, n) - first);
                std::uint32_t sums[line_pixels] = {};
                unfold_frames(lines, f, end, here, sums, slices.largest.data());
                slices.add(slice, sums);
                f = end;
            }
            done = first + n_some;
        });
    clear_to(n);
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
