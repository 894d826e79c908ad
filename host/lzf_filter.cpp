// SPDX-License-Identifier: BSD-3-Clause
#include "host/lzf_filter.hpp"

#include "host/errors.hpp"

#include <hdf5.h>
#include <lzf.h>

#include <cerrno>
#include <cstdlib>
#include <limits>

namespace xpcs {

namespace {

// Three bytes of LZF make at most 264; a chunk that claims more is damaged, and its claim must not
// decide how much memory is taken.
constexpr std::size_t largest_expansion = 88;

struct Buffer {
    void* data = nullptr;
    std::size_t capacity = 0;
    std::size_t used = 0;  // 0: failed
};

// HDF5 frees the buffer of a filter with free(), so it has to come from malloc().
// NOLINTBEGIN(cppcoreguidelines-no-malloc, cppcoreguidelines-owning-memory)

Buffer decode(const void* in, std::size_t n_in, std::size_t expected) {
    Buffer out;
    const std::size_t most = n_in * largest_expansion + 64;
    if (expected > most || n_in > std::numeric_limits<unsigned>::max()) return out;
    std::size_t capacity = expected != 0 ? expected : n_in;
    while (capacity <= std::numeric_limits<unsigned>::max()) {
        out.data = std::malloc(capacity);
        if (out.data == nullptr) return out;
        errno = 0;
        out.used = lzf_decompress(
            in, static_cast<unsigned>(n_in), out.data, static_cast<unsigned>(capacity));
        out.capacity = capacity;
        if (out.used != 0) return out;
        const bool too_small = errno == E2BIG;
        std::free(out.data);
        out = Buffer{};
        if (!too_small || capacity >= most) return out;
        capacity *= 2;
    }
    return out;
}

/// Fails, and so lets HDF5 store the chunk as it is, where LZF gains nothing.
Buffer encode(const void* in, std::size_t n_in) {
    Buffer out;
    if (n_in == 0 || n_in > std::numeric_limits<unsigned>::max()) return out;
    out.data = std::malloc(n_in);
    if (out.data == nullptr) return out;
    out.capacity = n_in;
    out.used = lzf_compress(in, static_cast<unsigned>(n_in), out.data, static_cast<unsigned>(n_in));
    if (out.used == 0) {
        std::free(out.data);
        out = Buffer{};
    }
    return out;
}

std::size_t filter(unsigned flags,
                   std::size_t n_parameters,
                   const unsigned parameters[],
                   std::size_t n_bytes,
                   std::size_t* buffer_size,
                   void** buffer) {
    const bool reading = (flags & H5Z_FLAG_REVERSE) != 0;
    const std::size_t expected = n_parameters >= 3 ? parameters[2] : 0;
    const Buffer out = reading ? decode(*buffer, n_bytes, expected) : encode(*buffer, n_bytes);
    if (out.used == 0) return 0;
    std::free(*buffer);
    *buffer = out.data;
    *buffer_size = out.capacity;
    return out.used;
}

// NOLINTEND(cppcoreguidelines-no-malloc, cppcoreguidelines-owning-memory)

}  // namespace

void register_lzf_filter() {
    static const H5Z_class2_t filter_class = {
        H5Z_CLASS_T_VERS, lzf_filter_id, 1, 1, "lzf", nullptr, nullptr, filter};
    if (H5Zregister(&filter_class) < 0) {
        throw Error(ExitCode::internal, "HDF5 does not accept the LZF filter (id 32000)");
    }
}

}  // namespace xpcs
