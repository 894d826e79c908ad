// SPDX-License-Identifier: BSD-3-Clause
// Which reader a file gets: its content decides, then its name.
#include "host/errors.hpp"
#include "host/readers/corrected.hpp"
#include "host/readers/hdf5_dense.hpp"
#include "host/readers/hdf5_sparse.hpp"
#include "host/readers/imm.hpp"
#include "host/readers/raw_file.hpp"
#include "host/readers/rigaku64.hpp"
#include "host/readers/rigaku_ftf.hpp"
#include "host/readers/spidr4.hpp"
#include "host/readers/spidr4_word.hpp"
#include "host/readers/ufxc.hpp"
#include "host/readers/ufxc_dense.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <vector>

namespace xpcs {

namespace {

enum class Content { hdf5, imm, timepix, ufxc_dense, ufxc, words, unknown };

bool ends_with_any(std::string_view name, std::initializer_list<std::string_view> suffixes) {
    return std::any_of(suffixes.begin(), suffixes.end(), [&](std::string_view suffix) {
        return name.ends_with(suffix);
    });
}

/// The signature lies at 0 or, after a user block, at 512, 1024, 2048, ...
bool has_hdf5_signature(const RawFile& file) {
    static constexpr std::array<unsigned char, 8> signature = {
        0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};
    for (std::uint64_t at = 0; at + signature.size() <= file.size(); at = at == 0 ? 512 : 2 * at) {
        std::array<std::byte, 8> bytes{};
        file.read(at, bytes.data(), bytes.size());
        if (std::memcmp(bytes.data(), signature.data(), signature.size()) == 0) return true;
    }
    return false;
}

bool has_timepix_magic(const RawFile& file) {
    std::uint64_t word = 0;
    if (file.size() < sizeof word) return false;
    file.read(0, reinterpret_cast<std::byte*>(&word), sizeof word);
    return word == spidr4::file_mark;
}

/// A word stream carries no mark, but its frames go forward: of its first words at most one in
/// eight may step back (text or compressed data steps back in one of two, or is all equal in the
/// bits that no detector sets).
bool plausible_words(const RawFile& file) {
    std::vector<std::uint64_t> words(std::min<std::uint64_t>(file.size() / 8, 4096));
    if (words.empty()) return false;
    file.read(0, reinterpret_cast<std::byte*>(words.data()), words.size() * 8);
    std::size_t backward = 0, spare_bits = 0;
    for (std::size_t i = 0; i < words.size(); ++i) {
        constexpr std::uint64_t unused = 0xF000ULL | (7ULL << 37);
        spare_bits += (words[i] & unused) != 0;
        backward += i > 0 && rigaku::frame_of(words[i]) < rigaku::frame_of(words[i - 1]);
    }
    return backward * 8 <= words.size() && spare_bits * 2 <= words.size();
}

Content content_of(const RawFile& file) {
    if (has_hdf5_signature(file)) return Content::hdf5;
    if (looks_like_imm(file)) return Content::imm;
    if (has_timepix_magic(file)) return Content::timepix;
    if (ufxc_dump_bytes(file) > 0) return Content::ufxc_dense;
    if (file.path().ends_with(".ufxc") && looks_like_ufxc(file)) return Content::ufxc;
    if (plausible_words(file)) return Content::words;
    return looks_like_ufxc(file) ? Content::ufxc : Content::unknown;
}

std::unique_ptr<FrameSource> open_as_it_is(const std::string& raw, const SourceOptions& options) {
    const bool named_words = raw.ends_with(".bin") || rigaku3m_module_of(raw) >= 0;
    // A 3M run with missing modules is told as such, whichever module was named.
    if (rigaku3m_module_of(raw) >= 0 && !file_exists(raw)) return open_rigaku3m(raw, options);
    if (rigaku_ftf_module_of(raw) >= 0 && !file_exists(raw)) return open_rigaku_ftf(raw, options);
    const RawFile file(raw);
    Content content = content_of(file);
    if (content == Content::unknown && (named_words || file.size() == 0)) content = Content::words;

    if (!options.more_files.empty() && content != Content::hdf5 && content != Content::timepix) {
        throw Error(ExitCode::config,
                    raw + ": --series takes HDF5 files or raw Timepix4 streams; this one is of "
                          "another format");
    }
    if (content == Content::imm) {
        SourceInfo found;
        found.detected_by = "content: IMM frame headers";
        return open_imm(raw, options, std::move(found));
    }
    if (content == Content::ufxc) {
        SourceInfo found;
        found.detected_by = "content: plausible UFXC words";
        if (raw.ends_with(".ufxc")) found.detected_by += "; name ends in .ufxc";
        return open_ufxc(raw, options, std::move(found));
    }
    if (content == Content::ufxc_dense) {
        SourceInfo found;
        found.detected_by = "name ends in .ufxc; whole frames, no stream of records";
        return open_ufxc_dense(raw, ufxc_dump_bytes(file), options, std::move(found));
    }
    if (content == Content::timepix) {
        SourceInfo found;
        found.detected_by = "content: mark of a SPIDR4 stream";
        return open_spidr4(raw, options, std::move(found));
    }
    if (content == Content::unknown) {
        throw Error(ExitCode::data,
                    raw + ": neither an HDF5 signature nor an IMM header nor plausible Rigaku "
                          "words; HDF5 or a Rigaku .bin file expected");
    }
    SourceInfo found;
    if (content == Content::hdf5) {
        found.detected_by = "content: HDF5 signature";
        if (rigaku_ftf_module_of(raw) >= 0) {
            found.detected_by += "; name ends in .h5.00N";
            return open_rigaku_ftf(raw, options, std::move(found));
        }
        if (!ends_with_any(raw, {".h5", ".hdf", ".hdf5", ".nxs"})) {
            found.warnings.push_back(
                raw + ": the content is HDF5, the name says otherwise; read as HDF5");
        }
        if (looks_like_sparse_hdf5(raw, options)) {
            found.detected_by += "; frame_ptr, index, intensity";
            return open_hdf5_sparse(raw, options, std::move(found));
        }
        return open_hdf5_dense(raw, options, std::move(found));
    }
    found.detected_by = "content: no signature of another format";
    found.detected_by += named_words ? "; name ends in .bin" : "; plausible frame numbers";
    if (!named_words) {
        found.warnings.push_back(raw + ": no HDF5 signature and no IMM header; read as Rigaku "
                                       "64-bit words although the name does not end in .bin");
    }
    if (rigaku3m_module_of(raw) >= 0) return open_rigaku3m(raw, options, std::move(found));
    return open_rigaku64(raw, options, std::move(found));
}

}  // namespace

std::unique_ptr<FrameSource> open_frame_source(const std::string& raw,
                                               const SourceOptions& options) {
    std::unique_ptr<FrameSource> source = open_as_it_is(raw, options);
    return options.correction ? corrected(std::move(source), options.correction)
                              : std::move(source);
}

}  // namespace xpcs
