// SPDX-License-Identifier: BSD-3-Clause
// The only way to the CUDA runtime: one check, one launch, owners that close themselves. Internal
// to the .cu files.
#pragma once

#include "kernels/device.hpp"
#include "kernels/hd.hpp"

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

namespace xpcs::gpu {

/// Throws DeviceOutOfMemory or DeviceError unless `status` is cudaSuccess.
void check_status(cudaError_t status, const char* expression, const char* file, int line);

/// For destructors: tells stderr instead of throwing.
void report_status(cudaError_t status, const char* expression) noexcept;

#define XPCS_CUDA_CHECK(expression)                                                                \
    ::xpcs::gpu::check_status((expression), #expression, __FILE__, __LINE__)

/// A stream of work on the device that was current when it was made. Its end waits for the work,
/// because buffers that the work still uses are released after it.
class Stream {
  public:
    Stream() { XPCS_CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
    ~Stream() {
        if (stream_ == nullptr) return;
        report_status(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
        report_status(cudaStreamDestroy(stream_), "cudaStreamDestroy");
    }
    Stream(Stream&& other) noexcept : stream_(std::exchange(other.stream_, nullptr)) {}
    Stream& operator=(Stream&&) = delete;
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    cudaStream_t get() const { return stream_; }
    void wait() const { XPCS_CUDA_CHECK(cudaStreamSynchronize(stream_)); }

  private:
    cudaStream_t stream_ = nullptr;
};

/// A mark in a stream that the host can wait for.
class Event {
  public:
    Event() { XPCS_CUDA_CHECK(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming)); }
    ~Event() {
        if (event_ != nullptr) report_status(cudaEventDestroy(event_), "cudaEventDestroy");
    }
    Event(Event&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
    Event& operator=(Event&&) = delete;
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    void record(const Stream& stream) { XPCS_CUDA_CHECK(cudaEventRecord(event_, stream.get())); }
    void wait() const { XPCS_CUDA_CHECK(cudaEventSynchronize(event_)); }

  private:
    cudaEvent_t event_ = nullptr;
};

/// Makes a device current, and the one before it again at the end.
class CurrentDevice {
  public:
    explicit CurrentDevice(int index) {
        XPCS_CUDA_CHECK(cudaGetDevice(&before_));
        XPCS_CUDA_CHECK(cudaSetDevice(index));
    }
    ~CurrentDevice() { report_status(cudaSetDevice(before_), "cudaSetDevice"); }
    CurrentDevice(const CurrentDevice&) = delete;
    CurrentDevice& operator=(const CurrentDevice&) = delete;

  private:
    int before_ = 0;
};

enum class Memory { device, pinned };

/// Uninitialised memory of the current device, or page-locked memory of the host.
template <class T, Memory place>
class CudaArray {
  public:
    CudaArray() = default;
    explicit CudaArray(std::size_t n) : size_(n) {
        if (n == 0) return;
        void* memory = nullptr;
        if constexpr (place == Memory::device) {
            XPCS_CUDA_CHECK(cudaMalloc(&memory, n * sizeof(T)));
        } else {
            XPCS_CUDA_CHECK(cudaMallocHost(&memory, n * sizeof(T)));
        }
        data_ = static_cast<T*>(memory);
    }
    ~CudaArray() { release(); }
    CudaArray(CudaArray&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    CudaArray& operator=(CudaArray&& other) noexcept {
        if (this != &other) {
            release();
            data_ = std::exchange(other.data_, nullptr);
            size_ = std::exchange(other.size_, 0);
        }
        return *this;
    }
    CudaArray(const CudaArray&) = delete;
    CudaArray& operator=(const CudaArray&) = delete;

    T* data() const { return data_; }
    std::size_t size() const { return size_; }

    /// Room for n elements; what was there is lost.
    void require(std::size_t n) {
        if (n <= size_) return;
        release();
        *this = CudaArray(n);
    }

  private:
    void release() noexcept {
        if (data_ == nullptr) return;
        if constexpr (place == Memory::device) {
            report_status(cudaFree(data_), "cudaFree");
        } else {
            report_status(cudaFreeHost(data_), "cudaFreeHost");
        }
        data_ = nullptr;
        size_ = 0;
    }
    T* data_ = nullptr;
    std::size_t size_ = 0;
};

template <class T>
using DeviceArray = CudaArray<T, Memory::device>;
template <class T>
using PinnedArray = CudaArray<T, Memory::pinned>;

template <class T>
void copy_to_device(T* to, const T* from, std::size_t n, const Stream& stream) {
    if (n == 0) return;
    XPCS_CUDA_CHECK(cudaMemcpyAsync(to, from, n * sizeof(T), cudaMemcpyHostToDevice, stream.get()));
}
template <class T>
void copy_to_host(T* to, const T* from, std::size_t n, const Stream& stream) {
    if (n == 0) return;
    XPCS_CUDA_CHECK(cudaMemcpyAsync(to, from, n * sizeof(T), cudaMemcpyDeviceToHost, stream.get()));
}
template <class T>
void clear(T* at, std::size_t n, const Stream& stream) {
    if (n == 0) return;
    XPCS_CUDA_CHECK(cudaMemsetAsync(at, 0, n * sizeof(T), stream.get()));
}

/// Every kernel starts here. Nothing happens for a grid without blocks.
template <class... Params, class... Args>
void launch(void (*kernel)(Params...),
            std::size_t n_blocks,
            unsigned block_size,
            std::size_t shared_bytes,
            const Stream& stream,
            Args&&... args) {
    if (n_blocks == 0) return;
    if (n_blocks > 0x7FFFFFFFU) throw DeviceError("a kernel of more than 2^31 blocks");
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(static_cast<unsigned>(n_blocks));
    config.blockDim = dim3(block_size);
    config.dynamicSmemBytes = shared_bytes;
    config.stream = stream.get();
    XPCS_CUDA_CHECK(cudaLaunchKernelEx(&config, kernel, std::forward<Args>(args)...));
}

/// Blocks of `block_size` threads for n items.
inline std::size_t blocks_for(std::size_t n, unsigned block_size) {
    return (n + block_size - 1) / block_size;
}

#if defined(__CUDACC__)

constexpr unsigned all_lanes = 0xFFFFFFFFU;
constexpr int warp_lanes = 32;

/// The dynamic shared memory of the block.
__device__ inline unsigned char* shared_pool() {
    extern __shared__ __align__(16) unsigned char xpcs_shared_pool[];
    return xpcs_shared_pool;
}

__device__ inline std::size_t thread_index() {
    return std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
}

// CUDA declares its 64-bit atomics for unsigned long long alone, which std::uint64_t is not here.
__device__ inline std::uint64_t add_atomic(std::uint64_t* to, std::uint64_t value) {
    static_assert(sizeof(unsigned long long) == sizeof(std::uint64_t));
    return atomicAdd(reinterpret_cast<unsigned long long*>(to),
                     static_cast<unsigned long long>(value));
}
__device__ inline std::uint32_t add_atomic(std::uint32_t* to, std::uint32_t value) {
    return atomicAdd(to, value);
}

__device__ inline void max_atomic(std::uint64_t* to, std::uint64_t value) {
    atomicMax(reinterpret_cast<unsigned long long*>(to), static_cast<unsigned long long>(value));
}

/// A 128-bit sum in two words, low first. Every addition sees its own carry, so the sum is exact
/// whatever the order.
__device__ inline void add_atomic_wide(std::uint64_t* low_high, uint128 value) {
    const auto low = static_cast<std::uint64_t>(value);
    auto high = static_cast<std::uint64_t>(value >> 64);
    const std::uint64_t before = add_atomic(low_high, low);
    high += before + low < before;
    if (high != 0) add_atomic(low_high + 1, high);
}

/// Adds up values while their place stays the same; sorted data touch memory seldom.
struct RunningSum {
    std::uint64_t* place = nullptr;
    std::uint64_t sum = 0;

    __device__ void add(std::uint64_t* to, std::uint64_t value) {
        if (to != place) {
            flush();
            place = to;
        }
        sum += value;
    }
    __device__ void flush() {
        if (sum != 0) add_atomic(place, sum);
        sum = 0;
    }
};

#endif

}  // namespace xpcs::gpu
