// SPDX-License-Identifier: BSD-3-Clause
// Linked instead of the .cu files when the build has no CUDA.
#include "kernels/device.hpp"
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

}  // namespace xpcs::gpu
