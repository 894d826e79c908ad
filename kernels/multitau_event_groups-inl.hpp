// SPDX-License-Identifier: BSD-3-Clause
// Pixels that count in few of their frames, a group of them at a time: the levels below one that
// suits all of them from pairs of events, pixel by pixel; from there up, where the blocks of every
// pixel fill, each has a lane (multitau_lanes-inl.hpp). Compiled once per instruction set.

#if defined(XPCS_MULTITAU_EVENT_GROUPS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef XPCS_MULTITAU_EVENT_GROUPS_INL
#undef XPCS_MULTITAU_EVENT_GROUPS_INL
#else
#define XPCS_MULTITAU_EVENT_GROUPS_INL
#endif

#include "kernels/multitau_job.hpp"
#include "kernels/multitau_lanes-inl.hpp"
#include "kernels/multitau_real_lanes-inl.hpp"
#include "kernels/multitau_stretch-inl.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace xpcs::HWY_NAMESPACE {

/// Pixels side by side, in the order of their slots; the events of one lie behind those of the one
/// before.
struct EventGroup {
    std::int64_t n = 0;
    std::int64_t first_slot = 0;
    PixelEvents pixel[most_lanes] = {};
    std::uint64_t total[most_lanes] = {};  ///< photons in the stretch at hand

    std::size_t n_events() const {
        std::size_t sum = 0;
        for (std::int64_t i = 0; i < n; ++i)
            sum += pixel[i].n;
        return sum;
    }
};

/// How a group is correlated: together from `level` up, but for pixels that have more than
/// `most_events`.
struct GroupPlan {
    int level = 0;
    std::size_t most_events = 0;
    std::uint64_t most_photons = 0;

    bool joins(const EventGroup& group, std::int64_t i) const {
        return group.total[i] != 0 && group.pixel[i].n <= most_events &&
               group.total[i] <= most_photons;
    }
};

/// Blocks of a group shall stay in the second cache.
constexpr std::int64_t most_group_bytes = 512 * 1024;

/// The plan follows the pixel in the middle: pairs of one with far more events would take longer
/// than an array of its own. False where the group is better, or only, done pixel by pixel.
inline bool
plan_group(const TileJob& job, const Stretch& stretch, const EventGroup& group, GroupPlan& plan) {
    const bool weighted = job.request.weights != nullptr;
    if (weighted && !stretch.taken.empty()) return false;
    std::size_t n_events[most_lanes];
    std::int64_t n = 0;
    for (std::int64_t i = 0; i < group.n; ++i) {
        if (group.total[i] != 0) n_events[n++] = group.pixel[i].n;
    }
    if (n < 2) return false;
    std::nth_element(n_events, n_events + n / 2, n_events + n);
    const std::size_t middle = n_events[n / 2];
    const LagLadder& ladder = stretch.ladder;
    plan.level = core::choose_dense_level(static_cast<std::int64_t>(middle),
                                          ladder.n_frames,
                                          ladder.n_levels,
                                          job.group_neighbours,
                                          all_pairs_in_group);
    plan.most_events = 4 * std::max<std::size_t>(middle, 8);
    plan.most_photons = weighted ? narrow_total_limit : short_total;
    const std::int64_t bytes = weighted ? HWY_MAX_BYTES : 2 * lanes_in_group();
    return plan.level < ladder.n_levels && ladder.n_blocks(plan.level) * bytes <= most_group_bytes;
}

/// Puts a pixel's counts into the blocks of its lane; returns how many photons these have.
inline std::uint64_t put_counts(const PixelEvents& pixel,
                                int level,
                                std::int64_t n_blocks,
                                std::int64_t lane,
                                std::int16_t* HWY_RESTRICT columns) {
    const std::int64_t pitch = 2 * lanes_in_group();
    std::uint64_t inside = 0;
    for (std::size_t i = 0; i < pixel.n; ++i) {
        const std::int64_t block = pixel.frame[i] >> level;
        if (block >= n_blocks) break;
        std::int16_t& count = columns[(block >> 1) * pitch + 2 * lane + (block & 1)];
        count = static_cast<std::int16_t>(count + static_cast<int>(pixel.count[i]));
        inside += pixel.count[i];
    }
    return inside;
}

