// SPDX-License-Identifier: BSD-3-Clause
#include "host/readers/rigaku_ftf.hpp"

#include "host/errors.hpp"
#include "host/h5.hpp"
#include "host/h5_chunks.hpp"
#include "host/readers/event_sink.hpp"
#include "host/readers/ftf_unpack.hpp"
#include "host/readers/hdf5_filters.hpp"
#include "host/readers/raw_file.hpp"
#include "host/readers/rigaku_word.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

namespace xpcs {

namespace {

using namespace rigaku;

constexpr const char* ftf_data_path = "/entry/data/data";
static_assert(ftf::module_pixels == module_pixels);

struct FtfModule {
    int number = 0;
    std::string path;
    h5::File file;
    h5::Dataset dataset;
    std::optional<h5::ChunkPlaces> places;
    std::int64_t n_frames = 0;
    int bits = 0;  ///< per pixel
};

/// In front of each column of a block.
struct ColumnHead {
    std::int64_t frame;
    std::int64_t module;  ///< its number
};

class FtfSource final : public FrameSource {
  public:
    FtfSource(std::vector<FtfModule> modules, SourceInfo info, const SourceOptions& options)
        : modules_(std::move(modules)), info_(std::move(info)), options_(options) {
        info_.format = "rigaku3m-ftf";
        info_.rows = layout_3m::rows;
        info_.cols = layout_3m::cols;
        info_.gap.assign(static_cast<std::size_t>(info_.rows * info_.cols), 1);
        info_.n_frames_hint = frames_in_name(modules_.front().path);
        for (const FtfModule& module : modules_) {
            info_.files.push_back(module.path);
            info_.n_bytes += std::filesystem::file_size(module.path);
            info_.n_frames = std::max(info_.n_frames, module.n_frames);
            const ModuleOrigin at = layout_3m::origin(module.number);
            for (std::int64_t row = at.row; row < at.row + module_rows; ++row) {
                const auto first = info_.gap.begin() + row * info_.cols + at.col;
                std::fill(first, first + module_cols, std::uint8_t{0});
            }
        }
        for (const FtfModule& module : modules_) {
            if (module.n_frames != info_.n_frames) {
                info_.warnings.push_back(module.path + ": has " + std::to_string(module.n_frames) +
                                         " frames, another module " +
                                         std::to_string(info_.n_frames));
            }
        }
        for (const FtfModule& module : modules_) {
            if (module.bits == modules_.front().bits) continue;
            throw Error(ExitCode::data,
                        module.path + ": " + std::to_string(module.bits) + " bits per pixel, " +
                            modules_.front().path + " has " +
                            std::to_string(modules_.front().bits));
        }
        unpack_ = {modules_.front().bits, options.ftf_high_first};
        column_bytes_ = ftf::column_bytes(unpack_.bits);
        info_.format += unpack_.bits == 2 ? "" : std::to_string(unpack_.bits);
        n_columns_ = info_.n_frames;
        if (options_.n_frames > 0) info_.n_frames = std::max(info_.n_frames, options_.n_frames);
        info_.warnings.push_back(
            modules_.front().path +
            ": fast transfer: the order of bits and pixels is an assumption (" +
            (options_.ftf_high_first ? "first pixel in the highest bits"
                                     : "first pixel in the lowest bits") +
            ", --ftf-bit-order); compare an image with one of another mode before trusting it");
    }

    const SourceInfo& info() const override { return info_; }
    void set_shape(std::int64_t rows, std::int64_t cols) override {
        if (rows == info_.rows && cols == info_.cols) return;
        throw Error(ExitCode::data,
                    modules_.front().path + ": the Rigaku 3M has 1676 x 2100 pixels, the q-map " +
                        std::to_string(rows) + " x " + std::to_string(cols));
    }
    void select(std::int64_t, std::int64_t) override {}

