// SPDX-License-Identifier: BSD-3-Clause
// Whole frames into tiles: as events where few samples are lit, else as transposed rows.
#include "kernels/pixel_series.hpp"
#include "kernels/series_tiles.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <stdexcept>

// The transposition keeps vectors in arrays, which scalable vectors forbid.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

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

constexpr std::int64_t block = 64;  ///< frames, or pixels of a line, taken at a time
/// Transposition goes by 64 frames of a tile: long enough pieces of each frame for the hardware to
/// read ahead. The pitch keeps the frames of a column in different cache sets.
constexpr std::int64_t pitch = tile_pixels + block;

/// The samples of `n` kept pixels of one frame: where they stand, or gathered, with zeros behind.
template <class Sample>
HWY_INLINE const Sample*
line_of(const Sample* frame, const std::uint32_t* pixel, std::int64_t n, Sample* gathered) {
    if (n == block && pixel[block - 1] - pixel[0] == block - 1) return frame + pixel[0];
    for (std::int64_t s = 0; s < n; ++s)
        gathered[s] = frame[pixel[s]];
    std::fill(gathered + n, gathered + block, Sample{0});
    return gathered;
}

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

/// What a line had besides samples that fit.
struct LineState {
    bool no_data = false;    ///< there were samples without data
    bool too_large = false;  ///< there were samples that do not fit
};

/// The samples as Out, those without data as 0.
template <class Sample, class Out>
HWY_INLINE LineState clean_line(const Sample* in, Out* out) {
    const hn::ScalableTag<Sample> d;
    const auto no_data = hn::Set(d, std::numeric_limits<Sample>::max());
    auto any_bad = hn::Zero(d), any = any_bad;
    for (std::int64_t s = 0; s < block; s += static_cast<std::int64_t>(hn::Lanes(d))) {
        const auto value = hn::LoadU(d, in + s);
        const auto bad = hn::VecFromMask(d, hn::Eq(value, no_data));
        const auto good = hn::AndNot(bad, value);
        any_bad = hn::Or(any_bad, bad);
        any = hn::Or(any, good);
        store_narrow(d, good, out + s);
    }
    LineState state;
    state.no_data = !hn::AllTrue(d, hn::Eq(any_bad, hn::Zero(d)));
    if constexpr (sizeof(Out) < sizeof(Sample)) {
        const auto high = hn::Set(d, static_cast<Sample>(~Sample{std::numeric_limits<Out>::max()}));
        state.too_large = !hn::AllTrue(d, hn::Eq(hn::And(any, high), hn::Zero(d)));
    }
    return state;
}

struct LineSums {
    std::uint64_t photons = 0;
    std::int64_t lit = 0;
};

/// Adds up lines of one frame; lanes are only summed up at the end.
template <class Out>
class LineCounter {
  public:
    HWY_INLINE void add(const Out* line) {
        for (std::int64_t s = 0; s < block; ++s) {
            sums_.photons += line[s];
            sums_.lit += line[s] != 0;
        }
    }
    HWY_INLINE LineSums sums() const { return sums_; }

  private:
    LineSums sums_;
};
template <>
class LineCounter<std::uint8_t> {
  public:
    HWY_INLINE LineCounter() : photons_(hn::Zero(d64)), lit_(hn::Zero(d64)) {}
    HWY_INLINE void add(const std::uint8_t* line) {
        for (std::int64_t s = 0; s < block; s += static_cast<std::int64_t>(hn::Lanes(d))) {
            const auto value = hn::LoadU(d, line + s);
            photons_ = hn::Add(photons_, hn::SumsOf8(value));
            lit_ = hn::Add(lit_, hn::SumsOf8(hn::Min(value, hn::Set(d, 1))));
        }
    }
    HWY_INLINE LineSums sums() const {
        return {hn::GetLane(hn::SumOfLanes(d64, photons_)),
                static_cast<std::int64_t>(hn::GetLane(hn::SumOfLanes(d64, lit_)))};
    }

