// SPDX-License-Identifier: BSD-3-Clause
#include "host/readers/chunk_codec.hpp"

#include "host/errors.hpp"

#include <blosc.h>
#include <lz4.h>
#include <lzf.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <limits>

namespace xpcs {

namespace {

enum Id {
    gzip = 1,
    shuffle = 2,
    lzf = 32000,
    blosc = 32001,
    lz4 = 32004,
    bitshuffle = 32008,
    zstd = 32015
};
enum BitshuffleCodec : unsigned { no_codec = 0, with_lz4 = 2, with_zstd = 3 };

using In = std::span<const std::byte>;
using Out = std::span<std::byte>;

/// Big-endian integers as they come.
class Cursor {
  public:
    Cursor(In bytes, const std::string& what) : bytes_(bytes), what_(what) {}

    In take(std::uint64_t n) {
        if (n > bytes_.size()) refuse("ends too early");
        const In taken = bytes_.first(static_cast<std::size_t>(n));
        bytes_ = bytes_.subspan(static_cast<std::size_t>(n));
        return taken;
    }
    std::uint64_t big_endian(std::size_t n) {
        std::uint64_t value = 0;
        for (const std::byte byte : take(n))
            value = value << 8 | static_cast<std::uint64_t>(byte);
        return value;
    }
    [[noreturn]] void refuse(const std::string& why) const {
        throw Error(ExitCode::data, what_ + ": compressed chunk " + why);
    }