    bool next(RawBlock& block) override {
        if (frame_ == n_columns_) return false;
        const std::int64_t per_frame =
            static_cast<std::int64_t>(modules_.size()) * (column_bytes_ + 16);
        const std::int64_t n = std::min(
            std::max<std::int64_t>(1, 4 * options_.block_bytes / per_frame), n_columns_ - frame_);
        block.bytes.clear();
        for (std::int64_t k = 0; k < n; ++k) {
            for (FtfModule& module : modules_)
                append_column(module, frame_ + k, block.bytes);
        }
        block.sequence = sequence_++;
        block.first_record = frame_;
        block.frame_epoch = 0;
        block.frame_before = frame_ - 1;
        frame_ += n;
        block.frame_after = frame_ - 1;
        block.file = 0;
        frames_read_ = frame_;
        return true;
    }

    void decode(const RawBlock& block, Chunk& chunk, DecodeCounts& counts) const override {
        if (!std::holds_alternative<EventChunk>(chunk)) chunk.emplace<EventChunk>();
        const std::size_t step = sizeof(ColumnHead) + static_cast<std::size_t>(column_bytes_);
        const std::size_t n_columns = block.bytes.size() / step;
        std::size_t most = 0;
        for (std::size_t k = 0; k < n_columns; ++k) {
            const std::byte* column = block.bytes.data() + k * step + sizeof(ColumnHead);
            for (std::int64_t i = 0; i < column_bytes_; ++i)
                most += column[i] != std::byte{0};
        }
        EventSink sink(std::get<EventChunk>(chunk),
                       counts,
                       block.first_record,
                       most * static_cast<std::size_t>(unpack_.per_byte()));
        for (std::size_t k = 0; k < n_columns; ++k)
            decode_column(block.bytes.data() + k * step, sink, counts);
        sink.finish();
        counts.last_frame = std::max(counts.last_frame, block.frame_after);
    }

    double fraction_read() const override {
        return n_columns_ == 0
                   ? 1.0
                   : static_cast<double>(frames_read_) / static_cast<double>(n_columns_);
    }

  private:
    void append_column(FtfModule& module, std::int64_t frame, RawVector<std::byte>& to) const {
        if (frame >= module.n_frames) return;
        const auto held = h5::lock();
        const h5::Shape at = {0, static_cast<hsize_t>(frame)};
        // Columns without photons are never allocated by the detector.
        const h5::Shape chunk = h5::chunk_of(module.dataset);
        if (chunk.size() == 2 && chunk[1] == 1) {
            if (!module.places) module.places.emplace(module.dataset);
            const auto found = module.places->find(at);
            if (!found) throw Error(ExitCode::data, module.path + ": " + h5::take_error());
            if (found->bytes == 0 && chunk[0] == static_cast<hsize_t>(column_bytes_)) return;
        }
        const std::size_t start = to.size();
        to.resize(start + sizeof(ColumnHead) + static_cast<std::size_t>(column_bytes_));
        const ColumnHead head{frame, module.number};
        std::memcpy(to.data() + start, &head, sizeof head);
        h5::read_slab(module.dataset,
                      h5::native_type<std::uint8_t>(),
                      at,
                      {static_cast<hsize_t>(column_bytes_), 1},
                      to.data() + start + sizeof head);
    }

    void decode_column(const std::byte* from, EventSink& sink, DecodeCounts& counts) const {
        ColumnHead head{};
        std::memcpy(&head, from, sizeof head);
        from += sizeof head;
        const ModuleOrigin at = layout_3m::origin(static_cast<int>(head.module));
        for (std::int64_t i = 0; i < column_bytes_; ++i) {
            const auto byte = static_cast<std::uint8_t>(from[i]);
            if (byte == 0) continue;
            const std::int64_t first = i * unpack_.per_byte();
            const std::int64_t row = at.row + first / module_cols;
            const std::int64_t pixel = row * layout_3m::cols + at.col + first % module_cols;
            for (int k = 0; k < unpack_.per_byte(); ++k) {
                const std::uint32_t count = unpack_.count_of(byte, k);
                if (count == 0) continue;
                ++counts.records;
                sink.add(head.frame, static_cast<std::uint32_t>(pixel + k), count);
            }
        }
    }

