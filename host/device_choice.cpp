// SPDX-License-Identifier: BSD-3-Clause
#include "host/device_choice.hpp"

#include "host/log.hpp"
#include "host/series_reader.hpp"

#include <fmt/format.h>

#include <chrono>
#include <exception>
#include <utility>

namespace xpcs {

namespace {

std::string cpu_text(int threads, const std::string& reason) {
    return fmt::format("cpu ({} threads{}{})",
                       threads > 0 ? threads : default_threads(),
                       reason.empty() ? "" : "; ",
                       reason);
}

Device choose(const std::string& text, int threads, const GpuProbe& found) {
    Device device = choose_device(text, found, [](int) {});
    if (device.kind == Device::Kind::cpu) {
        const bool automatic = text == "auto";
        const std::string reason = found.note.empty() ? "no GPU found" : found.note;
        device.description = cpu_text(threads, automatic ? reason : "");
    }
    return device;
}

}  // namespace

DeviceChoice::DeviceChoice(const std::string& text, int threads)
    : DeviceChoice(text, threads, gpu::probe, gpu::check_works) {}

DeviceChoice::DeviceChoice(const std::string& text,
                           int threads,
                           std::function<GpuProbe()> look,
                           std::function<void(int)> open,
                           std::function<void(int)> close)
    : text_(text), threads_(threads), close_(std::move(close)) {
    std::promise<Device> chosen;
    choosing_ = chosen.get_future();
    if (text == "cpu") {
        chosen.set_value(choose(text, threads, {}));
        return;
    }
    opening_ = std::async(
        std::launch::async,
        [text, threads, look = std::move(look), open = std::move(open)](
            std::promise<Device> promise) {
            Device device;
            try {
                device = choose(text, threads, look());
                promise.set_value(device);
            } catch (...) {
                promise.set_exception(std::current_exception());
                return;
            }
            for (const int index : device.indices)
                open(index);
        },
        std::move(chosen));
}

const Device& DeviceChoice::device() {
    if (choosing_.valid()) device_ = choosing_.get();
    return device_;
}

void DeviceChoice::wait() {
    device();
    if (!opening_.valid()) return;
    try {
        opening_.get();
    } catch (const DeviceError& error) {
        fall_back(error, "the run");
    }
}

void DeviceChoice::poll() {
    const auto known = [](const auto& future) {
        return future.valid() &&
               future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    };
    if (known(choosing_)) device();
    if (!choosing_.valid() && known(opening_)) wait();
}

void DeviceChoice::fall_back(const DeviceError& error, const std::string& what) {
    if (text_ != "auto") throw error;
    const std::string& name = device().description;
    Log::warning(fmt::format(
        "{}: {}; {} goes on on the CPU", name.substr(0, name.find(' ')), error.what(), what));
    device_ = {Device::Kind::cpu, {}, 0, cpu_text(threads_, "the GPU failed")};
}

void DeviceChoice::close() {
    if (opening_.valid() || !on_gpu()) return;
    closing_ = std::async(std::launch::async, [indices = device_.indices, close = close_] {
        for (const int index : indices)
            close(index);
    });
}

}  // namespace xpcs
