// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/device.hpp"

#include "kernels/cuda_support.cuh"

#include <chrono>
#include <cstring>

namespace xpcs::gpu {

namespace {

constexpr std::uint32_t answer = 0x58504353U;

__global__ void answer_kernel(std::uint32_t* out) {
    *out = answer;
}

std::string version_text(int version) {
    return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

const char* file_name(const char* path) {
    const char* slash = std::strrchr(path, '/');
    return slash == nullptr ? path : slash + 1;
}

GpuInfo info_of(int index, int driver) {
    GpuInfo info;
    cudaDeviceProp properties{};
    XPCS_CUDA_CHECK(cudaGetDeviceProperties(&properties, index));
    info.index = index;
    info.name = properties.name;
    info.total_bytes = properties.totalGlobalMem;
    info.major = properties.major;
    info.minor = properties.minor;
    info.driver = version_text(driver);
    return info;
}

/// What a status of the runtime means to a user; empty where its own text says it.
std::string advice(cudaError_t status) {
    int driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    switch (status) {
    case cudaErrorInsufficientDriver:
        if (driver == 0) return "no NVIDIA driver is installed";
        return "the driver supports CUDA " + version_text(driver) + ", this program needs " +
               version_text(runtime) + " or newer";
    case cudaErrorUnsupportedPtxVersion:
        return "the driver (CUDA " + version_text(driver) +
               ") is too old for the code of this program (CUDA " + version_text(runtime) + ")";
    case cudaErrorNoKernelImageForDevice:
        return "this program has no code for a GPU this old; compute capability 8.0 or newer";
    case cudaErrorDevicesUnavailable:
        return "the GPU is busy or in exclusive use by another program";
    case cudaErrorNoDevice:
        return "no GPU found";
    default:
        return {};
    }
}

}  // namespace

void check_status(cudaError_t status, const char* expression, const char* file, int line) {
    if (status == cudaSuccess) return;
    cudaGetLastError();  // an error that is not sticky must not reappear in the next call
    const std::string hint = advice(status);
    const std::string message = std::string("CUDA: ") + cudaGetErrorString(status) + " (" +
                                cudaGetErrorName(status) + ")" + (hint.empty() ? "" : "; ") + hint +
                                "; in " + expression + ", " + file_name(file) + ":" +
                                std::to_string(line);
    if (status == cudaErrorMemoryAllocation) throw DeviceOutOfMemory(message);
    throw DeviceError(message);
}

void report_status(cudaError_t status, const char* expression) noexcept {
    if (status == cudaSuccess || status == cudaErrorCudartUnloading) return;
    std::fprintf(stderr, "CUDA: %s in %s\n", cudaGetErrorString(status), expression);
}

GpuProbe probe() noexcept {
    try {
        GpuProbe found;
        int n = 0, driver = 0;
        const cudaError_t status = cudaGetDeviceCount(&n);
        if (status != cudaSuccess) {
            cudaGetLastError();
            const std::string hint = advice(status);
            found.note = hint.empty() ? std::string("no GPU: ") + cudaGetErrorString(status) : hint;
            return found;
        }
        cudaDriverGetVersion(&driver);
        for (int index = 0; index < n; ++index) {
            try {
                found.gpus.push_back(info_of(index, driver));
            } catch (const DeviceError& error) {
                found.note = error.what();  // this one cannot be used; others may
            }
        }
        return found;
    } catch (const std::exception& error) {
        GpuProbe none;
        try {
            none.note = error.what();
        } catch (...) {
            none.note.clear();
        }
        return none;
    }
}

std::uint64_t free_bytes(int index) {
    int before = 0;
    std::size_t free = 0, total = 0;
    XPCS_CUDA_CHECK(cudaGetDevice(&before));
    XPCS_CUDA_CHECK(cudaSetDevice(index));
    XPCS_CUDA_CHECK(cudaMemGetInfo(&free, &total));
    XPCS_CUDA_CHECK(cudaSetDevice(before));
    return free;
}

void check_works(int index) {
    int before = 0;
    try {
        XPCS_CUDA_CHECK(cudaGetDevice(&before));
        XPCS_CUDA_CHECK(cudaSetDevice(index));
        {
            const Stream stream;
            const DeviceArray<std::uint32_t> out(1);
            clear(out.data(), 1, stream);
            launch(answer_kernel, 1, 1, 0, stream, out.data());
            std::uint32_t got = 0;
            copy_to_host(&got, out.data(), 1, stream);
            stream.wait();
            if (got != answer) {
                throw DeviceError("a test kernel gave a wrong answer; the GPU is broken");
            }
        }
        XPCS_CUDA_CHECK(cudaSetDevice(before));
    } catch (const DeviceError& error) {
        cudaSetDevice(before);
        cudaGetLastError();
        throw DeviceError("GPU " + std::to_string(index) + ": " + error.what());
    }
}

void close(int index) noexcept {
    // A device that failed cannot be closed either; what failed was said when it did.
    if (cudaSetDevice(index) == cudaSuccess) cudaDeviceReset();
    cudaGetLastError();
}

namespace {

/// Fastest of five, in seconds, after one to warm up.
template <class Work>
double fastest(const Stream& stream, const Work& work) {
    double best = 0;
    for (int repeat = 0; repeat < 6; ++repeat) {
        const auto start = std::chrono::steady_clock::now();
        work();
        stream.wait();
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
        if (repeat == 1 || (repeat > 1 && taken.count() < best)) best = taken.count();
    }
    return best;
}

}  // namespace

CopyRates measure_copies(int index) {
    int before = 0;
    XPCS_CUDA_CHECK(cudaGetDevice(&before));
    XPCS_CUDA_CHECK(cudaSetDevice(index));
    CopyRates rates;
    {
        constexpr std::size_t bytes = std::size_t{256} << 20;
        const DeviceArray<unsigned char> from(bytes), to(bytes);
        const PinnedArray<unsigned char> host(bytes);
        std::memset(host.data(), 1, bytes);
        const Stream stream;
        clear(from.data(), bytes, stream);
        const auto n = static_cast<double>(bytes);
        rates.device_bytes_per_s =
            2 * n / fastest(stream, [&] {
                XPCS_CUDA_CHECK(cudaMemcpyAsync(
                    to.data(), from.data(), bytes, cudaMemcpyDeviceToDevice, stream.get()));
            });
        rates.to_device_bytes_per_s =
            n / fastest(stream, [&] { copy_to_device(to.data(), host.data(), bytes, stream); });
    }
    XPCS_CUDA_CHECK(cudaSetDevice(before));
    return rates;
}

}  // namespace xpcs::gpu
