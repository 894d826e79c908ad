// SPDX-License-Identifier: BSD-3-Clause
// Linked instead of the .cu files when the build has no CUDA.
#include "kernels/device.hpp"
#include "kernels/device_events.hpp"
#include "kernels/device_frames.hpp"
#include "kernels/multitau.hpp"
#include "kernels/twotime.hpp"

namespace xpcs::gpu {

namespace {
constexpr const char* absent = "this program was built without CUDA";
}

GpuProbe probe() noexcept {
    try {
        return {{}, absent};
    } catch (...) {
        return {};
    }
}

std::uint64_t free_bytes(int index) {
    throw DeviceError("GPU " + std::to_string(index) + ": " + absent);
}

void check_works(int index) {
    throw DeviceError("GPU " + std::to_string(index) + ": " + absent);
}

void close(int) noexcept {}

CopyRates measure_copies(int index) {
    throw DeviceError("GPU " + std::to_string(index) + ": " + absent);
}

MultitauSums multitau(const PixelSeries&, const MultitauRequest&) {
    throw DeviceError(absent);
}

MultitauSums multitau(const PixelSeries&, const MultitauRequest&, const std::vector<int>&) {
    throw DeviceError(absent);
}

struct TwotimeMaps::Memory {};

TwotimeMaps::TwotimeMaps(int) {
    throw DeviceError(absent);
}

TwotimeMaps::~TwotimeMaps() = default;

TwotimeBin TwotimeMaps::correlate(const PixelSeries&, std::uint32_t, const TwotimeRequest&) {
    throw DeviceError(absent);
}

struct Upload::Memory {};

Upload::Upload() = default;
Upload::~Upload() = default;
void Upload::set_memory(const void*, std::size_t) {}
void Upload::wait() {}

struct DeviceEvents::Memory {
    std::vector<std::uint32_t> begin;
    WordCounts words;
    SeriesCounts counts;
    FramePhotons photons;
};

// None is ever made, so nothing below is ever called.
DeviceEvents::DeviceEvents(const Partition&, const SeriesRange&, std::size_t, int) {
    throw DeviceError(absent);
}
DeviceEvents::~DeviceEvents() = default;
int DeviceEvents::device() const {
    return 0;
}
void DeviceEvents::add(const std::uint64_t*, std::size_t, WordBlock, Upload&) {}
void DeviceEvents::add(const EventChunk&) {}
void DeviceEvents::finish() {}
const WordCounts& DeviceEvents::word_counts() const {
    return memory_->words;
}
const SeriesCounts& DeviceEvents::counts() const {
    return memory_->counts;
}
std::int64_t DeviceEvents::last_frame() const {
    return -1;
}
const FramePhotons& DeviceEvents::frame_photons() const {
    return memory_->photons;
}
const std::vector<std::uint32_t>& DeviceEvents::begin() const {
    return memory_->begin;
}
void DeviceEvents::add_pixel_photons(const FrameMap&, std::vector<std::uint64_t>&) const {}
std::vector<std::uint64_t> DeviceEvents::photons_on(const std::vector<std::uint8_t>&) const {
    return {};
}
EventsView DeviceEvents::view() const {
    return {};
}

struct DeviceFrames::Memory {
    SeriesCounts counts;
    FramePhotons photons;
    std::vector<std::uint8_t> overflow;
};

std::uint64_t device_frames_bytes(std::int64_t, std::int64_t, int) {
    return 0;
}
DeviceFrames::DeviceFrames(const Partition&, const SeriesRange&, int, std::int64_t, int) {
    throw DeviceError(absent);
}
DeviceFrames::~DeviceFrames() = default;
int DeviceFrames::device() const {
    return 0;
}
void DeviceFrames::add(const DenseChunk&, Upload&) {}
void DeviceFrames::finish() {}
const SeriesCounts& DeviceFrames::counts() const {
    return memory_->counts;
}
std::int64_t DeviceFrames::last_frame() const {
    return -1;
}
const FramePhotons& DeviceFrames::frame_photons() const {
    return memory_->photons;
}
const std::vector<std::uint8_t>& DeviceFrames::overflow() const {
    return memory_->overflow;
}
std::uint32_t DeviceFrames::largest_sample() const {
    return 0;
}
void DeviceFrames::add_pixel_photons(const FrameMap&, std::vector<std::uint64_t>&) const {}
std::vector<std::uint64_t> DeviceFrames::photons_on(const std::vector<std::uint8_t>&,
                                                    std::int64_t&) const {
    return {};
}
std::int64_t DeviceFrames::n_lit_left_out(const FrameMap&, const std::vector<std::uint8_t>&) const {
    return 0;
}
FramesView DeviceFrames::view() const {
    return {};
}
}  // namespace xpcs::gpu
