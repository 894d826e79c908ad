// SPDX-License-Identifier: BSD-3-Clause
// What is behind Upload: memory of the host that is page-locked while a device copies from it.
#pragma once

#include "kernels/cuda_support.cuh"
#include "kernels/device_events.hpp"

#include <cstddef>
#include <optional>

namespace xpcs::gpu {

struct Upload::Memory {
    const void* at = nullptr;
    std::size_t bytes = 0;
    const void* locked_at = nullptr;
    std::size_t locked_bytes = 0;
    bool refused = false;       // locking failed once
    std::optional<Event> done;  // of the last copy

    Memory() = default;
    ~Memory();
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    bool holds(const void* from, std::size_t n) const {
        const auto* first = static_cast<const char*>(at);
        const auto* begin = static_cast<const char*>(from);
        return first != nullptr && begin >= first && begin + n <= first + bytes;
    }
    /// Before the first copy, and again where the memory is another one. Copies from memory that is
    /// not locked are right as well, only slower.
    void lock();
    void queued_in(const Stream& stream);
    void wait() const {
        if (done) done->wait();
    }

  private:
    void unlock();
};

}  // namespace xpcs::gpu
