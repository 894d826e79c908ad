// SPDX-License-Identifier: BSD-3-Clause
#include "host/readers/hdf5_sparse.hpp"

#include "host/errors.hpp"
#include "host/h5.hpp"
#include "host/readers/event_sink.hpp"
#include "host/readers/hdf5_filters.hpp"
#include "host/readers/hdf5_segments.hpp"
#include "host/readers/raw_file.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <limits>
#include <utility>

namespace xpcs {

namespace {

struct SparsePart {
    std::string file, group;
    std::int64_t first = 0;            ///< frame of the run
    std::vector<std::uint64_t> begin;  ///< frame_ptr

    std::int64_t n_frames() const { return static_cast<std::int64_t>(begin.size()) - 1; }
};

class SparseSource final : public FrameSource {
  public:
    SparseSource(const std::string& path, const SourceOptions& options, SourceInfo info)
        : info_(std::move(info)), options_(options) {
        info_.format = "hdf5-sparse";
        info_.n_frames_hint = frames_in_name(path);
        add(path);
        for (const std::string& more : options.more_files)
            add(more);
        end_frame_ = parts_.back().first + parts_.back().n_frames();
        if (options.n_frames > 0 && options.n_frames < end_frame_) {
            throw Error(ExitCode::data,
                        path + ": has " + std::to_string(end_frame_) + " frames, more than the " +
                            std::to_string(options.n_frames) + " of --n-frames");
        }
        info_.n_frames = std::max(end_frame_, options.n_frames);
    }

    const SourceInfo& info() const override { return info_; }

    void set_shape(std::int64_t rows, std::int64_t cols) override {
        if (has_shape_ && (rows != info_.rows || cols != info_.cols)) {
            throw Error(ExitCode::data,
                        parts_.front().file + ": frames have " + std::to_string(info_.rows) +
                            " x " + std::to_string(info_.cols) + " pixels, the q-map " +
                            std::to_string(rows) + " x " + std::to_string(cols));
        }
        info_.rows = rows;
        info_.cols = cols;
    }

    void select(std::int64_t, std::int64_t) override {}

    bool next(RawBlock& block) override {
        while (at_ < parts_.size() && frame_ == parts_[at_].n_frames()) {
            ++at_;
            frame_ = 0;
            index_ = {};
        }
        if (at_ == parts_.size()) return false;
        const SparsePart& part = parts_[at_];
        open(part);
        const auto start = static_cast<std::size_t>(frame_);
        const auto wanted =
            static_cast<std::uint64_t>(std::max<std::int64_t>(1, options_.block_bytes / 8));
        std::size_t stop = start + 1;
        while (stop + 1 < part.begin.size() && part.begin[stop + 1] - part.begin[start] <= wanted)
            ++stop;
        const std::uint64_t first = part.begin[start], n = part.begin[stop] - first;
        block.bytes.resize(static_cast<std::size_t>(n) * 8);
        if (n > 0) {
            const auto no_index = [&](std::uint64_t i, std::int64_t value) {
                if (options_.drop_bad_index) return;
                bad_index(part, frame_of(part, first + i), value);
            };
            read_words(index_, first, n, block.bytes.data(), no_index);
            const auto no_count = [&](std::uint64_t i, std::int64_t value) {
                throw Error(ExitCode::data,
                            part.file + ": frame " + std::to_string(frame_of(part, first + i)) +
                                ": " + std::to_string(value) +
                                " counts in a pixel; 0 to 4294967295 expected");
            };
            read_words(intensity_, first, n, block.bytes.data() + 4 * n, no_count);
        }
        block.sequence = sequence_++;
        block.first_record = static_cast<std::int64_t>(start);
        block.frame_epoch = 0;
        block.frame_before = part.first + frame_ - 1;
        frame_ = static_cast<std::int64_t>(stop);
        block.frame_after = part.first + frame_ - 1;
        block.file = static_cast<int>(at_);
        frames_read_ += static_cast<std::int64_t>(stop - start);
        return true;
    }