/// One stretch of a group.
inline void add_group_counts(const TileJob& job,
                             std::size_t which,
                             const EventGroup& group,
                             const GroupPlan& plan,
                             TileWorker& worker,
                             PixelMeans* means) {
    const LagLadder& ladder = job.stretches[which].ladder;
    PixelScratch& scratch = worker.scratch;
    const int level = plan.level;
    const std::int64_t n_blocks = ladder.n_blocks(level);
    std::int16_t* columns = scratch.columns.of(columns_size(n_blocks));
    std::fill_n(columns, columns_size(n_blocks), std::int16_t{0});
    std::uint64_t inside[most_lanes] = {};
    for (std::int64_t i = 0; i < group.n; ++i) {
        if (plan.joins(group, i))
            inside[i] = put_counts(group.pixel[i], level, n_blocks, i, columns);
    }
    LaneSums& lanes = scratch.lanes[0];
    upper_lane_levels(columns, n_blocks, level, 1, true, ladder, lanes);
    for (std::int64_t i = 0; i < group.n; ++i) {
        const PixelEvents& pixel = group.pixel[i];
        const std::uint64_t total = group.total[i];
        if (total == 0) continue;
        const std::int64_t slot = group.first_slot + i;
        if (!plan.joins(group, i) ||
            !lower_levels(
                pixel.frame, pixel.count, pixel.n, total, level, ladder, scratch, worker.sums)) {
            add_stretch(job, which, slot, pixel, total, worker, means);
            continue;
        }
        take_lane(lanes, columns, i, level, inside[i], ladder, scratch.wide_blocks, worker.sums);
        add_sums(job, which, slot, total, worker, means);
    }
}

/// What the events of a group are worth: each pixel's values and their sum.
struct GroupValues {
    const double* value[most_lanes] = {};
    double sum[most_lanes] = {};
};

inline void weigh_events(const EventGroup& group,
                         const double* HWY_RESTRICT weight,
                         RawVector<double>& buffer,
                         GroupValues& out) {
    buffer.resize(std::max(buffer.size(), group.n_events()));
    double* value = buffer.data();
    for (std::int64_t i = 0; i < group.n; ++i) {
        const PixelEvents& pixel = group.pixel[i];
        for (std::size_t e = 0; e < pixel.n; ++e)
            value[e] = pixel.count[e] * weight[pixel.frame[e]];
        out.value[i] = value;
        out.sum[i] = sum_blocks(value, static_cast<std::int64_t>(pixel.n));
        value += pixel.n;
    }
}

/// Puts a pixel's values into the blocks of its lane.
inline void put_values(const PixelEvents& pixel,
                       const double* HWY_RESTRICT value,
                       int level,
                       std::int64_t n_blocks,
                       std::int64_t n_lanes,
                       double* HWY_RESTRICT blocks) {
    for (std::size_t i = 0; i < pixel.n; ++i) {
        const std::int64_t block = pixel.frame[i] >> level;
        if (block >= n_blocks) break;
        blocks[block * n_lanes] += value[i];
    }
}

/// The levels from plan.level up of the pixels from `first` on, of as many as a vector has lanes.
inline void upper_group_levels(const EventGroup& group,
                               const GroupPlan& plan,
                               const GroupValues& values,
                               std::int64_t first,
                               const LagLadder& ladder,
                               PixelScratch& scratch) {
    const hn::ScalableTag<double> d;
    const auto n_lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const std::int64_t n_blocks = ladder.n_blocks(plan.level);
    const std::int64_t size = (n_blocks + block_pad) * n_lanes;
    double* blocks = scratch.real_blocks.of(static_cast<std::size_t>(size));
    std::fill_n(blocks, size, 0.0);
    HWY_ALIGN double whole[most_lanes] = {};
    for (std::int64_t i = first; i < std::min(group.n, first + n_lanes); ++i) {
        if (!plan.joins(group, i)) continue;
        const std::int64_t lane = i - first;
        whole[lane] = values.sum[i];
        put_values(group.pixel[i], values.value[i], plan.level, n_blocks, n_lanes, blocks + lane);
    }
    const auto inside = lane_sum(d, blocks, 0, n_blocks);
    const auto least = hn::Mul(hn::Load(d, whole), hn::Set(d, small_part));
    WeightedLaneSums& out = scratch.weighted_lanes;
    upper_real_levels(d, blocks, n_blocks, plan.level, inside, least, ladder, 0, out);
}

