// SPDX-License-Identifier: BSD-3-Clause
// Which devices there are, and which one a run uses.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace xpcs {

/// A device that was asked for is absent, unusable or failed.
class DeviceError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// The device has too little memory; a smaller piece of work, or the CPU, may still do.
class DeviceOutOfMemory : public DeviceError {
  public:
    using DeviceError::DeviceError;
};

struct GpuInfo {
    int index = 0;  ///< CUDA's number, after CUDA_VISIBLE_DEVICES
    std::string name;
    std::uint64_t total_bytes = 0;
    int major = 0, minor = 0;  ///< compute capability
    std::string driver;        ///< newest CUDA version of the driver, e.g. "12.4"
};

/// What a look for GPUs found. `note` says why there is none, or none that can be used.
struct GpuProbe {
    std::vector<GpuInfo> gpus;
    std::string note;
};

namespace gpu {
/// Never throws and never prints: any error means no GPU.
GpuProbe probe() noexcept;
/// Free memory of a GPU. Opens it, which takes a good part of a second; probe() does not.
std::uint64_t free_bytes(int index);
/// Runs a kernel of one thread and looks at its answer. Throws DeviceError naming the GPU and the
/// reason (driver too old, no code for its architecture, device broken or in use).
void check_works(int index);

/// Gives back what this process holds on a GPU, which takes a twentieth of a second there and twice
/// that when the process ends. No memory, stream or event of ours may be left. Never throws.
void close(int index) noexcept;

/// What the device can move at best; fastest of five.
struct CopyRates {
    double device_bytes_per_s = 0;     ///< device to device, bytes read and written
    double to_device_bytes_per_s = 0;  ///< from page-locked host memory
};
CopyRates measure_copies(int index);
}  // namespace gpu

struct Device {
    enum class Kind { cpu, gpu };
    Kind kind = Kind::cpu;
    std::vector<int> indices;        ///< of the GPUs, empty for the CPU
    std::uint64_t memory_bytes = 0;  ///< of the smallest of the GPUs
    std::string
        description;  ///< for logs: "cpu", or "gpu:N" with name, memory, compute capability, driver
};

/// `text` is cpu, gpu (the first), gpu:N, gpu:all or auto (the first GPU that works, else the CPU;
/// `description` then says why). Throws std::invalid_argument for other texts, DeviceError if a GPU
/// that was asked for is absent or does not work.
Device choose_device(const std::string& text);

/// The same from given findings; `check` is called for every GPU to be used. For tests.
Device choose_device(const std::string& text, const GpuProbe& found, void (*check)(int index));

}  // namespace xpcs