    void decode(const RawBlock& block, Chunk& chunk, DecodeCounts& counts) const override {
        if (!std::holds_alternative<EventChunk>(chunk)) chunk.emplace<EventChunk>();
        const SparsePart& part = parts_[static_cast<std::size_t>(block.file)];
        const std::size_t n = block.bytes.size() / 8;
        const auto word = [&](std::size_t i) {
            std::uint32_t value = 0;
            std::memcpy(&value, block.bytes.data() + 4 * i, sizeof value);
            return value;
        };
        const auto n_pixels = static_cast<std::uint64_t>(info_.rows * info_.cols);
        EventSink sink(std::get<EventChunk>(chunk), counts, block.frame_before + 1, n);
        const auto first_frame = static_cast<std::size_t>(block.first_record);
        std::size_t frame = first_frame;
        for (std::size_t i = 0; i < n; ++i) {
            while (part.begin[frame + 1] - part.begin[first_frame] <= i)
                ++frame;
            const std::int64_t of_run = part.first + static_cast<std::int64_t>(frame);
            ++counts.records;
            if (word(i) >= n_pixels) {
                if (!options_.drop_bad_index) bad_index(part, of_run, word(i));
                ++counts.bad_index;
                continue;
            }
            sink.add(of_run, word(i), word(n + i));
        }
        sink.finish();
        counts.last_frame = std::max(counts.last_frame, block.frame_after);
    }

    double fraction_read() const override {
        return end_frame_ == 0
                   ? 1.0
                   : static_cast<double>(frames_read_) / static_cast<double>(end_frame_);
    }

  private:
    /// The frame of the run that an event of a part lies in.
    static std::int64_t frame_of(const SparsePart& part, std::uint64_t event) {
        const auto next = std::upper_bound(part.begin.begin(), part.begin.end(), event);
        return part.first + (next - part.begin.begin()) - 1;
    }

    static bool fits_words(const h5::Dataset& dataset) {
        const h5::Type type = h5::type_of(dataset);
        const auto held = h5::lock();
        return H5Tget_size(type.id()) <= 4 && H5Tget_sign(type.id()) == H5T_SGN_NONE;
    }

    /// Integers of any kind as 32-bit words. HDF5 would take values that do not fit for the nearest
    /// ones that do: they are handed to `refuse`, and become the largest word.
    template <class Refuse>
    static void read_words(const h5::Dataset& dataset,
                           std::uint64_t first,
                           std::uint64_t n,
                           std::byte* to,
                           const Refuse& refuse) {
        if (fits_words(dataset)) {
            h5::read_slab(dataset, h5::native_type<std::uint32_t>(), {first}, {n}, to);
            return;
        }
        std::vector<std::int64_t> values(static_cast<std::size_t>(n));
        h5::read_slab(dataset, h5::native_type<std::int64_t>(), {first}, {n}, values.data());
        constexpr std::uint32_t largest = std::numeric_limits<std::uint32_t>::max();
        for (std::size_t i = 0; i < values.size(); ++i) {
            std::uint32_t word = largest;
            if (values[i] < 0 || values[i] > std::int64_t{largest}) {
                refuse(i, values[i]);
            } else {
                word = static_cast<std::uint32_t>(values[i]);
            }
            std::memcpy(to + 4 * i, &word, sizeof word);
        }
    }

    [[noreturn]] void
    bad_index(const SparsePart& part, std::int64_t frame, std::int64_t index) const {
        throw Error(ExitCode::data,
                    part.file + ": frame " + std::to_string(frame) + ": pixel index " +
                        std::to_string(index) + " is outside the detector of " +
                        std::to_string(info_.rows) + " x " + std::to_string(info_.cols) +
                        " pixels (--drop-bad-index drops such records)");
    }

