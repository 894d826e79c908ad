// SPDX-License-Identifier: BSD-3-Clause
// The device of a run. Looking for GPUs takes a tenth of a second and opening one takes longer:
// both happen while the q-map is loaded and the file is read. `auto` goes on with the CPU where a
// GPU fails; a GPU asked for by name never does.
#pragma once

#include "kernels/device.hpp"

#include <functional>
#include <future>
#include <string>

namespace xpcs {

class DeviceChoice {
  public:
    /// `text` as choose_device() has it. Begins to look for the device, and then to open it; a run
    /// on the CPU never touches a driver.
    DeviceChoice(const std::string& text, int threads);
    /// The same with other ways to look, to open and to close. For tests.
    DeviceChoice(const std::string& text,
                 int threads,
                 std::function<GpuProbe()> look,
                 std::function<void(int)> open,
                 std::function<void(int)> close = gpu::close);

    /// Waits until it is known which device it will be. Throws DeviceError if a GPU that was asked
    /// for is absent, std::invalid_argument for text that is no device.
    const Device& device();
    bool on_gpu() { return device().kind == Device::Kind::gpu; }
    const std::string& description() { return device().description; }

    /// Waits until the device is open. Throws DeviceError if it does not work; `auto` takes the CPU
    /// instead and says so.
    void wait();

    /// What was asked for: "gpu:0", "auto", ...; known at once.
    const std::string& text() const { return text_; }

    /// As wait(), as far as it is known by now; does not wait. For the time while the file is read.
    void poll();

    /// After `error` on the GPU: the CPU from now on, with a warning, if the choice was `auto`;
    /// otherwise throws `error` again. `what` names the work that goes on.
    void fall_back(const DeviceError& error, const std::string& what);

    /// The program needs no GPU any more: what closing one takes goes by beside the rest.
    void close();

  private:
    std::string text_;
    int threads_;
    Device device_;
    std::function<void(int)> close_;
    std::future<Device> choosing_;
    std::future<void> opening_, closing_;
};

}  // namespace xpcs