  private:
    static constexpr hn::ScalableTag<std::uint8_t> d{};
    static constexpr hn::Repartition<std::uint64_t, decltype(d)> d64{};
    hn::Vec<decltype(d64)> photons_, lit_;
};
/// A tile has so few pixels that its photons of a frame fit the lanes.
template <>
class LineCounter<std::uint16_t> {
  public:
    HWY_INLINE LineCounter() : photons_(hn::Zero(d32)), lit_(hn::Zero(d32)) {}
    HWY_INLINE void add(const std::uint16_t* line) {
        const auto low = hn::Set(d32, 0xFFFF);
        for (std::int64_t s = 0; s < block; s += static_cast<std::int64_t>(hn::Lanes(d))) {
            const auto value = hn::LoadU(d, line + s);
            const auto pairs = hn::BitCast(d32, value);
            const auto lit = hn::BitCast(d32, hn::Min(value, hn::Set(d, 1)));
            photons_ = hn::Add(photons_, hn::Add(hn::And(pairs, low), hn::ShiftRight<16>(pairs)));
            lit_ = hn::Add(lit_, hn::Add(hn::And(lit, low), hn::ShiftRight<16>(lit)));
        }
    }
    HWY_INLINE LineSums sums() const {
        return {hn::GetLane(hn::SumOfLanes(d32, photons_)),
                static_cast<std::int64_t>(hn::GetLane(hn::SumOfLanes(d32, lit_)))};
    }

  private:
    static constexpr hn::ScalableTag<std::uint16_t> d{};
    static constexpr hn::Repartition<std::uint32_t, decltype(d)> d32{};
    hn::Vec<decltype(d32)> photons_, lit_;
};

/// 128-bit squares: lines[f * pitch + s] of `side` frames to out[s * stride + f]. Interleaving the
/// two halves of the rows log2(side) times transposes.
template <class Out>
HWY_INLINE void transpose_square(const Out* lines, Out* out, std::int64_t stride) {
    constexpr int side = 16 / sizeof(Out);
    const hn::Full128<Out> d;
    hn::Vec<decltype(d)> rows[side], mixed[side];
    for (int f = 0; f < side; ++f)
        rows[f] = hn::LoadU(d, lines + f * pitch);
    for (int step = 1; step < side; step *= 2) {
        for (int i = 0; i < side / 2; ++i) {
            mixed[2 * i] = hn::InterleaveLower(d, rows[i], rows[i + side / 2]);
            mixed[2 * i + 1] = hn::InterleaveUpper(d, rows[i], rows[i + side / 2]);
        }
        for (int i = 0; i < side; ++i)
            rows[i] = mixed[i];
    }
    for (int s = 0; s < side; ++s)
        hn::StoreU(rows[s], d, out + s * stride);
}

/// lines[f * pitch + s], n_f frames of n_s pixels, to out[s * stride + f].
template <class Out>
HWY_INLINE void transpose_lines(
    const Out* lines, std::int64_t n_f, std::int64_t n_s, Out* out, std::int64_t stride) {
    constexpr std::int64_t side = 16 / sizeof(Out);
    for (std::int64_t s = 0; s < n_s; s += side) {
        for (std::int64_t f = 0; f < n_f; f += side) {
            if (s + side <= n_s && f + side <= n_f) {
                transpose_square(lines + f * pitch + s, out + s * stride + f, stride);
                continue;
            }
            for (std::int64_t i = s; i < std::min(s + side, n_s); ++i) {
                for (std::int64_t j = f; j < std::min(f + side, n_f); ++j)
                    out[i * stride + j] = lines[j * pitch + i];
            }
        }
    }
}

/// Notes the kept pixels of a line that hold no data.
template <class Sample>
void note_overflow(const Sample* frame,
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
    for (std::size_t at = 0; at < block * sizeof(Sample); at += 64)
        __builtin_prefetch(reinterpret_cast<const std::byte*>(line) + at);
}

/// The samples of one frame on the slots [first, first + n) of a tile; adds up what is lit. False
/// if one of them does not fit.
template <class Sample, class Out>
HWY_INLINE bool take_frame(const Sample* frame,
                           const Partition& partition,
                           std::int64_t first,
                           std::int64_t n,
                           std::int64_t piece_frame,
                           Out* line,
                           SeriesPiece& piece) {
    Sample gathered[block];
    LineCounter<Out> counter;
    for (std::int64_t s = 0; s < n; s += block) {
        const std::int64_t n_line = std::min(block, n - s);
        const std::uint32_t* pixel = partition.pixel.data() + first + s;
        ask_for(frame + pixel[0] + tile_pixels);
        const LineState state = clean_line(line_of(frame, pixel, n_line, gathered), line + s);
        if (state.too_large) return false;
        if (state.no_data) note_overflow(frame, partition, first + s, n_line, piece);
        counter.add(line + s);
    }
    const LineSums sums = counter.sums();
    piece.frame_photons[static_cast<std::size_t>(piece_frame)] += sums.photons;
    piece.counts.events += sums.lit;
    return true;
}

