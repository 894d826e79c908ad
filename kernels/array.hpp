// SPDX-License-Identifier: BSD-3-Clause
// Vectors whose elements are not zeroed when they are about to be overwritten anyway.
#pragma once

#include <memory>
#include <utility>
#include <vector>

namespace xpcs {

/// std::allocator, except that `resize(n)` leaves trivially constructible elements uninitialised.
template <class T>
struct UninitialisedAllocator : std::allocator<T> {
    template <class U>
    struct rebind {
        using other = UninitialisedAllocator<U>;
    };
    using std::allocator<T>::allocator;

    template <class U>
    void construct(U* at) noexcept {
        ::new (static_cast<void*>(at)) U;
    }
    template <class U, class... Args>
    void construct(U* at, Args&&... args) {
        ::new (static_cast<void*>(at)) U(std::forward<Args>(args)...);
    }
};

template <class T>
using RawVector = std::vector<T, UninitialisedAllocator<T>>;

}  // namespace xpcs
