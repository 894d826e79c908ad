// SPDX-License-Identifier: BSD-3-Clause
// From what a pixel delivered, events or a row of samples, to the sums of its bins: the whole run,
// its partial stretches, the segments of the SAXS. Compiled once per instruction set.

#if defined(XPCS_MULTITAU_STRETCH_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef XPCS_MULTITAU_STRETCH_INL
#undef XPCS_MULTITAU_STRETCH_INL
#else
#define XPCS_MULTITAU_STRETCH_INL
#endif

#include "kernels/multitau_job.hpp"
#include "kernels/multitau_pixel-inl.hpp"
#include "kernels/multitau_weighted-inl.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace xpcs::HWY_NAMESPACE {

/// Pixel g2 = n G2 / (past future) into the sums of its dynamic bin, where there is signal.
inline void add_ratios(const double* HWY_RESTRICT G2,
                       const double* HWY_RESTRICT past,
                       const double* HWY_RESTRICT future,
                       const double* HWY_RESTRICT pairs,
                       std::size_t n_lags,
                       double* HWY_RESTRICT row,
                       double* HWY_RESTRICT square,
                       std::int64_t* HWY_RESTRICT n_signal) {
    const hn::ScalableTag<double> d;
    const hn::RebindToSigned<decltype(d)> d_count;
    std::size_t i = 0;
    for (; i + hn::Lanes(d) <= n_lags; i += hn::Lanes(d)) {
        const auto product = hn::Mul(hn::LoadU(d, past + i), hn::LoadU(d, future + i));
        const auto signal = hn::Gt(product, hn::Zero(d));
        const auto divisor = hn::IfThenElse(signal, product, hn::Set(d, 1.0));
        const auto quotient =
            hn::Div(hn::Mul(hn::LoadU(d, G2 + i), hn::LoadU(d, pairs + i)), divisor);
        const auto ratio = hn::IfThenElseZero(signal, quotient);
        hn::StoreU(hn::Add(hn::LoadU(d, row + i), ratio), d, row + i);
        hn::StoreU(hn::Add(hn::LoadU(d, square + i), hn::Mul(ratio, ratio)), d, square + i);
        const auto minus_one = hn::BitCast(d_count, hn::VecFromMask(d, signal));
        hn::StoreU(hn::Sub(hn::LoadU(d_count, n_signal + i), minus_one), d_count, n_signal + i);
    }
    for (; i < n_lags; ++i) {
        const double product = past[i] * future[i];
        const bool signal = product > 0;
        const double ratio = signal ? G2[i] * pairs[i] / (signal ? product : 1.0) : 0.0;
        row[i] += ratio;
        square[i] += ratio * ratio;
        n_signal[i] += signal;
    }
}

inline void store_means(const Stretch& stretch,
                        const double* G2,
                        const double* past,
                        const double* future,
                        std::int64_t pixel,
                        PixelMeans& means) {
    for (int i = 0; i < stretch.ladder.n_lags(); ++i) {
        const double scale =
            1.0 / static_cast<double>(std::int64_t{1} << stretch.ladder.lags[i].level);
        const double per_pair = stretch.pairs[i] > 0 ? scale / stretch.pairs[i] : 0.0;
        const std::size_t at = static_cast<std::size_t>(i * means.n_pixels + pixel);
        means.G2[at] = static_cast<float>(G2[i] * per_pair * scale);
        means.past[at] = static_cast<float>(past[i] * per_pair);
        means.future[at] = static_cast<float>(future[i] * per_pair);
    }
}

/// What one pixel delivered: its events, ascending in time, or a sample of every frame.
struct PixelEvents {
    const std::uint32_t* frame;
    const std::uint32_t* count;
    std::size_t n;
};
template <class Sample>
struct PixelRow {
    const Sample* sample;
    std::size_t n;
};

template <class T>
HWY_INLINE std::uint64_t sum_of(const T* count, std::size_t n) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < n; ++i)
        sum += count[i];
    return sum;
}
HWY_INLINE std::uint64_t sum_of(const std::uint8_t* count, std::size_t n) {
    const hn::ScalableTag<std::uint8_t> d;
    const hn::Repartition<std::uint64_t, decltype(d)> d64;
    auto sums = hn::Zero(d64);
    std::size_t i = 0;
    for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d))
        sums = hn::Add(sums, hn::SumsOf8(hn::LoadU(d, count + i)));
    std::uint64_t sum = hn::GetLane(hn::SumOfLanes(d64, sums));
    for (; i < n; ++i)
        sum += count[i];
    return sum;
}

inline void correlate_counts(const TileJob& job,
                             const Stretch& stretch,
                             const PixelEvents& pixel,
                             std::uint64_t total,
                             TileWorker& worker) {
    correlate_events(pixel.frame,
                     pixel.count,
                     pixel.n,
                     total,
                     stretch.ladder,
                     job.neighbours,
                     worker.scratch,
                     worker.sums);
}
template <class Sample>
inline void correlate_counts(const TileJob&,
                             const Stretch& stretch,
                             const PixelRow<Sample>& pixel,
                             std::uint64_t total,
                             TileWorker& worker) {
    correlate_row(pixel.sample, total, stretch.ladder, worker.scratch, worker.sums);
}

/// The pixel's sums of one stretch as doubles.
struct PixelSums {
    double G2[max_lags], past[max_lags], future[max_lags];
};

