// SPDX-License-Identifier: BSD-3-Clause
// Whole frames into tiles: as events where few samples are lit, else as lines.
#include "kernels/frame_lines.hpp"
#include "kernels/pixel_series.hpp"
#include "kernels/series_tiles.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <type_traits>

// The order of what follows matters: this file is read once per instruction set.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/frame_pieces.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace xpcs::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// The samples of one frame, from its pixel `first_pixel` on.
template <class Sample>
struct FrameSamples {
    const Sample* at;
    std::int64_t first_pixel;

    const Sample* from(std::uint32_t pixel) const { return at + (pixel - first_pixel); }
    Sample operator[](std::uint32_t pixel) const { return *from(pixel); }
};

/// The samples of a line in one frame: where they stand, or gathered, with zeros behind.
template <class Sample>
HWY_INLINE const Sample* line_of(FrameSamples<Sample> frame,
                                 const Partition& partition,
                                 const LineSlots& slots,
                                 std::int64_t slot,
                                 Sample* gathered) {
    const std::uint32_t first =
        slots.first_pixel[static_cast<std::size_t>((slot - slots.first) / line_pixels)];
    if (first != LineSlots::scattered) return frame.from(first);
    const std::uint32_t* pixel = partition.pixel.data() + slot;
    const std::int64_t n = std::min(line_pixels, slots.end - slot);
    for (std::int64_t s = 0; s < n; ++s)
        gathered[s] = frame[pixel[s]];
    std::fill(gathered + n, gathered + line_pixels, Sample{0});
    return gathered;
}

/// The largest sample that lines of Out hold.
template <class Out>
constexpr std::uint32_t largest_of = std::numeric_limits<Out>::max();
template <>
constexpr std::uint32_t largest_of<HalfByte> = 0xF;

/// Samples of a line that are stored together.
template <class Out>
constexpr std::int64_t stored_of_line = line_pixels;
template <>
constexpr std::int64_t stored_of_line<HalfByte> = HalfByte::apart;

/// Out of samples of which only the sums are wanted.
struct NoLine {};
template <>
constexpr std::uint32_t largest_of<NoLine> = std::numeric_limits<std::uint32_t>::max();

template <class Out>
using Stored = std::conditional_t<std::is_integral_v<Out>, Out, std::uint8_t>;

/// As many samples as a vector holds, but no more than are stored together: 64 bytes are two halves
/// of a line.
template <class Sample, class Out>
using LineTag = hn::CappedTag<Sample, static_cast<std::size_t>(stored_of_line<Out>)>;

/// Stores a vector of values that fit Out.
template <class D, class Out>
HWY_INLINE void store_narrow(D d, hn::Vec<D> value, Out* out) {
    using Sample = hn::TFromD<D>;
    if constexpr (sizeof(Out) == sizeof(Sample)) {
        hn::StoreU(value, d, out);
    } else if constexpr (sizeof(Sample) == 2) {
        const hn::Rebind<std::uint8_t, D> d8;
        hn::StoreU(hn::DemoteTo(d8, hn::BitCast(hn::RebindToSigned<D>(), value)), d8, out);
    } else {
        HWY_ALIGN Sample wide[HWY_MAX_BYTES / sizeof(Sample)];
        hn::Store(value, d, wide);
        for (std::size_t i = 0; i < hn::Lanes(d); ++i)
            out[i] = static_cast<Out>(wide[i]);
    }
}

struct LineSums {
    std::uint64_t photons = 0;
    std::int64_t lit = 0;
};

/// What the lines of a tile hold in one frame. A tile has so few pixels that photons that fit Out
/// add up in lanes of Sample, others in lanes of twice its width.
template <class Sample, class Out>
class LineTally {
    static constexpr LineTag<Sample, Out> d{};
    static constexpr bool fits = largest_of<Out> >= std::numeric_limits<Sample>::max();
    static constexpr bool narrows = !fits && sizeof(Sample) > 1;
    static constexpr int lane_bytes = narrows               ? sizeof(Sample)
                                      : sizeof(Sample) == 1 ? 8
                                                            : 2 * sizeof(Sample);
    static constexpr hn::Repartition<hwy::UnsignedFromSize<lane_bytes>, decltype(d)> d_sum{};
    using V = hn::Vec<decltype(d)>;
    using Sum = hn::Vec<decltype(d_sum)>;

