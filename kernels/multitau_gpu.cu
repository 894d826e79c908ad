// SPDX-License-Identifier: BSD-3-Clause
// Tiles go through the device in batches: while one is correlated, the next is copied and sorted.
// Several devices take the batches in turn.
#include "kernels/device_events.hpp"
#include "kernels/device_frames.hpp"
#include "kernels/lag_sums.hpp"
#include "kernels/multitau_run_gpu.cuh"

#include <algorithm>
#include <exception>
#include <memory>
#include <stdexcept>
#include <thread>

namespace xpcs::gpu {

namespace {

/// Flat between 0.5 and 2 neighbours.
constexpr double default_neighbours = 1.5;

/// Owns a DeviceRun, whose memory is released while its device is current.
class DeviceRunOwner {
  public:
    DeviceRunOwner(const Pass& pass, int index) : index_(index) {
        const CurrentDevice current(index_);
        run_ = std::make_unique<DeviceRun>(pass);
    }
    ~DeviceRunOwner() {
        try {
            const CurrentDevice current(index_);
            run_.reset();
        } catch (const DeviceError&) {  // the device is gone, and its memory with it
        }
    }
    DeviceRunOwner(const DeviceRunOwner&) = delete;
    DeviceRunOwner& operator=(const DeviceRunOwner&) = delete;

    int index() const { return index_; }
    DeviceRun& run() const { return *run_; }

