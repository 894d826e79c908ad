// SPDX-License-Identifier: BSD-3-Clause
#include "host/readers/hdf5_dense.hpp"

#include "host/errors.hpp"
#include "host/h5.hpp"
#include "host/readers/raw_file.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <utility>

namespace xpcs {

namespace {

constexpr const char* default_dataset = "/entry/data/data";
constexpr std::int64_t wanted_block_bytes = 16 << 20;
constexpr std::int64_t largest_block_bytes = 256 << 20;
constexpr std::uint64_t largest_frame_bytes = std::uint64_t{1} << 30;

/// The distribution package that brings a filter, "" if none is known.
const char* package_of(int filter_id) {
    switch (filter_id) {
    case 307:
    case 32004:
        return "hdf5-filter-plugin";
    case 32001:
        return "hdf5-filter-plugin-blosc-serial";
    case 32008:
        return "bitshuffle";
    case 32013:
        return "hdf5-filter-plugin-zfp-serial";
    default:
        return "";
    }
}

/// Registered names, because the name stored in a file is optional.
const char* known_filter_name(int filter_id) {
    switch (filter_id) {
    case 1:
        return "gzip";
    case 4:
        return "szip";
    case 307:
        return "bzip2";
    case 32000:
        return "LZF";
    case 32001:
        return "Blosc";
    case 32004:
        return "LZ4";
    case 32008:
        return "bitshuffle";
    case 32013:
        return "ZFP";
    case 32015:
        return "Zstandard";
    case 32017:
        return "SZ";
    case 32026:
        return "Blosc2";
    default:
        return "unnamed";
    }
}

void require_dense_filters(const h5::Dataset& dataset) {
    for (const h5::FilterInfo& filter : h5::filters(dataset)) {
        if (filter.available) continue;
        const std::string name = filter.name.empty() ? known_filter_name(filter.id) : filter.name;
        const std::string package = package_of(filter.id);
        throw Error(ExitCode::data,
                    h5::name_of(dataset.id()) + ": HDF5 filter " + std::to_string(filter.id) +
                        " (" + name + ") is not available; " +
                        (package.empty() ? "install its plug-in"
                                         : "the distribution's package " + package + " brings it") +
                        " or set HDF5_PLUGIN_PATH");
    }
}

/// Paths and shapes of the 3-D datasets of a file, for the message that lists them.
void list_3d(hid_t file, const std::string& group, int depth, std::vector<std::string>& found) {
    constexpr int deepest = 12;
    constexpr std::size_t most = 20;
    if (depth > deepest) return;  // links may form a ring
    for (const h5::Child& child : h5::children(file, group)) {
        if (found.size() >= most) return;
        const std::string path = (group == "/" ? "" : group) + "/" + child.name;
        if (child.kind == h5::Kind::group) {
            list_3d(file, path, depth + 1, found);
        } else if (child.kind == h5::Kind::dataset) {
            const h5::Shape shape = h5::shape_of(h5::open_dataset(file, path));
            if (shape.size() == 3) found.push_back(path + " " + h5::to_string(shape));
        }
    }
}

h5::Dataset
open_or_explain(const h5::File& file, const std::string& path, const std::string& dataset) {
    if (h5::is_dataset(file.id(), dataset)) return h5::open_dataset(file.id(), dataset);
    std::vector<std::string> found;
    list_3d(file.id(), "/", 0, found);
    std::string text = path + ": no dataset " + dataset + "; ";
    if (found.empty()) throw Error(ExitCode::data, text + "there is no 3-D dataset in the file");
    text += "3-D datasets found (choose with --dataset): ";
    for (std::size_t i = 0; i < found.size(); ++i) {
        text += (i > 0 ? ", " : "") + found[i];
    }
    throw Error(ExitCode::data, text);
}

[[noreturn]] void wrong_rank(const h5::Dataset& dataset, const h5::Shape& shape) {
    std::string text = h5::name_of(dataset.id()) + ": has " + std::to_string(shape.size()) +
                       " dimensions " + h5::to_string(shape) + ", 3 (frame, row, column) expected";
    constexpr hsize_t packed_module = 131072;
    if (shape.size() == 2 && shape[0] == packed_module) {
        text += ": this looks like Rigaku fast transfer, which is not read";
    } else if (shape.size() == 2) {
        text += ": one frame has no dynamics";
    } else if (shape.size() == 4) {
        text += ": a detector with several channels; only one channel can be read";
    }
    throw Error(ExitCode::data, text);
}

/// 1, 2 or 4; anything but an unsigned integer of that width is refused by name.
int sample_bytes_of(const h5::Dataset& dataset) {
    const h5::Type type = h5::type_of(dataset);
    const auto held = h5::lock();
    const std::size_t bytes = H5Tget_size(type.id());
    const bool unsigned_integer =
        H5Tget_class(type.id()) == H5T_INTEGER && H5Tget_sign(type.id()) == H5T_SGN_NONE;
    const bool whole = unsigned_integer && H5Tget_precision(type.id()) == 8 * bytes;
    if (!whole || (bytes != 1 && bytes != 2 && bytes != 4)) {
        throw Error(ExitCode::data,
                    h5::name_of(dataset.id()) + ": samples are " + h5::type_name(type.id()) +
                        "; uint8, uint16 or uint32 expected");
    }
    return static_cast<int>(bytes);
}

hid_t memory_type(int sample_bytes) {
    if (sample_bytes == 1) return h5::native_type<std::uint8_t>();
    return sample_bytes == 2 ? h5::native_type<std::uint16_t>() : h5::native_type<std::uint32_t>();
}

class Hdf5Source final : public FrameSource {
  public:
    Hdf5Source(const std::string& path, const SourceOptions& options, SourceInfo info)
        : file_(h5::open_file(path)), dataset_(open_or_explain(file_, path, name_in(options))),
          info_(std::move(info)) {
        const h5::Shape shape = h5::shape_of(dataset_);
        if (shape.size() == 4 && shape[1] == 1) {
            has_channel_axis_ = true;  // one channel: nothing to choose
        } else if (shape.size() != 3) {
            wrong_rank(dataset_, shape);
        }
        require_dense_filters(dataset_);
        info_.sample_bytes = sample_bytes_of(dataset_);
        info_.format = "hdf5";
        info_.sparse = false;
        info_.files = {path};
        info_.n_bytes = std::filesystem::file_size(path);
        info_.n_frames_hint = frames_in_name(path);
        take_shape(shape, options);
        choose_block();
        end_ = info_.n_frames;
    }