/// Frames by pixels in, pixels by frames out; false as soon as a sample does not fit.
template <class Sample, class Out>
bool transpose_frames(const DenseChunk& chunk,
                      const Partition& partition,
                      std::int64_t first_slot,
                      std::int64_t end_slot,
                      std::int64_t first,
                      SeriesPiece& piece) {
    const std::int64_t n_frames = piece.n_frames;
    const auto* samples = reinterpret_cast<const Sample*>(chunk.samples.data());
    auto* out = reinterpret_cast<Out*>(piece.rows.data());
    HWY_ALIGN Out lines[block * pitch];
    for (std::int64_t s0 = first_slot; s0 < end_slot; s0 += tile_pixels) {
        const std::int64_t n_slots = std::min(tile_pixels, end_slot - s0);
        for (std::int64_t f0 = 0; f0 < n_frames; f0 += block) {
            const std::int64_t n_f = std::min(block, n_frames - f0);
            for (std::int64_t f = 0; f < n_f; ++f) {
                if (!take_frame(samples + (first + f0 + f) * chunk.n_pixels,
                                partition,
                                s0,
                                n_slots,
                                f0 + f,
                                lines + f * pitch,
                                piece)) {
                    return false;
                }
            }
            transpose_lines(lines, n_f, n_slots, out + (s0 - first_slot) * n_frames + f0, n_frames);
        }
    }
    return true;
}

/// Rows of piece.sample_bytes from samples of chunk.sample_bytes; false if they do not fit.
bool transpose_rows(const DenseChunk& chunk,
                    const Partition& partition,
                    std::int64_t first_slot,
                    std::int64_t end_slot,
                    std::int64_t first,
                    SeriesPiece& piece) {
    const auto run = [&](auto sample, auto out) {
        return transpose_frames<decltype(sample), decltype(out)>(
            chunk, partition, first_slot, end_slot, first, piece);
    };
    const auto run_as = [&](auto sample) {
        using Sample = decltype(sample);
        if (piece.sample_bytes == 1) return run(sample, std::uint8_t{});
        if constexpr (sizeof(Sample) > 1) {
            if (piece.sample_bytes == 2) return run(sample, std::uint16_t{});
        }
        if constexpr (sizeof(Sample) > 2) return run(sample, std::uint32_t{});
        return false;
    };
    switch (chunk.sample_bytes) {
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

HWY_EXPORT(transpose_rows);

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

/// Rows as narrow as the samples on kept pixels allow. Most runs need a byte, so the narrowest is
/// tried first; the first sample that is too large comes early where there are such.
template <class Sample>
SeriesPiece
rows_from_frames(const DenseChunk& chunk, const Partition& partition, const SeriesRange& range) {
    std::int64_t first = 0;
    SeriesPiece piece;
    piece.n_frames = frames_wanted<Sample>(chunk, range, first);
    piece.frame_base = chunk.first_frame + first;
    if (piece.n_frames == 0) return piece;
    const TileSpan tiles = tiles_of(partition, range);
    const std::int64_t first_slot = std::int64_t{tiles.first} << tile_bits;
    const std::int64_t end_slot =
        std::min(partition.n_kept(), std::int64_t{tiles.first + tiles.n} << tile_bits);
    for (piece.sample_bytes = 1;; piece.sample_bytes *= 2) {
        piece.counts = {};
        piece.overflow_slots.clear();
        piece.frame_photons.assign(static_cast<std::size_t>(piece.n_frames), 0);
        piece.rows.resize(static_cast<std::size_t>((end_slot - first_slot) * piece.n_frames) *
                          static_cast<std::size_t>(piece.sample_bytes));
        if (HWY_DYNAMIC_DISPATCH(transpose_rows)(
                chunk, partition, first_slot, end_slot, first, piece)) {
            break;
        }
    }
    piece.counts.photons = static_cast<std::int64_t>(
        std::accumulate(piece.frame_photons.begin(), piece.frame_photons.end(), std::uint64_t{0}));
    return piece;
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
    if (chunk.n_pixels != partition.rows * partition.cols) {
        throw std::invalid_argument("dense chunk: number of pixels differs from the partition");
    }
    const auto make = [&](auto sample) {
        using Sample = decltype(sample);
        return as_events ? events_from_frames<Sample>(chunk, partition, range, scratch)
                         : rows_from_frames<Sample>(chunk, partition, range);
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
