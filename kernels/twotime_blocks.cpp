// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/twotime_blocks.hpp"

#include "kernels/twotime_factors.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

namespace xpcs {

namespace {

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
    TwotimeFactors factors = make_factors(events, partition, out.n_frames, request.smooth, about);
    out.sum = std::move(factors.sum);

    const std::vector<std::uint32_t> order =
        order_pixels(events, out.n_frames, dense_share(request.engine), out.n_sparse);
    about.dense_pixels = out.n_pixels - out.n_sparse;
    place_events(events, order, out);
    out.frame.resize(static_cast<std::size_t>(events.n_events()));
    out.value.resize(static_cast<std::size_t>(events.n_events()));
    const auto row = static_cast<std::size_t>(out.n_pixels + 1);
    const auto side = static_cast<std::uint32_t>(out.side);
    for_pixels(order.size(), [&](std::size_t q) {
        const std::vector<double>& a = factors.factor[factors.bin_of_pixel[order[q]]];
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