    const SourceInfo& info() const override { return info_; }

    void set_shape(std::int64_t rows, std::int64_t cols) override {
        if (rows == info_.rows && cols == info_.cols) return;
        const bool transposed = rows == info_.cols && cols == info_.rows;
        throw Error(ExitCode::data,
                    h5::name_of(dataset_.id()) + ": frames have " + std::to_string(info_.rows) +
                        " x " + std::to_string(info_.cols) + " pixels, the q-map " +
                        std::to_string(rows) + " x " + std::to_string(cols) +
                        (transposed ? ": transposed (--transpose-qmap turns it)" : ""));
    }

    void select(std::int64_t first, std::int64_t end) override {
        if (first < 0 || end > info_.n_frames || first > end) {
            throw Error(ExitCode::internal,
                        h5::name_of(dataset_.id()) + ": frames " + std::to_string(first) + " to " +
                            std::to_string(end) + " of " + std::to_string(info_.n_frames));
        }
        first_ = next_ = first;
        end_ = end;
    }

    bool next(RawBlock& block) override {
        if (next_ >= end_) return false;
        // Blocks end at multiples of the block length, so that no chunk is decompressed twice.
        const std::int64_t boundary = (next_ / block_frames_ + 1) * block_frames_;
        const std::int64_t n = std::min(boundary, end_) - next_;
        block.bytes.resize(static_cast<std::size_t>(n * frame_bytes_));
        h5::Shape offset = {static_cast<hsize_t>(next_), 0, 0};
        h5::Shape count = {static_cast<hsize_t>(n),
                           static_cast<hsize_t>(info_.rows),
                           static_cast<hsize_t>(info_.cols)};
        if (has_channel_axis_) {
            offset.insert(offset.begin() + 1, 0);
            count.insert(count.begin() + 1, 1);
        }
        h5::read_slab(dataset_, memory_type(info_.sample_bytes), offset, count, block.bytes.data());
        block.sequence = sequence_++;
        block.first_record = next_;
        block.frame_epoch = 0;
        block.frame_before = next_ - 1;
        next_ += n;
        block.frame_after = next_ - 1;
        block.file = 0;
        frames_read_ += n;
        return true;
    }

    void decode(const RawBlock& block, Chunk& chunk, DecodeCounts& counts) const override {
        if (!std::holds_alternative<DenseChunk>(chunk)) chunk.emplace<DenseChunk>();
        auto& frames = std::get<DenseChunk>(chunk);
        frames.first_frame = block.first_record;
        frames.n_frames = static_cast<std::int64_t>(block.bytes.size()) / frame_bytes_;
        frames.n_pixels = info_.rows * info_.cols;
        frames.sample_bytes = info_.sample_bytes;
        frames.samples.resize(block.bytes.size());
        std::memcpy(frames.samples.data(), block.bytes.data(), block.bytes.size());
        counts.records += frames.n_frames;
        counts.last_frame = std::max(counts.last_frame, frames.first_frame + frames.n_frames - 1);
    }

