// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/device.hpp"

#include <algorithm>
#include <charconv>

namespace xpcs {

namespace {

std::string describe(const GpuInfo& gpu) {
    return "gpu:" + std::to_string(gpu.index) + " " + gpu.name + " (" +
           std::to_string(gpu.total_bytes >> 20) + " MiB, compute capability " +
           std::to_string(gpu.major) + "." + std::to_string(gpu.minor) + ", driver for CUDA " +
           gpu.driver + ")";
}

void add_gpu(Device& device, const GpuInfo& gpu, void (*check)(int)) {
    check(gpu.index);
    device.kind = Device::Kind::gpu;
    device.memory_bytes =
        device.indices.empty() ? gpu.total_bytes : std::min(device.memory_bytes, gpu.total_bytes);
    device.indices.push_back(gpu.index);
    device.description += (device.description.empty() ? "" : ", ") + describe(gpu);
}

std::string why_none(const GpuProbe& found) {
    return found.note.empty() ? "no GPU found" : found.note;
}

Device choose_auto(const GpuProbe& found, void (*check)(int)) {
    std::string reason = why_none(found);
    for (const GpuInfo& gpu : found.gpus) {
        try {
            Device device;
            add_gpu(device, gpu, check);
            return device;
        } catch (const DeviceError& error) {
            reason = error.what();
        }
    }
    return {Device::Kind::cpu, {}, 0, "cpu (" + reason + ")"};
}

/// N of "gpu:N", -1 if the text is something else.
int number_of(const std::string& text) {
    if (text.rfind("gpu:", 0) != 0) return -1;
    int number = -1;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + 4, end, number);
    return error == std::errc{} && rest == end ? number : -1;
}

}  // namespace

Device choose_device(const std::string& text, const GpuProbe& found, void (*check)(int)) {
    if (text == "cpu") return {Device::Kind::cpu, {}, 0, "cpu"};
    if (text == "auto") return choose_auto(found, check);
    const int number = text == "gpu" ? 0 : number_of(text);
    if (number < 0 && text != "gpu:all") {
        throw std::invalid_argument("device '" + text +
                                    "': cpu, gpu:N, gpu:all or auto is expected");
    }
    if (found.gpus.empty()) {
        throw DeviceError("device " + text + ": " + why_none(found) + "; use --device cpu or auto");
    }
    Device device;
    for (const GpuInfo& gpu : found.gpus) {
        if (text == "gpu:all" || gpu.index == number) add_gpu(device, gpu, check);
    }
    if (device.indices.empty()) {
        throw DeviceError("device " + text + ": not there; this machine has gpu:0 to gpu:" +
                          std::to_string(found.gpus.back().index));
    }
    return device;
}

Device choose_device(const std::string& text) {
    // A run on the CPU never touches a driver: the look alone can cost most of a second.
    return choose_device(text, text == "cpu" ? GpuProbe{} : gpu::probe(), gpu::check_works);
}

}  // namespace xpcs
