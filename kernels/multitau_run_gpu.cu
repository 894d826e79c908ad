// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/multitau_run_gpu.cuh"

#include <algorithm>
#include <utility>

namespace xpcs::gpu {

bool Turnstile::wait(std::size_t index) {
    std::unique_lock lock(mutex_);
    moved_.wait(lock, [&] { return next_ == index || given_up_; });
    return !given_up_;
}

void Turnstile::advance() {
    const std::lock_guard lock(mutex_);
    ++next_;
    moved_.notify_all();
}

void Turnstile::give_up() {
    const std::lock_guard lock(mutex_);
    given_up_ = true;
    moved_.notify_all();
}

bool Turnstile::given_up() {
    const std::lock_guard lock(mutex_);
    return given_up_;
}

namespace {

/// Doubles that all stretches of one group take: ratios by dynamic bin, sums by static bin.
std::size_t packed_per_group(const Pass& pass, std::size_t arrays) {
    std::size_t n = 0;
    for (const Stretch& stretch : pass.stretches)
        n += arrays * stretch.pairs.size();
    return n;
}

}  // namespace

std::size_t result_bytes_per_slot(const Pass& pass) {
    const auto n_lags = static_cast<std::size_t>(pass.n_lags());
    // At worst every pixel is a group of its own.
    const std::size_t packed =
        packed_per_group(pass, 2) + (pass.weighted() ? packed_per_group(pass, 3) : 0);
    const std::size_t frames =
        pass.takes_frames()
            ? FrameWork::bytes_per_slot(pass.request.frames.n_frames, pass.weighted())
            : 0;
    return frames + 3 * 8 * n_lags + (pass.with_means() ? 3 * 4 * n_lags : 0) + 8 * packed + 4 * 10;
}

std::size_t fixed_bytes(const Pass& pass) {
    const Partition& partition = pass.series.partition();
    std::size_t bytes =
        Staging::n_buffers * pass.staging_bytes +
        pass.in_flight * pass.wide_capacity * 8 * static_cast<std::size_t>(pass.n_lags()) +
        8 * std::size_t{partition.n_static} * static_cast<std::size_t>(pass.request.n_segments);
    for (const Stretch& stretch : pass.stretches) {
        bytes += stretch.pairs.size() * 8 *
                 (6 * std::size_t{partition.n_static} + partition.n_dynamic + 1);
        for (const auto& level : stretch.taken)
            bytes += 4 * level.size();
    }
    if (pass.weighted()) bytes += 8 * pass.request.weights->weight.size();
    return bytes;
}

PixelGroups DeviceRun::GroupMemory::upload(const GroupTable& table, const Stream& stream) {
    begin.require(table.begin.size());
    slots.require(table.slots.size());
    bin.require(table.bin.size());
    copy_to_device(begin.data(), table.begin.data(), table.begin.size(), stream);
    copy_to_device(slots.data(), table.slots.data(), table.slots.size(), stream);
    copy_to_device(bin.data(), table.bin.data(), table.bin.size(), stream);
    return {static_cast<std::uint32_t>(table.size()), begin.data(), slots.data(), bin.data()};
}

DeviceRun::Slot::Slot(const Pass& pass, std::size_t n_slots, std::size_t n_events)
    : series(n_slots, n_events, pass.form, pass.request.frames.n_frames),
      frames(pass.takes_frames() ? FrameWork(n_slots, pass.request.frames.n_frames, pass.weighted())
                                 : FrameWork()),
      G2(n_slots * static_cast<std::size_t>(pass.n_lags())), past(G2.size()), future(G2.size()),
      G2_high(pass.wide_capacity * static_cast<std::size_t>(pass.n_lags())), wide_place(n_slots),
      list_slots(WorkLists::n_lists * n_slots), list_counters(2 * WorkLists::n_lists),
      means(pass.with_means() ? 3 * G2.size() : 0), means_host(means.size()), totals_host(n_slots) {
}

DeviceRun::DeviceRun(const Pass& pass)
    : pass_(pass), weight_(pass.weighted() ? pass.request.weights->weight.size() : 0),
      segments_(std::size_t{pass.series.partition().n_static} *
                static_cast<std::size_t>(pass.request.n_segments)),
      counts_(2), staging_(pass.staging_bytes, pass.series, stream_) {
    int device = 0;
    XPCS_CUDA_CHECK(cudaGetDevice(&device));
    XPCS_CUDA_CHECK(
        cudaDeviceGetAttribute(&n_multiprocessors_, cudaDevAttrMultiProcessorCount, device));
    if (pass.weighted()) {
        copy_to_device(
            weight_.data(), pass.request.weights->weight.data(), weight_.size(), stream_);
    }
    clear(segments_.data(), segments_.size(), stream_);
    clear(counts_.data(), counts_.size(), stream_);
    for (const Stretch& stretch : pass.stretches)
        add_stretch(stretch);
    std::size_t n_slots = 0, n_events = 0;
    for (const Batch& batch : pass.batches) {
        n_slots = std::max(n_slots, static_cast<std::size_t>(batch.n_slots));
        n_events = std::max(n_events, batch.n_events);
    }
    const std::size_t n = std::min(pass.in_flight, pass.batches.size());
    slots_.reserve(n);
    for (std::size_t i = 0; i < n; ++i)
        slots_.emplace_back(pass, n_slots, n_events);
    stream_.wait();
}

void DeviceRun::add_stretch(const Stretch& stretch) {
    const Partition& partition = pass_.series.partition();
    const auto n_lags = stretch.pairs.size();
    StretchMemory& memory = stretches_.emplace_back();
    StretchView& view = memory.view;
    view.begin = stretch.begin;
    view.n_frames = stretch.end - stretch.begin;
    view.n_levels = stretch.ladder.n_levels;
    view.n_lags = stretch.ladder.n_lags();
    view.neighbours = pass_.neighbours;
    view.weight = pass_.weighted() ? weight_.data() + stretch.begin : nullptr;
    memory.pairs = DeviceArray<double>(n_lags);
    copy_to_device(memory.pairs.data(), stretch.pairs.data(), n_lags, stream_);
    memory.bins = DeviceArray<std::uint64_t>(6 * n_lags * partition.n_static);
    clear(memory.bins.data(), memory.bins.size(), stream_);
    memory.n_signal = DeviceArray<std::uint64_t>(n_lags * partition.n_dynamic);
    clear(memory.n_signal.data(), memory.n_signal.size(), stream_);
    if (stretch.taken.empty()) return;
    std::vector<std::uint32_t> taken;
    std::vector<std::uint64_t> begin;
    for (const auto& level : stretch.taken) {
        begin.push_back(taken.size());
        taken.insert(taken.end(), level.begin(), level.end());
    }
    memory.taken = DeviceArray<std::uint32_t>(taken.size());
    memory.taken_begin = DeviceArray<std::uint64_t>(begin.size());
    copy_to_device(memory.taken.data(), taken.data(), taken.size(), stream_);
    copy_to_device(memory.taken_begin.data(), begin.data(), begin.size(), stream_);
    stream_.wait();  // the host's copies end here
    view.taken = memory.taken.data();
    view.taken_begin = memory.taken_begin.data();
}

void DeviceRun::start(Slot& slot, std::size_t index) {
    const Batch& batch = pass_.batches[index];
    const Partition& partition = pass_.series.partition();
    const auto n_slots = static_cast<std::size_t>(batch.n_slots);
    slot.batch = index;
    const BatchGroups& groups = pass_.groups[index];
    const PixelGroups by_static = slot.by_static.upload(groups.by_static, slot.stream);
    const PixelGroups by_dynamic = slot.by_dynamic.upload(groups.by_dynamic, slot.stream);
    const std::size_t n_packed = by_dynamic.n * packed_per_group(pass_, 2) +
                                 (pass_.weighted() ? by_static.n * packed_per_group(pass_, 3) : 0);
    slot.packed.require(n_packed);
    slot.packed_host.require(n_packed);

    const SeriesTallies tallies{segments_.data(),
                                counts_.data(),
                                counts_.data() + 1,
                                pass_.request.n_segments,
                                pass_.request.segment_frames};
    const SeriesView series =
        slot.series.load(pass_.series, pass_.request, batch, tallies, staging_, slot.stream);
    const PixelSums sums{slot.G2.data(),
                         slot.past.data(),
                         slot.future.data(),
                         slot.G2_high.data(),
                         slot.wide_place.data()};
    const WorkLists lists{slot.list_slots.data(), slot.list_counters.data()};
    double* out = slot.packed.data();
    for (std::size_t k = 0; k < stretches_.size(); ++k) {
        const StretchMemory& stretch = stretches_[k];
        const int n_lags = stretch.view.n_lags;
        if (pass_.takes_frames()) {
            // The first stretch is all of them.
            const bool first = k == 0;
            correlate_frames(series,
                             stretch.view,
                             slot.frames,
                             sums,
                             first ? &tallies : nullptr,
                             first ? slot.series.totals() : nullptr,
                             slot.stream);
        } else {
            correlate_pixels(series,
                             stretch.view,
                             lists,
                             sums,
                             pass_.wide_capacity,
                             n_multiprocessors_,
                             slot.stream);
        }
        sum_ratios(by_dynamic,
                   sums,
                   stretch.pairs.data(),
                   n_lags,
                   pass_.weighted(),
                   out,
                   stretch.n_signal.data(),
                   slot.stream);
        out += by_dynamic.n * 2 * stretch.pairs.size();
        if (pass_.weighted()) {
            sum_weighted(by_static, sums, n_lags, out, slot.stream);
            out += by_static.n * 3 * stretch.pairs.size();
        } else {
            add_to_bins(
                by_static, sums, n_lags, partition.n_static, stretch.bins.data(), slot.stream);
        }
        if (k == 0 && pass_.with_means()) {
            pixel_means(sums,
                        stretch.pairs.data(),
                        n_lags,
                        series.n_slots,
                        pass_.weighted(),
                        slot.means.data(),
                        slot.stream);
            copy_to_host(slot.means_host.data(),
                         slot.means.data(),
                         3 * n_slots * static_cast<std::size_t>(n_lags),
                         slot.stream);
        }
    }
    copy_to_host(slot.packed_host.data(), slot.packed.data(), n_packed, slot.stream);
    copy_to_host(slot.totals_host.data(), slot.series.totals(), n_slots, slot.stream);
}

namespace {

/// The groups of every unit with their values [arrays][n_lags]; `in` is moved on.
void unpack_units(const GroupTable& table,
                  std::size_t values_per_group,
                  const double*& in,
                  std::vector<std::vector<PackedTile>>& out) {
    for (std::size_t unit = 0; unit < table.units(); ++unit) {
        const std::uint32_t first = table.unit_begin[unit], end = table.unit_begin[unit + 1];
        const std::size_t n_values = (end - first) * values_per_group;
        out[unit].push_back({{table.bin.begin() + first, table.bin.begin() + end},
                             std::vector<double>(in, in + n_values),
                             table.bundle[unit]});
        in += n_values;
    }
}

}  // namespace

void DeviceRun::hand_over_means(const Slot& slot, const Batch& batch) {
    const auto n_lags = static_cast<std::size_t>(pass_.n_lags());
    const auto n_slots = static_cast<std::size_t>(batch.n_slots);
    PixelMeans means;
    for (std::int64_t tile = batch.first_tile; tile < batch.end_tile; ++tile) {
        means.first_slot = pass_.series.first_slot(tile);
        means.n_pixels = pass_.series.end_slot(tile) - means.first_slot;
        const auto n = static_cast<std::size_t>(means.n_pixels);
        const float* in =
            slot.means_host.data() + static_cast<std::size_t>(means.first_slot - batch.first_slot);
        for (std::vector<float>* to : {&means.G2, &means.past, &means.future}) {
            to->clear();
            for (std::size_t lag = 0; lag < n_lags; ++lag, in += n_slots)
                to->insert(to->end(), in, in + n);
        }
        pass_.request.pixel_means(means);
    }
}

void DeviceRun::finish(Slot& slot,
                       Turnstile& turnstile,
                       std::vector<BatchResult>& results,
                       std::uint64_t* pixel_photons) {
    const std::size_t index = std::exchange(slot.batch, idle);
    const Batch& batch = pass_.batches[index];
    slot.stream.wait();
    std::copy_n(slot.totals_host.data(),
                static_cast<std::size_t>(batch.n_slots),
                pixel_photons + batch.first_slot);
    BatchResult& result = results[index];
    const BatchGroups& groups = pass_.groups[index];
    result.ratios.resize(groups.by_dynamic.units());
    result.weighted.resize(pass_.weighted() ? groups.by_static.units() : 0);
    const double* in = slot.packed_host.data();
    for (const StretchMemory& stretch : stretches_) {
        unpack_units(groups.by_dynamic, 2 * stretch.pairs.size(), in, result.ratios);
        if (pass_.weighted()) {
            unpack_units(groups.by_static, 3 * stretch.pairs.size(), in, result.weighted);
        }
    }
    if (pass_.with_means()) {
        if (!turnstile.wait(index)) return;
        hand_over_means(slot, batch);
        turnstile.advance();
    }
    if (pass_.request.progress) pass_.request.progress(batch.n_slots);
}

void DeviceRun::run(std::size_t first,
                    std::size_t step,
                    Turnstile& turnstile,
                    std::vector<BatchResult>& results,
                    std::uint64_t* pixel_photons) {
    std::size_t turn = 0;
    for (std::size_t b = first; b < pass_.batches.size() && !turnstile.given_up(); b += step) {
        Slot& slot = slots_[turn++ % slots_.size()];
        if (slot.batch != idle) finish(slot, turnstile, results, pixel_photons);
        start(slot, b);
    }
    for (std::size_t i = 0; i < slots_.size() && !turnstile.given_up(); ++i) {
        Slot& slot = slots_[turn++ % slots_.size()];
        if (slot.batch != idle) finish(slot, turnstile, results, pixel_photons);
    }
}

void DeviceRun::add_totals(std::vector<BinSums>& sums, MultitauSums& out) {
    std::vector<std::uint64_t> host;
    const auto fetch = [&](const DeviceArray<std::uint64_t>& from) {
        host.resize(from.size());
        copy_to_host(host.data(), from.data(), from.size(), stream_);
        stream_.wait();
    };
    for (std::size_t k = 0; k < sums.size(); ++k) {
        fetch(stretches_[k].n_signal);
        for (std::size_t i = 0; i < host.size(); ++i)
            sums[k].n_signal[i] += static_cast<std::int64_t>(host[i]);
        fetch(stretches_[k].bins);
        std::vector<uint128>* const arrays[] = {&sums[k].G2, &sums[k].past, &sums[k].future};
        const std::size_t size = sums[k].G2.size();
        for (std::size_t a = 0; a < 3; ++a) {
            for (std::size_t i = 0; i < size; ++i) {
                const std::size_t at = 2 * (a * size + i);
                (*arrays[a])[i] += uint128{host[at + 1]} << 64 | host[at];
            }
        }
    }
    fetch(segments_);
    for (std::size_t i = 0; i < host.size(); ++i)
        out.segment_photons[i] += host[i];
    fetch(counts_);
    out.duplicates += static_cast<std::int64_t>(host[0]);
    out.events_used += static_cast<std::int64_t>(host[1]);
}

}  // namespace xpcs::gpu