    std::vector<FtfModule> modules_;
    SourceInfo info_;
    SourceOptions options_;
    ftf::Unpack unpack_;
    std::int64_t column_bytes_ = 0;
    std::int64_t n_columns_ = 0;  ///< of the longest module
    std::int64_t frame_ = 0, sequence_ = 0;
    std::atomic<std::int64_t> frames_read_{0};
};

FtfModule open_module(const std::string& path, int number) {
    FtfModule module;
    module.number = number;
    module.path = path;
    module.file = h5::open_file(path);
    module.dataset = h5::open_dataset(module.file.id(), ftf_data_path);
    require_filters_of_frames(module.dataset);
    const h5::Shape shape = h5::shape_of(module.dataset);
    const h5::Type type = h5::type_of(module.dataset);
    const auto held = h5::lock();
    if (shape.size() != 2 || ftf::bits_of_column(shape[0]) == 0 || shape[1] == 0 ||
        H5Tget_class(type.id()) != H5T_INTEGER || H5Tget_size(type.id()) != 1) {
        throw Error(ExitCode::data,
                    h5::name_of(module.dataset.id()) + ": " + h5::type_name(type.id()) + " " +
                        h5::to_string(shape) +
                        "; uint8 (131072, frames), (262144, frames) or (524288, frames), 2, 4 "
                        "or 8 bits per pixel, expected");
    }
    // Empty frames take no bytes, but looking for them takes time.
    const auto size = std::filesystem::file_size(path);
    constexpr std::uint64_t free_frames = std::uint64_t{1} << 24;
    if (shape[1] > free_frames && shape[1] / 16 > size) {
        throw Error(ExitCode::data,
                    h5::name_of(module.dataset.id()) + ": " + std::to_string(shape[1]) +
                        " frames in a file of " + std::to_string(size) +
                        " bytes; beyond 2^24 at most 16 for each byte are read");
    }
    module.n_frames = static_cast<std::int64_t>(shape[1]);
    module.bits = ftf::bits_of_column(shape[0]);
    return module;
}

}  // namespace

int rigaku_ftf_module_of(const std::string& path) {
    constexpr std::string_view suffix = ".h5.00";
    if (path.size() <= suffix.size()) return -1;
    const char digit = path.back();
    const bool matches =
        std::string_view(path).substr(path.size() - suffix.size() - 1, suffix.size()) == suffix;
    return matches && digit >= '0' && digit < '0' + layout_3m::n_modules ? digit - '0' : -1;
}

std::unique_ptr<FrameSource>
open_rigaku_ftf(const std::string& path, const SourceOptions& options, SourceInfo info) {
    h5::register_filters();
    const std::string stem = path.substr(0, path.size() - 1);
    std::vector<FtfModule> modules;
    std::string missing;
    for (int number = 0; number < layout_3m::n_modules; ++number) {
        const std::string name = stem + std::to_string(number);
        if (file_exists(name)) {
            modules.push_back(open_module(name, number));
            continue;
        }
        missing += (missing.empty() ? "" : ", ") + name;
        info.warnings.push_back(name + ": module file missing; its pixels are masked");
    }
    if (modules.empty() || (!missing.empty() && !options.allow_missing_module)) {
        throw Error(ExitCode::no_input,
                    "Rigaku 3M fast transfer: module files missing: " + missing +
                        "; six expected, .h5.000 to .h5.005" +
                        (modules.empty() ? "" : " (--allow-missing-module goes on without)"));
    }
    return std::make_unique<FtfSource>(std::move(modules), std::move(info), options);
}

}  // namespace xpcs