  private:
    In bytes_;
    const std::string& what_;
};

const char* chars(In bytes) {
    return reinterpret_cast<const char*>(bytes.data());
}
char* chars(Out bytes) {
    return reinterpret_cast<char*>(bytes.data());
}
int as_int(std::size_t n) {
    return static_cast<int>(std::min<std::size_t>(n, std::numeric_limits<int>::max()));
}

bool unlz4(In in, Out out) {
    return LZ4_decompress_safe(chars(in), chars(out), as_int(in.size()), as_int(out.size())) ==
           as_int(out.size());
}
bool unzstd(In in, Out out) {
    return ZSTD_decompress(out.data(), out.size(), in.data(), in.size()) == out.size();
}
bool unblosc(In in, Out out) {
    std::size_t n = 0;
    if (blosc_cbuffer_validate(in.data(), in.size(), &n) != 0 || n != out.size()) return false;
    return blosc_decompress_ctx(in.data(), out.data(), out.size(), 1) == as_int(out.size());
}
bool unlzf(In in, Out out) {
    return lzf_decompress(in.data(),
                          static_cast<unsigned>(in.size()),
                          out.data(),
                          static_cast<unsigned>(out.size())) == out.size();
}
bool ungzip(In in, Out out) {
    uLongf n = out.size();
    return uncompress(reinterpret_cast<Bytef*>(out.data()),
                      &n,
                      reinterpret_cast<const Bytef*>(in.data()),
                      in.size()) == Z_OK &&
           n == out.size();
}

void unshuffle(In in, Out out, std::size_t element_bytes) {
    const std::size_t n = in.size() / element_bytes;
    for (std::size_t j = 0; j < element_bytes; ++j) {
        for (std::size_t i = 0; i < n; ++i)
            out[i * element_bytes + j] = in[j * n + i];
    }
    const std::size_t whole = n * element_bytes;
    std::memcpy(out.data() + whole, in.data() + whole, in.size() - whole);
}

void undo_lz4(In in, Out out, const std::string& what) {
    Cursor cursor(in, what);
    if (cursor.big_endian(8) != out.size()) cursor.refuse("has another size than its dataset says");
    const std::uint64_t block = cursor.big_endian(4);
    if (block == 0) cursor.refuse("has blocks of 0 bytes");
    while (!out.empty()) {
        const Out to =
            out.first(static_cast<std::size_t>(std::min<std::uint64_t>(block, out.size())));
        const In from = cursor.take(cursor.big_endian(4));
        if (from.size() == to.size()) {
            std::memcpy(to.data(), from.data(), to.size());
        } else if (!unlz4(from, to)) {
            cursor.refuse("does not decode (LZ4)");
        }
        out = out.subspan(to.size());
    }
}

/// Elements that bitshuffle takes at a time where its parameters leave it open.
std::size_t default_block(std::size_t element_bytes) {
    constexpr std::size_t wanted_bytes = 8192, multiple = 8, fewest = 128;
    return std::max(wanted_bytes / element_bytes / multiple * multiple, fewest);
}

void undo_bitshuffle(const ChunkPipeline::Filter& filter,
                     std::size_t element_bytes,
                     In in,
                     Out out,
                     ChunkScratch& scratch,
                     const std::string& what) {
    Cursor cursor(in, what);
    const auto& p = filter.parameters;
    const std::size_t size = p.size() > 2 && p[2] > 0 ? p[2] : element_bytes;
    const unsigned codec = p.size() > 4 ? p[4] : unsigned{no_codec};
    std::size_t block = p.size() > 3 && p[3] > 0 ? p[3] : default_block(size);
    if (codec != no_codec) {
        if (cursor.big_endian(8) != out.size()) {
            cursor.refuse("has another size than its dataset says");
        }
        block = static_cast<std::size_t>(cursor.big_endian(4)) / size;
    }
    if (block == 0 || block % 8 != 0)
        cursor.refuse("has blocks that are no multiple of 8 elements");
    std::size_t left = out.size() / size;
    while (left >= 8) {
        const std::size_t n = std::min(block, left / 8 * 8);
        const Out to = out.first(n * size);
        In planes;
        if (codec == no_codec) {
            planes = cursor.take(to.size());
        } else {
            const In from = cursor.take(cursor.big_endian(4));
            scratch.block.resize(to.size());
            const Out unpacked(scratch.block.data(), to.size());
            if (!(codec == with_lz4 ? unlz4(from, unpacked) : unzstd(from, unpacked))) {
                cursor.refuse("does not decode (bitshuffle)");
            }
            planes = unpacked;
        }
        bit_unshuffle(planes.data(), to.data(), n, size, scratch.b);
        out = out.subspan(to.size());
        left -= n;
    }
    const In rest = cursor.take(out.size());
    if (!rest.empty()) std::memcpy(out.data(), rest.data(), rest.size());
}

void undo(const ChunkPipeline& pipeline,
          const ChunkPipeline::Filter& filter,
          In in,
          Out out,
          ChunkScratch& scratch,
          const std::string& what) {
    const auto require = [&](bool done, const char* name) {
        if (!done)
            throw Error(ExitCode::data, what + ": compressed chunk does not decode (" + name + ")");
    };
    switch (filter.id) {
    case gzip:
        return require(ungzip(in, out), "gzip");
    case lzf:
        return require(unlzf(in, out), "LZF");
    case blosc:
        return require(unblosc(in, out), "Blosc");
    case zstd:
        return require(unzstd(in, out), "Zstandard");
    case lz4:
        return undo_lz4(in, out, what);
    case bitshuffle:
        return undo_bitshuffle(filter, pipeline.element_bytes, in, out, scratch, what);
    default:
        const std::size_t element =
            filter.parameters.empty() ? pipeline.element_bytes : filter.parameters[0];
        require(in.size() == out.size() && element > 0, "shuffle");
        return unshuffle(in, out, element);
    }
}

bool known_parameters(const h5::FilterInfo& filter) {
    if (filter.id == shuffle) return filter.parameters.empty() || filter.parameters[0] > 0;
    if (filter.id != bitshuffle || filter.parameters.size() < 5) return true;
    const unsigned codec = filter.parameters[4];
    return codec == no_codec || codec == with_lz4 || codec == with_zstd;
}

}  // namespace

bool decodes_filter(int id) {
    return id == gzip || id == shuffle || id == lzf || id == blosc || id == lz4 ||
           id == bitshuffle || id == zstd;
}

std::optional<ChunkPipeline> pipeline_of(const std::vector<h5::FilterInfo>& filters,
                                         std::size_t element_bytes,
                                         std::size_t chunk_bytes) {
    ChunkPipeline pipeline;
    pipeline.element_bytes = element_bytes;
    pipeline.chunk_bytes = chunk_bytes;
    for (const h5::FilterInfo& filter : filters) {
        if (!decodes_filter(filter.id) || !known_parameters(filter)) return std::nullopt;
        // Only the filter that was applied last may change the size.
        if (filter.id != shuffle && &filter != &filters.back()) return std::nullopt;
        pipeline.filters.push_back({filter.id, filter.parameters});
    }
    return pipeline;
}

void decode_chunk(const ChunkPipeline& pipeline,
                  std::span<const std::byte> raw,
                  std::uint32_t skipped,
                  std::span<std::byte> out,
                  ChunkScratch& scratch,
                  const std::string& what) {
    if (out.empty()) throw Error(ExitCode::data, what + ": chunk of 0 bytes");
    std::vector<const ChunkPipeline::Filter*> applied;
    for (std::size_t k = 0; k < pipeline.filters.size(); ++k) {
        if ((skipped >> k & 1U) == 0) applied.push_back(&pipeline.filters[k]);
    }
    for (std::size_t k = applied.size(); k-- > 0;) {
        const bool last = k == 0;
        RawVector<std::byte>& store = k % 2 == 0 ? scratch.a : scratch.c;
        Out to = out;
        if (!last) {
            store.resize(pipeline.chunk_bytes);
            to = Out(store.data(), store.size());
        }
        undo(pipeline, *applied[k], raw, to, scratch, what);
        raw = to;
    }
    if (applied.empty()) {
        if (raw.size() != out.size()) {
            throw Error(ExitCode::data,
                        what + ": chunk of " + std::to_string(raw.size()) + " bytes, " +
                            std::to_string(out.size()) + " expected");
        }
        std::memcpy(out.data(), raw.data(), out.size());
    }
}

}  // namespace xpcs
