// SPDX-License-Identifier: BSD-3-Clause
// Vectors whose elements are not zeroed when they are about to be overwritten anyway.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace xpcs {

constexpr std::size_t huge_page = std::size_t{2} << 20;

/// Memory that lies in huge pages where the system has them: a page fault for each 4 KiB of what is
/// written once and read once would cost as much as the writing.
void* allocate_large(std::size_t n);
void release_large(void* at, std::size_t n) noexcept;

/// While one lives, memory of large arrays that are given back is kept for those that come, up to
/// so many bytes: the system would clear it again. For work that takes the same memory over and
/// over. Thread-safe; one at a time.
class KeptMemory {
  public:
    explicit KeptMemory(std::size_t most_bytes);
    ~KeptMemory();
    KeptMemory(const KeptMemory&) = delete;
    KeptMemory& operator=(const KeptMemory&) = delete;
};

/// std::allocator, except that `resize(n)` leaves trivially constructible elements uninitialised,
/// and that large arrays lie in huge pages.
template <class T>
struct UninitialisedAllocator : std::allocator<T> {
    template <class U>
    struct rebind {
        using other = UninitialisedAllocator<U>;
    };
    using std::allocator<T>::allocator;

    T* allocate(std::size_t n) {
        if (!is_large(n)) return std::allocator<T>::allocate(n);
        return static_cast<T*>(allocate_large(n * sizeof(T)));
    }
    void deallocate(T* at, std::size_t n) {
        if (!is_large(n)) return std::allocator<T>::deallocate(at, n);
        release_large(at, n * sizeof(T));
    }

    template <class U>
    void construct(U* at) noexcept {
        ::new (static_cast<void*>(at)) U;
    }
    template <class U, class... Args>
    void construct(U* at, Args&&... args) {
        ::new (static_cast<void*>(at)) U(std::forward<Args>(args)...);
    }

  private:
    static bool is_large(std::size_t n) {
        return n >= huge_page / sizeof(T) && n <= SIZE_MAX / sizeof(T);
    }
};

template <class T>
using RawVector = std::vector<T, UninitialisedAllocator<T>>;

}  // namespace xpcs