/// The same with frame weights; a vector has half of the lanes.
inline void add_group_weights(const TileJob& job,
                              std::size_t which,
                              const EventGroup& group,
                              const GroupPlan& plan,
                              TileWorker& worker,
                              PixelMeans* means) {
    const auto n_lanes = static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<double>()));
    const Stretch& stretch = job.stretches[which];
    const LagLadder& ladder = stretch.ladder;
    PixelScratch& scratch = worker.scratch;
    WeightedLagSums& sums = worker.weighted_sums;
    GroupValues values;
    weigh_events(group, weights_of(job, stretch), worker.group_value, values);
    for (std::int64_t i = 0; i < group.n; ++i) {
        if (i % n_lanes == 0) upper_group_levels(group, plan, values, i, ladder, scratch);
        const PixelEvents& pixel = group.pixel[i];
        if (group.total[i] == 0) continue;
        const std::int64_t slot = group.first_slot + i;
        if (!plan.joins(group, i) || !lower_levels_weighted(pixel.frame,
                                                            values.value[i],
                                                            pixel.n,
                                                            values.sum[i],
                                                            plan.level,
                                                            ladder,
                                                            stretch.taken,
                                                            scratch,
                                                            sums)) {
            add_stretch(job, which, slot, pixel, group.total[i], worker, means);
            continue;
        }
        take_lane(scratch.weighted_lanes, i % n_lanes, plan.level, ladder.n_lags(), sums);
        add_sums(job, which, slot, group.total[i], worker, means);
    }
}

inline void add_group_stretch(const TileJob& job,
                              std::size_t which,
                              const EventGroup& group,
                              TileWorker& worker,
                              PixelMeans* means) {
    GroupPlan plan;
    if (!plan_group(job, job.stretches[which], group, plan)) {
        for (std::int64_t i = 0; i < group.n; ++i) {
            if (group.total[i] == 0) continue;
            const std::int64_t slot = group.first_slot + i;
            add_stretch(job, which, slot, group.pixel[i], group.total[i], worker, means);
        }
    } else if (job.request.weights != nullptr) {
        add_group_weights(job, which, group, plan, worker, means);
    } else {
        add_group_counts(job, which, group, plan, worker, means);
    }
}

/// The part of a group that lies in a stretch, its frames counted from there.
inline void slice_group(const EventGroup& group,
                        const Stretch& stretch,
                        RawVector<std::uint32_t>& buffer,
                        EventGroup& part) {
    buffer.resize(std::max(buffer.size(), group.n_events()));
    std::uint32_t* shifted = buffer.data();
    part.n = group.n;
    part.first_slot = group.first_slot;
    for (std::int64_t i = 0; i < group.n; ++i) {
        const PixelEvents& pixel = group.pixel[i];
        const auto at = [&](std::int64_t frame) {
            const auto* end = pixel.frame + pixel.n;
            const auto* place =
                std::lower_bound(pixel.frame, end, static_cast<std::uint32_t>(frame));
            return static_cast<std::size_t>(place - pixel.frame);
        };
        const std::size_t first = at(stretch.begin), end = at(stretch.end);
        for (std::size_t e = first; e < end; ++e)
            shifted[e - first] = pixel.frame[e] - static_cast<std::uint32_t>(stretch.begin);
        part.pixel[i] = {shifted, pixel.count + first, end - first};
        part.total[i] = sum_of(part.pixel[i].count, part.pixel[i].n);
        shifted += end - first;
    }
}

