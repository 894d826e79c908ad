// SPDX-License-Identifier: BSD-3-Clause
#include "host/h5_chunks.hpp"

#include "host/h5_plain_driver.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>

namespace xpcs::h5 {

#if H5_VERSION_GE(1, 14, 0)

ChunkPlaces::ChunkPlaces(const Dataset& dataset)
    : dataset_(dataset.id()), shape_(shape_of(dataset)), chunk_(chunk_of(dataset)) {
    n_elements(shape_);  // throws where the numbers of chunks might not fit
    for (std::size_t i = 0; i < shape_.size(); ++i)
        n_chunks_ *= (shape_[i] + chunk_[i] - 1) / chunk_[i];
}

std::optional<ChunkPlace> ChunkPlaces::find(const Shape& at) {
    const auto held = lock();
    if (!table_ && !make_table()) return std::nullopt;
    const std::uint64_t number = number_of(at.data());
    const auto found = std::lower_bound(
        table_->begin(), table_->end(), number, [](const Entry& entry, std::uint64_t wanted) {
            return entry.number < wanted;
        });
    if (found == table_->end() || found->number != number) return ChunkPlace{};
    return found->place;
}

std::uint64_t ChunkPlaces::number_of(const hsize_t* at) const {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < shape_.size(); ++i)
        number = number * ((shape_[i] + chunk_[i] - 1) / chunk_[i]) + at[i] / chunk_[i];
    return number;
}

bool ChunkPlaces::make_table() {
    table_.emplace();
    const H5D_chunk_iter_op_t visit =
        [](const hsize_t* at, unsigned skipped, haddr_t address, hsize_t bytes, void* to) -> int {
        const bool added = static_cast<ChunkPlaces*>(to)->add(at, {address, bytes, skipped});
        return added ? H5_ITER_CONT : H5_ITER_ERROR;
    };
    if (H5Dchunk_iter(dataset_, H5P_DEFAULT, visit, this) < 0) {
        table_.reset();
        return false;
    }
    const auto before = [](const Entry& a, const Entry& b) { return a.number < b.number; };
    if (!std::is_sorted(table_->begin(), table_->end(), before))
        std::stable_sort(table_->begin(), table_->end(), before);
    return true;
}

/// False where a damaged index leads to more chunks than there can be, and without memory.
bool ChunkPlaces::add(const hsize_t* at, const ChunkPlace& place) {
    for (std::size_t i = 0; i < shape_.size(); ++i) {
        if (at[i] >= shape_[i]) return true;  // outside of the dataset
    }
    if (table_->size() >= n_chunks_) return false;
    try {
        table_->push_back({number_of(at), place});
    } catch (const std::bad_alloc&) {  // the library could not pass it on
        return false;
    }
    return true;
}

#else

namespace {

std::optional<ChunkPlace> place_by_walk(hid_t dataset, const Shape& at) {
    hsize_t bytes = 0;
    haddr_t address = HADDR_UNDEF;
    unsigned skipped = 0;
    if (H5Dget_chunk_info_by_coord(dataset, at.data(), &skipped, &address, &bytes) < 0)
        return std::nullopt;
    return ChunkPlace{address, bytes, skipped};
}

/// Whether H5Dread_chunk() failed for want of the chunk: only then is the innermost complaint that
/// of the function that reads. Below it are those of a damaged index and of a failed read.
bool chunk_was_missing() {
    bool missing = false;
    H5Ewalk2(
        H5E_DEFAULT,
        H5E_WALK_UPWARD,
        [](unsigned n, const H5E_error2_t* error, void* to) -> herr_t {
            if (n == 0 && error->func_name != nullptr) {
                *static_cast<bool*>(to) =
                    std::strcmp(error->func_name, "H5D__chunk_direct_read") == 0;
            }
            return 0;
        },
        &missing);
    return missing;
}

}  // namespace

ChunkPlaces::ChunkPlaces(const Dataset& dataset)
    : dataset_(dataset.id()), plain_(is_read_plainly(dataset.id())) {}

std::optional<ChunkPlace> ChunkPlaces::find(const Shape& at) {
    const auto held = lock();
    if (!plain_) return place_by_walk(dataset_, at);
    std::byte nothing{};  // is read into it
    const NotedRead read(&nothing);
    std::uint32_t skipped = 0;
    if (H5Dread_chunk(dataset_, H5P_DEFAULT, at.data(), &skipped, &nothing) >= 0)
        return ChunkPlace{read.address, read.bytes, skipped};
    if (!chunk_was_missing()) return std::nullopt;
    H5Eclear2(H5E_DEFAULT);
    return ChunkPlace{};
}

#endif

}  // namespace xpcs::h5