  public:
    HWY_INLINE LineTally()
        : no_data_(hn::Zero(d)), any_(hn::Zero(d)), photons_(hn::Zero(d_sum)),
          lit_(hn::Zero(d_sum)) {}

    /// Samples, and those of them that have data.
    HWY_INLINE void add(V good, V no_data) {
        no_data_ = hn::Or(no_data_, no_data);
        any_ = hn::Or(any_, good);
        photons_ = hn::Add(photons_, widened(good));
        lit_ = hn::Add(lit_, widened(hn::Min(good, hn::Set(d, 1))));
    }

    HWY_INLINE bool has_no_data() const { return !hn::AllTrue(d, hn::Eq(no_data_, hn::Zero(d))); }
    HWY_INLINE bool has_too_large() const {
        if constexpr (fits) return false;
        const auto high = hn::Set(d, static_cast<Sample>(~largest_of<Out>));
        return !hn::AllTrue(d, hn::Eq(hn::And(any_, high), hn::Zero(d)));
    }
    HWY_INLINE LineSums sums() const {
        return {sum_of_lanes(photons_), static_cast<std::int64_t>(sum_of_lanes(lit_))};
    }

  private:
    static HWY_INLINE Sum widened(V value) {
        if constexpr (narrows) {
            return value;
        } else if constexpr (sizeof(Sample) == 1) {
            return hn::SumsOf8(value);
        } else {
            return add_pairs(d_sum, value);
        }
    }
    /// Neighbours added up in a lane of twice their width.
    template <class DWide, class Value>
    static HWY_INLINE hn::Vec<DWide> add_pairs(DWide d_wide, Value value) {
        constexpr int bits = 4 * sizeof(hn::TFromD<DWide>);
        const auto pairs = hn::BitCast(d_wide, value);
        const auto low = hn::ShiftRight<bits>(hn::ShiftLeft<bits>(pairs));
        return hn::Add(low, hn::ShiftRight<bits>(pairs));
    }
    static HWY_INLINE std::uint64_t sum_of_lanes(Sum sum) {
        if constexpr (lane_bytes == 2) {
            const hn::Repartition<std::uint32_t, decltype(d)> d32;
            return hn::GetLane(hn::SumOfLanes(d32, add_pairs(d32, sum)));
        } else {
            return hn::GetLane(hn::SumOfLanes(d_sum, sum));
        }
    }

    V no_data_, any_;
    Sum photons_, lit_;
};

/// The samples of a line as Out, those without data as 0. What is stored is not looked at again: it
/// has yet to arrive in the cache.
template <class Sample, class Out>
HWY_INLINE void clean_line(const Sample* in, Stored<Out>* out, LineTally<Sample, Out>& tally) {
    const LineTag<Sample, Out> d;
    const auto no_data = hn::Set(d, std::numeric_limits<Sample>::max());
    const auto clean = [&](std::int64_t s) HWY_ATTR {
        const auto value = hn::LoadU(d, in + s);
        const auto bad = hn::VecFromMask(d, hn::Eq(value, no_data));
        const auto good = hn::AndNot(bad, value);
        tally.add(good, bad);
        return good;
    };
    constexpr auto lanes = static_cast<std::int64_t>(hn::MaxLanes(d));
    static_assert(stored_of_line<Out> % lanes == 0, "no vector ends behind what is stored");
    for (std::int64_t s = 0; s < stored_of_line<Out>; s += lanes) {
        if constexpr (std::is_same_v<Out, HalfByte>) {
            const auto low = clean(s), high = clean(s + HalfByte::apart);
            store_narrow(d, hn::Or(low, hn::ShiftLeft<4>(high)), out + s);
        } else if constexpr (std::is_same_v<Out, NoLine>) {
            clean(s);
        } else {
            store_narrow(d, clean(s), out + s);
        }
    }
}

/// Notes the kept pixels that hold no data in a frame.
template <class Sample>
void note_overflow(FrameSamples<Sample> frame,
                   const Partition& partition,
                   std::int64_t first_slot,
                   std::int64_t n,
                   SeriesPiece& piece) {
    for (std::int64_t slot = first_slot; slot < first_slot + n; ++slot) {
        const Sample value = frame[partition.pixel[static_cast<std::size_t>(slot)]];
        if (value != std::numeric_limits<Sample>::max()) continue;
        ++piece.counts.overflow_samples;
        if (piece.overflow_slots.empty() || piece.overflow_slots.back() != slot) {
            piece.overflow_slots.push_back(static_cast<std::uint32_t>(slot));
        }
    }
}

