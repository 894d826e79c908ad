// SPDX-License-Identifier: BSD-3-Clause
// Whole datasets with byte shuffling and gzip, chunk by chunk past HDF5's own filters: their gzip
// is a third of what it takes to write a result.
#include "host/chunk_pack.hpp"
#include "host/h5_check.hpp"

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace xpcs::h5::detail {

namespace {

/// The level of gzip where the filters are shuffle and gzip, else -1.
int packing_level(const Dataset& dataset) {
    const std::vector<FilterInfo> found = filters(dataset);
    const bool packs = found.size() == 2 && found[0].id == H5Z_FILTER_SHUFFLE &&
                       found[1].id == H5Z_FILTER_DEFLATE && found[1].parameters.size() == 1;
    return packs ? static_cast<int>(std::min(found[1].parameters[0], 9U)) : -1;
}

/// Numbers that lie in memory as they do in the file.
bool same_bytes(const Dataset& dataset, hid_t memory_type) {
    const H5T_class_t kind = H5Tget_class(memory_type);
    return (kind == H5T_INTEGER || kind == H5T_FLOAT || kind == H5T_ENUM) &&
           H5Tequal(type_of(dataset).id(), memory_type) > 0;
}

/// The next position in steps of `step` below `end`, last axis fastest; false behind the last.
bool advance(Shape& at, const Shape& step, const Shape& end) {
    for (std::size_t axis = at.size(); axis-- > 0;) {
        at[axis] += step[axis];
        if (at[axis] < end[axis]) return true;
        at[axis] = 0;
    }
    return false;
}

struct Array {
    const std::byte* values;
    std::size_t element_bytes;
    Shape shape;
    Shape chunk;

    /// The part of the array that a chunk at `offset` covers, at its place in `out`.
    void gather(const Shape& offset, std::byte* out) const {
        const std::size_t last = shape.size() - 1;
        Shape count(shape.size()), one(shape.size(), 1), row(shape.size(), 0);
        for (std::size_t axis = 0; axis <= last; ++axis)
            count[axis] = std::min(chunk[axis], shape[axis] - offset[axis]);
        one[last] = count[last];  // a row at a time
        do {
            std::size_t from = 0, to = 0;
            for (std::size_t axis = 0; axis <= last; ++axis) {
                from = from * shape[axis] + offset[axis] + row[axis];
                to = to * chunk[axis] + row[axis];
            }
            std::memcpy(out + to * element_bytes,
                        values + from * element_bytes,
                        count[last] * element_bytes);
        } while (advance(row, one, count));
    }
};

struct PackedChunk {
    Shape offset;
    std::vector<std::uint8_t> bytes;
};

constexpr std::size_t chunks_at_once = 16;

/// By the threads of the caller's arena. They do not need the library, which the caller holds; and
/// meanwhile the caller takes no other work, which might.
void pack(const Array& array, int level, std::vector<PackedChunk>& chunks) {
    const std::size_t n = n_elements(array.chunk);
    oneapi::tbb::this_task_arena::isolate([&] {
        oneapi::tbb::parallel_for(std::size_t{0}, chunks.size(), [&](std::size_t k) {
            std::vector<std::byte> whole(n * array.element_bytes, std::byte{0});
            array.gather(chunks[k].offset, whole.data());
            const auto packed = pack_chunk(whole.data(), n, array.element_bytes, level);
            chunks[k].bytes.assign(packed.begin(), packed.end());
        });
    });
}

}  // namespace

bool write_packed(const Dataset& dataset, hid_t memory_type, const void* values) {
    const Array array{static_cast<const std::byte*>(values),
                      H5Tget_size(memory_type),
                      shape_of(dataset),
                      chunk_of(dataset)};
    if (array.chunk.empty() || n_elements(array.shape) == 0 || !same_bytes(dataset, memory_type)) {
        return false;
    }
    const int level = packing_level(dataset);
    if (level < 0) return false;
    Shape offset(array.shape.size(), 0);
    for (bool more = true; more;) {
        std::vector<PackedChunk> chunks;
        do {
            chunks.push_back({offset, {}});
            more = advance(offset, array.chunk, array.shape);
        } while (more && chunks.size() < chunks_at_once);
        pack(array, level, chunks);
        for (const PackedChunk& chunk : chunks) {
            check(H5Dwrite_chunk(dataset.id(),
                                 H5P_DEFAULT,
                                 0,
                                 chunk.offset.data(),
                                 chunk.bytes.size(),
                                 chunk.bytes.data()),
                  ExitCode::io,
                  dataset.id(),
                  "",
                  "cannot be written");
        }
    }
    return true;
}

}  // namespace xpcs::h5::detail
