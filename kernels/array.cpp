// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/array.hpp"

#include <sys/mman.h>

#include <new>

namespace xpcs {

void* allocate_large(std::size_t n) {
    void* at = ::operator new (n, std::align_val_t{huge_page});
#ifdef MADV_HUGEPAGE
    // Whole pages only: what is behind them would be taken without being used. A kernel that has no
    // huge pages refuses, and the memory is good all the same.
    ::madvise(at, n / huge_page * huge_page, MADV_HUGEPAGE);
#endif
    return at;
}

void release_large(void* at) noexcept {
    ::operator delete (at, std::align_val_t{huge_page});
}

}  // namespace xpcs