/// A tile's part of a frame is short, and the next frame's lies far away: the hardware does not see
/// the next tile's coming.
template <class Sample>
HWY_INLINE void ask_for(const Sample* line) {
    for (std::size_t at = 0; at < line_pixels * sizeof(Sample); at += 64)
        __builtin_prefetch(reinterpret_cast<const std::byte*>(line) + at);
}

/// The samples of one frame on the slots [first, first + n) of a tile, line after line of which
/// each is `pitch` elements behind the one before; adds up what is lit. False if one of them does
/// not fit.
template <class Sample, class Out>
HWY_INLINE bool take_frame(FrameSamples<Sample> frame,
                           const Partition& partition,
                           const LineSlots& slots,
                           std::int64_t first,
                           std::int64_t n,
                           std::int64_t piece_frame,
                           Stored<Out>* line,
                           std::int64_t pitch,
                           SeriesPiece& piece) {
    Sample gathered[line_pixels];
    LineTally<Sample, Out> tally;
    for (std::int64_t s = 0; s < n; s += line_pixels, line += pitch) {
        const Sample* samples = line_of(frame, partition, slots, first + s, gathered);
        if (samples != gathered) ask_for(samples + tile_pixels);
        clean_line<Sample, Out>(samples, line, tally);
    }
    if (tally.has_too_large()) return false;
    if (tally.has_no_data()) note_overflow(frame, partition, first, n, piece);
    const LineSums sums = tally.sums();
    piece.frame_photons[static_cast<std::size_t>(piece_frame)] += sums.photons;
    piece.counts.events += sums.lit;
    return true;
}

/// Frames of pixels in, lines of frames out; false as soon as a sample does not fit.
template <class Sample, class Out>
bool fill_lines(const FrameBlock& frames,
                const Partition& partition,
                const LineSlots& slots,
                SeriesPiece& piece) {
    const auto* samples = reinterpret_cast<const Sample*>(frames.samples);
    auto* out = reinterpret_cast<Stored<Out>*>(piece.lines.data());
    constexpr std::int64_t line = std::is_same_v<Out, NoLine> ? 0 : stored_of_line<Out>;
    const std::int64_t pitch = piece.n_frames * line;
    for (std::int64_t slot = slots.first; slot < slots.end; slot += tile_pixels) {
        const std::int64_t n = std::min(tile_pixels, slots.end - slot);
        auto* lines = out + (slot - slots.first) / line_pixels * pitch;
        for (std::int64_t f = 0; f < frames.n; ++f) {
            const std::int64_t to = frames.to + f;
            const FrameSamples<Sample> frame{samples + f * frames.n_pixels, frames.first_pixel};
            if (!take_frame<Sample, Out>(
                    frame, partition, slots, slot, n, to, lines + to * line, pitch, piece)) {
                return false;
            }
        }
    }
    return true;
}