/// Photons before each of four frames.
HWY_INLINE void photons_before(const PixelEvents& events,
                               const std::uint32_t* HWY_RESTRICT end,
                               std::uint64_t* HWY_RESTRICT out) {
    const hn::ScalableTag<std::uint32_t> d;
    const auto end0 = hn::Set(d, end[0]), end1 = hn::Set(d, end[1]);
    const auto end2 = hn::Set(d, end[2]), end3 = hn::Set(d, end[3]);
    auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    std::size_t i = 0;
    for (; i + hn::Lanes(d) <= events.n; i += hn::Lanes(d)) {
        const auto t = hn::LoadU(d, events.frame + i), c = hn::LoadU(d, events.count + i);
        s0 = hn::Add(s0, hn::IfThenElseZero(hn::Lt(t, end0), c));
        s1 = hn::Add(s1, hn::IfThenElseZero(hn::Lt(t, end1), c));
        s2 = hn::Add(s2, hn::IfThenElseZero(hn::Lt(t, end2), c));
        s3 = hn::Add(s3, hn::IfThenElseZero(hn::Lt(t, end3), c));
    }
    out[0] = hn::GetLane(hn::SumOfLanes(d, s0));
    out[1] = hn::GetLane(hn::SumOfLanes(d, s1));
    out[2] = hn::GetLane(hn::SumOfLanes(d, s2));
    out[3] = hn::GetLane(hn::SumOfLanes(d, s3));
    for (; i < events.n; ++i) {
        for (int k = 0; k < 4; ++k)
            out[k] += events.frame[i] < end[k] ? events.count[i] : 0;
    }
}

/// Events of `photons` photons of one bin, in any order of time, into its slices of the SAXS
/// segments.
inline void add_segments(const MultitauRequest& request,
                         const PixelEvents& events,
                         std::uint64_t photons,
                         std::uint64_t* segments) {
    constexpr std::int64_t few_segments = 16;
    const std::int64_t length = request.segment_frames, n = request.n_segments;
    const bool fit = photons <= UINT32_MAX && (n + 4) * length <= UINT32_MAX;
    if (n > few_segments || !fit) {
        const auto width = static_cast<std::uint32_t>(std::min<std::int64_t>(length, UINT32_MAX));
        for (std::size_t i = 0; i < events.n; ++i) {
            if (const std::uint32_t k = events.frame[i] / width; k < n)
                segments[k] += events.count[i];
        }
        return;
    }
    // By counting what lies before each end: no jump depends on the data.
    std::uint64_t before = 0;
    for (std::int64_t k = 0; k < n; k += 4) {
        std::uint32_t end[4];
        std::uint64_t sum[4];
        for (int i = 0; i < 4; ++i)
            end[i] = static_cast<std::uint32_t>((k + i + 1) * length);
        photons_before(events, end, sum);
        for (std::int64_t i = 0; i < std::min<std::int64_t>(4, n - k); ++i) {
            segments[k + i] += sum[i] - before;
            before = sum[i];
        }
    }
}

/// The slices of a group: neighbours of one bin, whose events lie side by side, at once.
inline void add_segments(const TileJob& job, const EventGroup& group, TileWorker& worker) {
    const std::int64_t n = job.request.n_segments;
    if (n == 0) return;
    const std::uint32_t* bin = job.series.partition().static_bin.data() + group.first_slot;
    for (std::int64_t i = 0; i < group.n;) {
        const std::uint32_t of_bin = bin[i];
        PixelEvents events = group.pixel[i];
        std::uint64_t photons = group.total[i];
        for (++i; i < group.n && bin[i] == of_bin && photons != 0 && group.total[i] != 0; ++i) {
            events.n += group.pixel[i].n;
            photons += group.total[i];
        }
        if (photons == 0) continue;
        std::uint64_t* segments = worker.segments.data() + std::int64_t{of_bin} * n;
        add_segments(job.request, events, photons, segments);
    }
}

/// Everything of a group in the analysis frames.
inline void add_group(const TileJob& job,
                      EventGroup& group,
                      TileWorker& worker,
                      std::uint64_t* pixel_photons,
                      PixelMeans* means) {
    for (std::int64_t i = 0; i < group.n; ++i) {
        group.total[i] = 0;
        const std::int64_t slot = group.first_slot + i;
        if (is_excluded(job.request, slot)) continue;
        worker.events_used += static_cast<std::int64_t>(group.pixel[i].n);
        group.total[i] = sum_of(group.pixel[i].count, group.pixel[i].n);
        pixel_photons[slot] = group.total[i];
    }
    add_segments(job, group, worker);
    add_group_stretch(job, 0, group, worker, means);
    for (std::size_t k = 1; k < job.stretches.size(); ++k) {
        EventGroup part;
        slice_group(group, job.stretches[k], worker.shifted, part);
        for (std::int64_t i = 0; i < group.n; ++i) {
            if (group.total[i] == 0) part.total[i] = 0;
        }
        add_group_stretch(job, k, part, worker, nullptr);
    }
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
