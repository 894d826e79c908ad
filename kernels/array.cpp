// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/array.hpp"

#include <sys/mman.h>

#include <atomic>
#include <map>
#include <mutex>
#include <new>
#include <unordered_map>

namespace xpcs {

namespace {

/// What was given back, by size.
class Store {
  public:
    bool in_use() const { return most_bytes_.load(std::memory_order_relaxed) > 0; }
    void use(std::size_t most_bytes);
    void* take(std::size_t n);
    bool keep(void* at, std::size_t n) noexcept;

  private:
    std::atomic<std::size_t> most_bytes_{0};
    std::mutex mutex_;
    std::multimap<std::size_t, void*> idle_;
    std::unordered_map<void*, std::size_t> lent_;  ///< of more bytes than were asked for
    std::size_t idle_bytes_ = 0;
};

// Never destroyed: vectors that live as long as the program give their memory back after it.
Store& store() {
    static auto* const all = new Store;
    return *all;
}

std::size_t whole_pages(std::size_t n) {
    return (n + huge_page - 1) / huge_page * huge_page;
}

void release(void* at) noexcept {
    ::operator delete (at, std::align_val_t{huge_page});
}

void Store::use(std::size_t most_bytes) {
    const std::scoped_lock lock(mutex_);
    most_bytes_ = most_bytes;
    if (most_bytes > 0) return;
    for (const auto& [n, at] : idle_)
        release(at);
    idle_.clear();
    lent_.clear();
    idle_bytes_ = 0;
}

/// The smallest that holds n bytes, unless most of it would be of no use; null if there is none.
void* Store::take(std::size_t n) {
    const std::scoped_lock lock(mutex_);
    const auto found = idle_.lower_bound(n);
    if (found == idle_.end() || found->first / 2 > n) return nullptr;
    void* const at = found->second;
    if (found->first > n) lent_[at] = found->first;
    idle_bytes_ -= found->first;
    idle_.erase(found);
    return at;
}

bool Store::keep(void* at, std::size_t n) noexcept {
    const std::scoped_lock lock(mutex_);
    if (const auto lent = lent_.extract(at)) n = lent.mapped();
    if (idle_bytes_ + n > most_bytes_) return false;
    try {
        idle_.emplace(n, at);
    } catch (const std::bad_alloc&) {
        return false;
    }
    idle_bytes_ += n;
    return true;
}

}  // namespace

KeptMemory::KeptMemory(std::size_t most_bytes) {
    store().use(most_bytes);
}

KeptMemory::~KeptMemory() {
    store().use(0);
}

void* allocate_large(std::size_t n) {
    const std::size_t room = whole_pages(n);
    const bool is_kept = store().in_use();
    if (is_kept) {
        if (void* const at = store().take(room)) return at;
    }
    void* at = ::operator new (room, std::align_val_t{huge_page});
#ifdef MADV_HUGEPAGE
    // Whole pages only: what is behind them would be taken without being used, unless others will.
    // A kernel that has no huge pages refuses, and the memory is good all the same.
    ::madvise(at, is_kept ? room : n / huge_page * huge_page, MADV_HUGEPAGE);
#endif
    return at;
}

void release_large(void* at, std::size_t n) noexcept {
    if (store().in_use() && store().keep(at, whole_pages(n))) return;
    release(at);
}

}  // namespace xpcs