/// Lines of piece.sample_bits, 0 = none, from samples of frames.sample_bytes; false if they do not
/// fit.
bool make_lines(const FrameBlock& frames,
                const Partition& partition,
                const LineSlots& slots,
                SeriesPiece& piece) {
    const auto run = [&](auto sample, auto out) {
        return fill_lines<decltype(sample), decltype(out)>(frames, partition, slots, piece);
    };
    const auto run_as = [&](auto sample) {
        using Sample = decltype(sample);
        if (piece.sample_bits == 0) return run(sample, NoLine{});
        if (piece.sample_bits == 4) return run(sample, HalfByte{});
        if (piece.sample_bits == 8) return run(sample, std::uint8_t{});
        if constexpr (sizeof(Sample) > 1) {
            if (piece.sample_bits == 16) return run(sample, std::uint16_t{});
        }
        if constexpr (sizeof(Sample) > 2) return run(sample, std::uint32_t{});
        return false;
    };
    switch (frames.sample_bytes) {
    case 1:
        return run_as(std::uint8_t{});
    case 2:
        return run_as(std::uint16_t{});
    default:
        return run_as(std::uint32_t{});
    }
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace xpcs {

HWY_EXPORT(make_lines);

LineSlots::LineSlots(const Partition& partition, const SeriesRange& range) {
    const TileSpan tiles = tiles_of(partition, range);
    first = std::int64_t{tiles.first} << tile_bits;
    end = std::min(partition.n_kept(), std::int64_t{tiles.first + tiles.n} << tile_bits);
    for (std::int64_t slot = first; slot < end; slot += line_pixels) {
        const std::uint32_t* pixel = partition.pixel.data() + slot;
        const bool together =
            end - slot >= line_pixels && pixel[line_pixels - 1] - pixel[0] == line_pixels - 1;
        first_pixel.push_back(together ? pixel[0] : scattered);
    }
}

void start_lines(const LineSlots& slots, SeriesPiece& piece) {
    piece.counts = {};
    piece.overflow_slots.clear();
    piece.frame_photons.assign(static_cast<std::size_t>(piece.n_frames), 0);
    piece.lines.clear();
    piece.lines.resize(static_cast<std::size_t>(slots.n_lines() * line_pixels * piece.n_frames) *
                       static_cast<std::size_t>(piece.sample_bits) / 8);
}

bool put_frames(const FrameBlock& frames,
                const Partition& partition,
                const LineSlots& slots,
                SeriesPiece& piece) {
    return HWY_DYNAMIC_DISPATCH(make_lines)(frames, partition, slots, piece);
}

void sum_photons(SeriesPiece& piece) {
    piece.counts.photons = static_cast<std::int64_t>(
        std::accumulate(piece.frame_photons.begin(), piece.frame_photons.end(), std::uint64_t{0}));
}

namespace {

template <class Sample>
std::int64_t frames_wanted(const DenseChunk& chunk, const SeriesRange& range, std::int64_t& first) {
    if (chunk.sample_bytes != static_cast<int>(sizeof(Sample))) {
        throw std::invalid_argument("dense chunk: sample width");
    }
    first = std::max(std::int64_t{0}, range.begin_frame - chunk.first_frame);
    const std::int64_t end = std::min(chunk.n_frames, range.end_frame - chunk.first_frame);
    return std::max(std::int64_t{0}, end - first);
}

/// Non-zero samples of kept pixels as events; no-data samples are noted and dropped.
template <class Sample>
SeriesPiece events_from_frames(const DenseChunk& chunk,
                               const Partition& partition,
                               const SeriesRange& range,
                               PieceScratch& scratch) {
    constexpr Sample no_data = std::numeric_limits<Sample>::max();
    std::int64_t first = 0;
    const std::int64_t n_frames = frames_wanted<Sample>(chunk, range, first);
    EventChunk& events = scratch.events;
    events.frame_base = chunk.first_frame + first;
    const TileSpan tiles = tiles_of(partition, range);
    std::vector<std::uint32_t> overflow;
    std::int64_t overflow_samples = 0;
    std::size_t n = 0;
    const auto* samples = reinterpret_cast<const Sample*>(chunk.samples.data());
    constexpr std::int64_t group = 64 / static_cast<std::int64_t>(sizeof(Sample));
    for (std::int64_t f = 0; f < n_frames; ++f) {
        const Sample* frame = samples + (first + f) * chunk.n_pixels;
        for (std::int64_t p = 0; p < chunk.n_pixels; p += group) {
            const std::int64_t end = std::min(p + group, chunk.n_pixels);
            std::uint64_t any = 0;
            for (std::int64_t q = p; q < end; ++q)
                any |= frame[q];
            if (any == 0) continue;
            if (events.size() < n + group)
                events.resize(std::max<std::size_t>(4096, 2 * (n + group)));
            for (std::int64_t q = p; q < end; ++q) {
                const Sample value = frame[q];
                if (value == no_data) {
                    const std::uint32_t slot = partition.slot[static_cast<std::size_t>(q)];
                    if (slot != Partition::not_kept &&
                        (slot >> tile_bits) - tiles.first < tiles.n) {
                        overflow.push_back(slot);
                        ++overflow_samples;
                    }
                    continue;
                }
                events.pixel[n] = static_cast<std::uint32_t>(q);
                events.frame[n] = static_cast<std::uint32_t>(f);
                events.count[n] = value;
                n += value != 0;
            }
        }
        // Compact the list of overflowing pixels: they are the same ones in every frame.
        if (overflow.size() > 65536) {
            std::sort(overflow.begin(), overflow.end());
            overflow.erase(std::unique(overflow.begin(), overflow.end()), overflow.end());
        }
    }
    events.resize(n);
    SeriesPiece piece = make_piece(events, partition, range, scratch);
    std::sort(overflow.begin(), overflow.end());
    overflow.erase(std::unique(overflow.begin(), overflow.end()), overflow.end());
    piece.overflow_slots = std::move(overflow);
    piece.counts.overflow_samples = overflow_samples;
    if (piece.n_frames == 0) piece.frame_base = events.frame_base;
    return piece;
}

/// Lines as narrow as the samples on kept pixels allow, but no narrower than those of the last
/// chunk: where a width is too small, the first sample that shows it may come late.
template <class Sample>
SeriesPiece lines_from_frames(const DenseChunk& chunk,
                              const Partition& partition,
                              const SeriesRange& range,
                              PieceScratch& scratch) {
    std::int64_t first = 0;
    SeriesPiece piece;
    piece.n_frames = frames_wanted<Sample>(chunk, range, first);
    piece.frame_base = chunk.first_frame + first;
    if (piece.n_frames == 0) return piece;
    const LineSlots slots(partition, range);
    const FrameBlock frames{chunk.samples.data() +
                                static_cast<std::size_t>(first * chunk.n_pixels) * sizeof(Sample),
                            sizeof(Sample),
                            piece.n_frames,
                            0,
                            chunk.first_pixel,
                            chunk.n_pixels};
    constexpr int most_bits = 8 * sizeof(Sample);
    for (piece.sample_bits = std::min(scratch.sample_bits, most_bits);; piece.sample_bits *= 2) {
        start_lines(slots, piece);
        if (put_frames(frames, partition, slots, piece)) break;
    }
    scratch.sample_bits = piece.sample_bits;
    sum_photons(piece);
    return piece;
}

/// Lines need the pixels of their tiles, everything else whole frames.
bool has_pixels_of(const DenseChunk& chunk,
                   const Partition& partition,
                   const SeriesRange& range,
                   bool as_events) {
    if (chunk.first_pixel == 0 && chunk.n_pixels == partition.rows * partition.cols) return true;
    const PixelSpan wanted = pixels_of(partition, range);
    return !as_events && chunk.first_pixel <= wanted.first &&
           chunk.first_pixel + chunk.n_pixels >= wanted.end;
}

template <class Sample>
double occupancy_of_samples(const DenseChunk& chunk, const Partition& partition) {
    constexpr Sample no_data = std::numeric_limits<Sample>::max();
    const auto* samples = reinterpret_cast<const Sample*>(chunk.samples.data());
    std::int64_t lit = 0;
    for (std::int64_t f = 0; f < chunk.n_frames; ++f) {
        const Sample* frame = samples + f * chunk.n_pixels;
        for (const std::uint32_t pixel : partition.pixel) {
            lit += frame[pixel] != 0 && frame[pixel] != no_data;
        }
    }
    const double all =
        static_cast<double>(chunk.n_frames) * static_cast<double>(partition.n_kept());
    return all > 0 ? static_cast<double>(lit) / all : 0;
}

}  // namespace

SeriesPiece make_piece(const DenseChunk& chunk,
                       const Partition& partition,
                       const SeriesRange& range,
                       bool as_events,
                       PieceScratch& scratch) {
    if (!has_pixels_of(chunk, partition, range, as_events)) {
        throw std::invalid_argument("dense chunk: number of pixels differs from the partition");
    }
    const auto make = [&](auto sample) {
        using Sample = decltype(sample);
        return as_events ? events_from_frames<Sample>(chunk, partition, range, scratch)
                         : lines_from_frames<Sample>(chunk, partition, range, scratch);
    };
    switch (chunk.sample_bytes) {
    case 1:
        return make(std::uint8_t{});
    case 2:
        return make(std::uint16_t{});
    case 4:
        return make(std::uint32_t{});
    default:
        throw std::invalid_argument("dense chunk: samples of 1, 2 or 4 bytes expected");
    }
}

double occupancy_of(const DenseChunk& chunk, const Partition& partition) {
    switch (chunk.sample_bytes) {
    case 1:
        return occupancy_of_samples<std::uint8_t>(chunk, partition);
    case 2:
        return occupancy_of_samples<std::uint16_t>(chunk, partition);
    default:
        return occupancy_of_samples<std::uint32_t>(chunk, partition);
    }
}

}  // namespace xpcs

#endif  // HWY_ONCE