    double fraction_read() const override {
        const std::int64_t all = end_ - first_;
        return all == 0 ? 1.0 : static_cast<double>(frames_read_.load()) / static_cast<double>(all);
    }

  private:
    static std::string name_in(const SourceOptions& options) {
        return options.dataset.empty() ? default_dataset : options.dataset;
    }

    void take_shape(const h5::Shape& shape, const SourceOptions& options) {
        const std::uint64_t rows = shape[shape.size() - 2], cols = shape.back();
        const std::uint64_t most = largest_frame_bytes / static_cast<unsigned>(info_.sample_bytes);
        if (rows == 0 || cols == 0 || rows > most || cols > most || rows * cols > most) {
            throw Error(ExitCode::data,
                        h5::name_of(dataset_.id()) + ": shape " + h5::to_string(shape) +
                            "; frames of 1 byte to 1 GiB allowed");
        }
        constexpr std::uint64_t most_frames = std::uint64_t{1} << 40;
        if (shape[0] == 0 || shape[0] > most_frames) {
            throw Error(ExitCode::data,
                        h5::name_of(dataset_.id()) + ": shape " + h5::to_string(shape) +
                            ": 1 to 2^40 frames expected");
        }
        info_.rows = static_cast<std::int64_t>(rows);
        info_.cols = static_cast<std::int64_t>(cols);
        info_.n_frames = static_cast<std::int64_t>(shape[0]);
        frame_bytes_ = info_.rows * info_.cols * info_.sample_bytes;
        if (options.n_frames > info_.n_frames) {
            throw Error(ExitCode::data,
                        h5::name_of(dataset_.id()) + ": has " + std::to_string(info_.n_frames) +
                            " frames, fewer than the " + std::to_string(options.n_frames) +
                            " of --n-frames");
        }
        if (options.n_frames > 0) info_.n_frames = options.n_frames;
    }

    void choose_block() {
        const h5::Shape chunk = h5::chunk_of(dataset_);
        const auto chunk_frames =
            chunk.empty() ? std::int64_t{1}
                          : std::min(static_cast<std::int64_t>(chunk[0]), info_.n_frames);
        const std::int64_t most = std::max<std::int64_t>(1, largest_block_bytes / frame_bytes_);
        if (chunk_frames > most) {
            block_frames_ = most;
            info_.warnings.push_back(h5::name_of(dataset_.id()) + ": chunks of " +
                                     std::to_string(chunk_frames) +
                                     " frames are larger than 256 MiB; reading will be slow");
            return;
        }
        const std::int64_t wanted = std::max<std::int64_t>(1, wanted_block_bytes / frame_bytes_);
        block_frames_ = std::max<std::int64_t>(1, wanted / chunk_frames) * chunk_frames;
    }

    h5::File file_;
    h5::Dataset dataset_;
    SourceInfo info_;
    bool has_channel_axis_ = false;  ///< (frame, 1, row, column)
    std::int64_t frame_bytes_ = 0;
    std::int64_t block_frames_ = 1;
    std::int64_t first_ = 0, next_ = 0, end_ = 0;
    std::int64_t sequence_ = 0;
    std::atomic<std::int64_t> frames_read_{0};
};

}  // namespace

void find_distribution_plugins() {
    namespace fs = std::filesystem;
    static const bool once = [] {
        const auto held = h5::lock();
        Dl_info library{};
        if (dladdr(reinterpret_cast<const void*>(&H5get_libversion), &library) == 0 ||
            library.dli_fname == nullptr) {
            return false;
        }
        std::error_code ignored;
        const fs::path folder = fs::canonical(library.dli_fname, ignored).parent_path();
        for (const char* below : {"hdf5/serial/plugins", "hdf5/plugins", "hdf5/plugin"}) {
            const fs::path plugins = folder / below;
            if (!fs::is_directory(plugins, ignored)) continue;
            // At the end of the path: what the user asked for comes first.
            if (H5PLappend(plugins.c_str()) < 0) H5Eclear2(H5E_DEFAULT);
        }
        return true;
    }();
    static_cast<void>(once);
}

std::unique_ptr<FrameSource>
open_hdf5_dense(const std::string& path, const SourceOptions& options, SourceInfo info) {
    h5::register_filters();
    find_distribution_plugins();
    return std::make_unique<Hdf5Source>(path, options, std::move(info));
}

}  // namespace xpcs