    static void require_integers(const h5::Dataset& dataset) {
        const h5::Type type = h5::type_of(dataset);
        const auto held = h5::lock();
        if (H5Tget_class(type.id()) != H5T_INTEGER || h5::shape_of(dataset).size() != 1) {
            throw Error(ExitCode::data,
                        h5::name_of(dataset.id()) + ": is " + h5::type_name(type.id()) + " " +
                            h5::to_string(h5::shape_of(dataset)) + "; a list of integers expected");
        }
        require_filters_of_frames(dataset);
    }

    void add(const std::string& path) {
        const h5::File file = h5::open_file(path);
        SparsePart part;
        part.file = path;
        part.group = sparse_group_of(file, options_);
        if (part.group.empty()) {
            throw Error(ExitCode::data,
                        path +
                            ": no group with frame_ptr, index and intensity, as the file before");
        }
        const h5::Dataset pointers = h5::open_dataset(file.id(), part.group + "/frame_ptr");
        const h5::Dataset index = h5::open_dataset(file.id(), part.group + "/index");
        const h5::Dataset intensity = h5::open_dataset(file.id(), part.group + "/intensity");
        for (const h5::Dataset* dataset : {&pointers, &index, &intensity})
            require_integers(*dataset);
        const auto begin = h5::read<std::int64_t>(pointers, std::uint64_t{1} << 34);
        part.begin.assign(begin.begin(), begin.end());
        const std::uint64_t n = h5::n_elements(h5::shape_of(index));
        const std::uint64_t n_values = h5::n_elements(h5::shape_of(intensity));
        const std::string name = path + ": " + part.group;
        if (n != n_values) {
            throw Error(ExitCode::data,
                        name + ": " + std::to_string(n) + " values of index, " +
                            std::to_string(n_values) + " of intensity; as many of each expected");
        }
        if (begin.size() < 2 || begin.front() != 0 || part.begin.back() != n ||
            !std::is_sorted(begin.begin(), begin.end())) {
            throw Error(ExitCode::data,
                        name + "/frame_ptr: must rise from 0 to the number of events, " +
                            std::to_string(n));
        }
        if (!parts_.empty()) part.first = parts_.back().first + parts_.back().n_frames();
        take_shape(file, name, part.group);
        info_.files.push_back(path);
        info_.n_bytes += std::filesystem::file_size(path);
        parts_.push_back(std::move(part));
    }

    void take_shape(const h5::File& file, const std::string& name, const std::string& group) {
        const h5::Group opened = h5::open_group(file.id(), group);
        const auto rows = h5::read_number_attribute(opened.id(), "rows");
        const auto cols = h5::read_number_attribute(opened.id(), "cols");
        if (!rows || !cols) return;
        constexpr double most = 1 << 16;
        if (!(*rows >= 1 && *rows <= most && *cols >= 1 && *cols <= most)) {
            throw Error(ExitCode::data, name + ": attributes rows and cols; 1 to 65536 allowed");
        }
        info_.rows = static_cast<std::int64_t>(*rows);
        info_.cols = static_cast<std::int64_t>(*cols);
        has_shape_ = true;
    }

    void open(const SparsePart& part) {
        if (index_) return;
        file_ = h5::open_file(part.file);
        index_ = h5::open_dataset(file_.id(), part.group + "/index");
        intensity_ = h5::open_dataset(file_.id(), part.group + "/intensity");
    }

    SourceInfo info_;
    SourceOptions options_;
    std::vector<SparsePart> parts_;
    h5::File file_;
    h5::Dataset index_, intensity_;
    std::size_t at_ = 0;
    std::int64_t frame_ = 0;  ///< of part at_
    std::int64_t end_frame_ = 0, sequence_ = 0;
    std::atomic<std::int64_t> frames_read_{0};
    bool has_shape_ = false;
};

}  // namespace

bool looks_like_sparse_hdf5(const std::string& path, const SourceOptions& options) {
    return !sparse_group_of(h5::open_file(path), options).empty();
}

std::unique_ptr<FrameSource>
open_hdf5_sparse(const std::string& path, const SourceOptions& options, SourceInfo info) {
    h5::register_filters();
    return std::make_unique<SparseSource>(path, options, std::move(info));
}

}  // namespace xpcs