  private:
    int index_;
    std::unique_ptr<DeviceRun> run_;
};

using Runs = std::vector<std::unique_ptr<DeviceRunOwner>>;

std::size_t memory_budget(const MultitauRequest& request, const std::vector<int>& devices) {
    std::uint64_t least = UINT64_MAX;
    for (const int index : devices)
        least = std::min(least, free_bytes(index) / 10 * 9);
    if (request.device_memory_bytes > 0) least = std::min(least, request.device_memory_bytes);
    return static_cast<std::size_t>(least);
}

/// Sets the batches for a budget per device.
void plan_batches(Pass& pass, std::size_t budget) {
    const PixelSeries& series = pass.series;
    const std::size_t largest_staging = std::size_t{8} << 20, smallest_staging = 256 << 10;
    pass.staging_bytes =
        std::clamp(std::min(budget / 16, static_cast<std::size_t>(series.memory_bytes())),
                   smallest_staging,
                   largest_staging);
    const std::size_t fixed = fixed_bytes(pass);
    BatchLimits limits;
    // A sixteenth is left for the work space of the sort and for what allocation rounds up.
    limits.bytes = budget > fixed ? (budget - fixed) / 16 * 15 / pass.in_flight : 0;
    limits.bytes_per_event = series.dense() ? 0 : SeriesBuffers::bytes_per_event();
    limits.bytes_per_slot = SeriesBuffers::bytes_per_slot(pass.form, pass.request.frames.n_frames) +
                            result_bytes_per_slot(pass);
    if (pass.takes_frames()) limits.samples = SIZE_MAX;  // they are there already
    // Means wait on the host until they are handed over.
    if (pass.with_means()) limits.tiles = 64;
    pass.batches = make_batches(series, pass.request.frames.n_frames, limits);
}

/// Batches and the memory for them; smaller ones where a device has less than it promised.
Runs prepare(Pass& pass, const std::vector<int>& devices, std::size_t budget) {
    for (;;) {
        try {
            plan_batches(pass, budget);
        } catch (const DeviceOutOfMemory&) {
            if (pass.in_flight == 1) throw;
            pass.in_flight = 1;
            continue;
        }
        Runs runs;
        try {
            for (const int index : devices)
                runs.push_back(std::make_unique<DeviceRunOwner>(pass, index));
            return runs;
        } catch (const DeviceOutOfMemory&) {
            runs.clear();
            if (budget < std::size_t{1} << 20) throw;
            budget = budget / 4 * 3;
        }
    }
}

/// Every device works off its batches, in a thread of its own if there are several.
void work(const Runs& runs, std::vector<BatchResult>& results, MultitauSums& out) {
    Turnstile turnstile;
    std::vector<std::exception_ptr> failures(runs.size());
    const auto work_one = [&](std::size_t k) {
        try {
            const CurrentDevice current(runs[k]->index());
            runs[k]->run().run(k, runs.size(), turnstile, results, out.pixel_photons.data());
        } catch (...) {
            failures[k] = std::current_exception();
            turnstile.give_up();
        }
    };
    std::vector<std::thread> threads;
    for (std::size_t k = 1; k < runs.size(); ++k)
        threads.emplace_back(work_one, k);
    work_one(0);
    for (std::thread& thread : threads)
        thread.join();
    for (const std::exception_ptr& failure : failures) {
        if (failure) std::rethrow_exception(failure);
    }
}

void move_tiles(std::vector<BatchResult>& results, std::vector<BinSums>& sums) {
    for (BatchResult& batch : results) {
        for (std::size_t k = 0; k < sums.size(); ++k) {
            for (auto& tile : batch.ratios)
                sums[k].ratio_tiles.push_back(std::move(tile[k]));
            for (auto& tile : batch.weighted)
                sums[k].weighted_tiles.push_back(std::move(tile[k]));
        }
    }
}

/// Frames that are on the device stay as they are, unless several make one of the analysis, or some
/// are left out of averages with weights.
SeriesBuffers::Form form_of(const PixelSeries& series,
                            const MultitauRequest& request,
                            const std::vector<Stretch>& stretches) {
    if (!series.dense()) return SeriesBuffers::Form::events;
    const DeviceFrames* frames = series.frames_on_device();
    const FrameMap& map = request.frames;
    const bool all_there = frames != nullptr && map.average == 1 &&
                           map.begin >= series.range().begin_frame &&
                           map.end() - series.range().begin_frame <= frames->view().n_frames;
    const bool gaps = std::any_of(
        stretches.begin(), stretches.end(), [](const Stretch& s) { return !s.taken.empty(); });
    return all_there && !gaps ? SeriesBuffers::Form::frames : SeriesBuffers::Form::rows;
}

}  // namespace

MultitauSums multitau(const PixelSeries& series,
                      const MultitauRequest& request,
                      const std::vector<int>& devices) {
    if (series.is_on_device() && devices != std::vector<int>{series.device()}) {
        throw std::logic_error("photons on one GPU are correlated on that one");
    }
    MultitauSums out;
    const Partition& partition = series.partition();
    const std::vector<Stretch> stretches = make_stretches(request, out.partial_begin);
    out.pixel_photons.assign(static_cast<std::size_t>(partition.n_kept()), 0);
    out.segment_photons.assign(
        std::size_t{partition.n_static} * static_cast<std::size_t>(request.n_segments), 0);
    std::vector<BinSums> sums;
    for (const Stretch& stretch : stretches)
        sums.push_back(empty_sums(series, request, stretch));

    if (series.first_tile() < series.end_tile()) {
        Pass pass{series, request, stretches, {}, {}};
        pass.neighbours =
            request.dense_neighbours > 0 ? request.dense_neighbours : default_neighbours;
        // No more pixels than this can have counts beyond the limit.
        pass.wide_capacity = static_cast<std::size_t>(series.counts().photons) / narrow_total_limit;
        pass.form = form_of(series, request, stretches);
        const Runs runs = prepare(pass, devices, memory_budget(request, devices));
        pass.groups = group_batches(series, pass.batches);
        std::vector<BatchResult> results(pass.batches.size());
        work(runs, results, out);
        for (const auto& run : runs) {
            const CurrentDevice current(run->index());
            run->run().add_totals(sums, out);
        }
        move_tiles(results, sums);
    }
    out.whole = std::move(sums.front());
    for (std::size_t k = 1; k < sums.size(); ++k)
        out.partial.push_back(std::move(sums[k]));
    return out;
}

MultitauSums multitau(const PixelSeries& series, const MultitauRequest& request) {
    int current = 0;
    XPCS_CUDA_CHECK(cudaGetDevice(&current));
    return multitau(series, request, std::vector<int>{current});
}

}  // namespace xpcs::gpu