/// Whole numbers below 2^52, which vectors without such a conversion turn into doubles like this.
inline double small_as_double(std::uint64_t x) {
    return std::bit_cast<double>(x | 0x4330000000000000U) - 4503599627370496.0;
}

inline void counts_as_doubles(const LagSums& sums,
                              std::uint64_t total,
                              const LagLadder& ladder,
                              PixelSums& out) {
    const auto n_lags = static_cast<std::size_t>(ladder.n_lags());
    std::uint64_t past[max_lags], future[max_lags];
    std::uint64_t inside[max_lags];
    for (int level = 0; level < ladder.n_levels; ++level)
        std::fill_n(inside + core::first_lag(level), level == 0 ? 8 : 4, sums.total[level]);
    for (std::size_t i = 0; i < n_lags; ++i) {
        past[i] = inside[i] - sums.tail[i];
        future[i] = inside[i] - sums.head[i];
    }
    // No sum exceeds total^2.
    if (total < std::uint64_t{1} << 26) {
        for (std::size_t i = 0; i < n_lags; ++i) {
            out.G2[i] = small_as_double(sums.G2[i]);
            out.past[i] = small_as_double(past[i]);
            out.future[i] = small_as_double(future[i]);
        }
        return;
    }
    for (std::size_t i = 0; i < n_lags; ++i) {
        out.G2[i] = static_cast<double>(sums.G2_full(static_cast<int>(i)));
        out.past[i] = static_cast<double>(past[i]);
        out.future[i] = static_cast<double>(future[i]);
    }
}

inline void correlate_weights(const TileJob& job,
                              const Stretch& stretch,
                              const PixelEvents& pixel,
                              const double* weight,
                              TileWorker& worker) {
    RawVector<double>& value = worker.value;
    value.resize(std::max(value.size(), pixel.n));
    for (std::size_t i = 0; i < pixel.n; ++i)
        value[i] = pixel.count[i] * weight[pixel.frame[i]];
    correlate_events_weighted(pixel.frame,
                              value.data(),
                              pixel.n,
                              stretch.ladder,
                              job.neighbours,
                              stretch.taken,
                              worker.scratch,
                              worker.weighted_sums);
}
template <class Sample>
inline void correlate_weights(const TileJob&,
                              const Stretch& stretch,
                              const PixelRow<Sample>& pixel,
                              const double* weight,
                              TileWorker& worker) {
    correlate_row_weighted(
        pixel.sample, weight, stretch.ladder, stretch.taken, worker.scratch, worker.weighted_sums);
}

inline const double* weights_of(const TileJob& job, const Stretch& stretch) {
    return job.request.weights->weight.data() + stretch.begin;
}

/// Weighted sums of a pixel, added to its static bin.
inline void add_weighted(
    const TileJob& job, std::size_t which, std::uint32_t bin, TileWorker& worker, PixelSums& out) {
    const auto n_lags = static_cast<std::size_t>(job.stretches[which].ladder.n_lags());
    std::copy_n(worker.weighted_sums.G2, n_lags, out.G2);
    std::copy_n(worker.weighted_sums.past, n_lags, out.past);
    std::copy_n(worker.weighted_sums.future, n_lags, out.future);
    double* row = worker.weighted[which].row(bin);
    for (std::size_t i = 0; i < n_lags; ++i)
        row[i] += out.G2[i];
    for (std::size_t i = 0; i < n_lags; ++i)
        row[n_lags + i] += out.past[i];
    for (std::size_t i = 0; i < n_lags; ++i)
        row[2 * n_lags + i] += out.future[i];
}

/// Adds the sums of one stretch of one pixel, which the worker holds, to those of its bins.
inline void add_sums(const TileJob& job,
                     std::size_t which,
                     std::int64_t slot,
                     std::uint64_t total,
                     TileWorker& worker,
                     PixelMeans* means) {
    const Stretch& stretch = job.stretches[which];
    const Partition& partition = job.series.partition();
    const std::uint32_t bin = partition.static_bin[static_cast<std::size_t>(slot)];
    const std::uint32_t dynamic = partition.dynamic_of_static[bin];
    PixelSums sums;  // filled below, once per pixel. NOLINT(cppcoreguidelines-pro-type-member-init)
    if (job.request.weights == nullptr) {
        worker.counts[which].add(bin, worker.sums, total);
        counts_as_doubles(worker.sums, total, stretch.ladder, sums);
    } else {
        add_weighted(job, which, bin, worker, sums);
    }
    const auto n_lags = static_cast<std::size_t>(stretch.ladder.n_lags());
    double* ratios = worker.ratios[which].row(dynamic);
    add_ratios(sums.G2,
               sums.past,
               sums.future,
               stretch.pairs.data(),
               n_lags,
               ratios,
               ratios + n_lags,
               worker.counts[which].n_signal(dynamic));
    if (means != nullptr) {
        store_means(stretch, sums.G2, sums.past, sums.future, slot - means->first_slot, *means);
    }
}

/// One stretch of one pixel.
template <class Pixel>
inline void add_stretch(const TileJob& job,
                        std::size_t which,
                        std::int64_t slot,
                        const Pixel& pixel,
                        std::uint64_t total,
                        TileWorker& worker,
                        PixelMeans* means) {
    const Stretch& stretch = job.stretches[which];
    if (job.request.weights == nullptr) {
        correlate_counts(job, stretch, pixel, total, worker);
    } else {
        correlate_weights(job, stretch, pixel, weights_of(job, stretch), worker);
    }
    add_sums(job, which, slot, total, worker, means);
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
