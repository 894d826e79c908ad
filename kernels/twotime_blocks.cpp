// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/twotime_blocks.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <limits>
#include <numeric>

namespace xpcs {

namespace {

/// The static bins of a dynamic bin, numbered from 0, and what their pixels hold.
struct StaticSums {
    std::vector<std::uint32_t> bin_of_pixel;  ///< [n_pixels]
    std::vector<double> n_pixels;             ///< [n_bins]
    std::vector<std::uint64_t> photons;       ///< [n_bins][T]
    std::int64_t n_bins() const { return static_cast<std::int64_t>(n_pixels.size()); }
};

StaticSums sum_static_bins(const BinEvents& events, const Partition& partition, std::size_t T) {
    StaticSums sums;
    std::vector<std::uint32_t> bins;
    for (const std::uint32_t slot : events.slot)
        bins.push_back(partition.static_bin[slot]);
    sums.bin_of_pixel = bins;
    std::sort(bins.begin(), bins.end());
    bins.erase(std::unique(bins.begin(), bins.end()), bins.end());
    sums.n_pixels.assign(bins.size(), 0);
    sums.photons.assign(bins.size() * T, 0);
    for (std::size_t p = 0; p < sums.bin_of_pixel.size(); ++p) {
        std::uint32_t& bin = sums.bin_of_pixel[p];
        bin = static_cast<std::uint32_t>(std::lower_bound(bins.begin(), bins.end(), bin) -
                                         bins.begin());
        sums.n_pixels[bin] += 1;
        std::uint64_t* of_bin = sums.photons.data() + bin * T;
        for (std::uint64_t i = events.begin[p]; i < events.begin[p + 1]; ++i)
            of_bin[events.frame[i]] += events.count[i];
    }
    return sums;
}

/// a(t, s) of one static bin; a bin without counts there has no x, so any value does.
std::vector<double>
factors_of(const StaticSums& sums, std::size_t bin, std::size_t T, TwotimeSmooth smooth) {
    const std::uint64_t* photons = sums.photons.data() + bin * T;
    std::vector<double> factor(T, 1.0);
    if (smooth == TwotimeSmooth::static_bin) {
        for (std::size_t t = 0; t < T; ++t) {
            if (photons[t] > 0) factor[t] = sums.n_pixels[bin] / static_cast<double>(photons[t]);
        }
    } else if (smooth == TwotimeSmooth::time) {
        const auto all =
            static_cast<double>(std::accumulate(photons, photons + T, std::uint64_t{0}));
        if (all > 0) {
            std::fill(
                factor.begin(), factor.end(), sums.n_pixels[bin] * static_cast<double>(T) / all);
        }
    }
    return factor;
}

/// Order of the pixels in the blocks: those of the sparse engine first, each group ascending.
std::vector<std::uint32_t>
order_pixels(const BinEvents& events, std::int64_t n_frames, double share, std::int64_t& n_sparse) {
    std::vector<std::uint32_t> order(events.slot.size());
    std::iota(order.begin(), order.end(), 0U);
    const auto middle = std::stable_partition(order.begin(), order.end(), [&](std::uint32_t p) {
        const auto n = static_cast<double>(events.begin[p + 1] - events.begin[p]);
        return n <= share * static_cast<double>(n_frames);
    });
    n_sparse = middle - order.begin();
    return order;
}

constexpr std::size_t pixels_per_task = 1024;

template <class Work>
void for_pixels(std::size_t n, const Work& work) {
    oneapi::tbb::parallel_for(
        std::size_t{0}, (n + pixels_per_task - 1) / pixels_per_task, [&](std::size_t task) {
            const std::size_t end = std::min(n, (task + 1) * pixels_per_task);
            for (std::size_t q = task * pixels_per_task; q < end; ++q)
                work(q);
        });
}

/// Ends up with begin[block][pixel] = place of the first event.
void place_events(const BinEvents& events,
                  const std::vector<std::uint32_t>& order,
                  TwotimeBlocks& out) {
    const auto row = static_cast<std::size_t>(out.n_pixels + 1);
    out.begin.assign(static_cast<std::size_t>(out.n_blocks) * row, 0);
    for_pixels(order.size(), [&](std::size_t q) {
        for (std::uint64_t i = events.begin[order[q]]; i < events.begin[order[q] + 1]; ++i)
            ++out.begin[events.frame[i] / static_cast<std::size_t>(out.side) * row + q];
    });
    std::uint64_t at = 0;
    for (std::uint64_t& entry : out.begin) {
        const std::uint64_t n = entry;
        entry = at;
        at += n;
    }
}

}  // namespace

double dense_share(TwotimeEngine engine) {
    switch (engine) {
    case TwotimeEngine::sparse:
        return std::numeric_limits<double>::infinity();
    case TwotimeEngine::dense:
        return -1;
    case TwotimeEngine::automatic:
        break;
    }
    return 0.15;  // measured with AVX-512: both take the same time there
}

TwotimeBlocks make_blocks(const BinEvents& events,
                          const Partition& partition,
                          const TwotimeRequest& request,
                          TwotimeBin& about) {
    TwotimeBlocks out;
    out.n_frames = request.frames.n_frames;
    out.side = twotime_tile_side(out.n_frames);
    out.n_blocks = (out.n_frames + out.side - 1) / out.side;
    out.n_pixels = events.n_pixels();
    const auto T = static_cast<std::size_t>(out.n_frames);
    const StaticSums sums = sum_static_bins(events, partition, T);
    const auto n_bins = static_cast<std::size_t>(sums.n_bins());

    std::vector<std::vector<double>> factor;
    out.sum.assign(T, 0.0);
    std::vector<std::uint8_t> lit(T, 0);
    for (std::size_t s = 0; s < n_bins; ++s) {
        factor.push_back(factors_of(sums, s, T, request.smooth));
        for (std::size_t t = 0; t < T; ++t) {
            const std::uint64_t photons = sums.photons[s * T + t];
            out.sum[t] += static_cast<double>(photons) * factor[s][t];
            lit[t] |= static_cast<std::uint8_t>(photons > 0);
            about.photons += static_cast<std::int64_t>(photons);
        }
    }
    about.n_pixels = out.n_pixels;
    about.n_static = sums.n_bins();
    about.empty_frames = std::count(lit.begin(), lit.end(), 0);

    const std::vector<std::uint32_t> order =
        order_pixels(events, out.n_frames, dense_share(request.engine), out.n_sparse);
    about.dense_pixels = out.n_pixels - out.n_sparse;
    place_events(events, order, out);
    out.frame.resize(static_cast<std::size_t>(events.n_events()));
    out.value.resize(static_cast<std::size_t>(events.n_events()));
    const auto row = static_cast<std::size_t>(out.n_pixels + 1);
    const auto side = static_cast<std::uint32_t>(out.side);
    for_pixels(order.size(), [&](std::size_t q) {
        const std::vector<double>& a = factor[sums.bin_of_pixel[order[q]]];
        std::size_t block = static_cast<std::size_t>(out.n_blocks);
        std::uint64_t at = 0;
        for (std::uint64_t i = events.begin[order[q]]; i < events.begin[order[q] + 1]; ++i) {
            const std::uint32_t t = events.frame[i];
            if (t / side != block) {
                block = t / side;
                at = out.begin[block * row + q];
            }
            out.frame[at] = static_cast<std::uint8_t>(t % side);
            out.value[at] = static_cast<float>(events.count[i] * a[t]);
            ++at;
        }
    });
    return out;
}

}  // namespace xpcs
