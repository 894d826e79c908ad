// SPDX-License-Identifier: BSD-3-Clause
#include "host/writers/frame_writer.hpp"

#include "host/errors.hpp"
#include "host/h5.hpp"
#include "host/h5_check.hpp"
#include "host/readers/hdf5_dense.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <limits>

namespace xpcs {

namespace {

constexpr const char* data_path = "/entry/data/data";
constexpr H5Z_filter_t bitshuffle_filter = 32008;

h5::Dataset create_bitshuffled(const h5::File& file,
                               hid_t type,
                               const h5::Shape& shape,
                               const h5::Shape& chunk) {
    const auto held = h5::lock();
    const h5::detail::KeepFloatingPoint kept;
    if (H5Zfilter_avail(bitshuffle_filter) <= 0) {
        throw Error(ExitCode::config,
                    "simulate: compression bslz4: HDF5 filter 32008 (bitshuffle) is not available; "
                    "the distribution's package bitshuffle brings it");
    }
    const h5::PropertyList storage(H5Pcreate(H5P_DATASET_CREATE));
    const h5::PropertyList links(H5Pcreate(H5P_LINK_CREATE));
    const auto rank = static_cast<int>(shape.size());
    const h5::Space space(H5Screate_simple(rank, shape.data(), nullptr));
    constexpr unsigned parameters[] = {0, 2};  // default block, LZ4
    H5Pset_create_intermediate_group(links.id(), 1);
    H5Pset_obj_track_times(storage.id(), false);
    if (H5Pset_chunk(storage.id(), rank, chunk.data()) < 0 ||
        H5Pset_filter(storage.id(), bitshuffle_filter, H5Z_FLAG_MANDATORY, 2, parameters) < 0) {
        throw Error(ExitCode::internal, "simulate: bitshuffle: " + h5::take_error());
    }
    h5::Dataset dataset(
        H5Dcreate2(file.id(), data_path, type, space.id(), links.id(), storage.id(), H5P_DEFAULT));
    if (!dataset) throw Error(ExitCode::io, "simulate: " + h5::take_error());
    return dataset;
}

hid_t sample_type(int bytes) {
    if (bytes == 1) return H5T_STD_U8LE;
    return bytes == 2 ? H5T_STD_U16LE : H5T_STD_U32LE;
}

hid_t memory_type(int bytes) {
    if (bytes == 1) return h5::native_type<std::uint8_t>();
    return bytes == 2 ? h5::native_type<std::uint16_t>() : h5::native_type<std::uint32_t>();
}

h5::Shape shape_of(const FrameLayout& layout, std::int64_t n_frames, std::int64_t channels) {
    h5::Shape shape = {static_cast<hsize_t>(n_frames)};
    if (channels > 1) shape.push_back(static_cast<hsize_t>(channels));
    shape.push_back(static_cast<hsize_t>(layout.rows));
    shape.push_back(static_cast<hsize_t>(layout.cols));
    return shape;
}

h5::Dataset create_frames(const h5::File& file, const FrameLayout& layout, const h5::Shape& shape) {
    h5::Shape one_frame = shape;
    std::fill(one_frame.begin(), one_frame.end() - 2, 1);
    const hid_t type = sample_type(layout.sample_bytes);
    if (layout.compression == FrameCompression::bslz4) {
        return create_bitshuffled(file, type, shape, one_frame);
    }
    h5::Storage storage;
    storage.contiguous_below = layout.contiguous ? std::numeric_limits<std::uint64_t>::max() : 0;
    storage.chunk = one_frame;
    if (layout.compression == FrameCompression::gzip) storage.filter = h5::Filter::gzip;
    if (layout.compression == FrameCompression::lzf) storage.filter = h5::Filter::lzf;
    return h5::create_dataset(file.id(), data_path, type, shape, storage);
}

}  // namespace

struct FrameWriter::State {
    h5::File file;
    h5::Dataset dataset;
    hid_t type = H5I_INVALID_HID;
    h5::Shape shape;
};

FrameWriter::FrameWriter(const std::string& path, const FrameLayout& layout, std::int64_t channels)
    : state_(std::make_unique<State>()) {
    h5::register_filters();
    find_distribution_plugins();
    state_->file = h5::create_file_over(path);
    state_->shape = shape_of(layout, layout.n_frames, channels);
    state_->dataset = create_frames(state_->file, layout, state_->shape);
    state_->type = memory_type(layout.sample_bytes);
}

FrameWriter::~FrameWriter() = default;

void FrameWriter::write(std::int64_t first_frame, std::int64_t n_frames, const std::byte* samples) {
    h5::Shape at(state_->shape.size(), 0), count = state_->shape;
    at[0] = static_cast<hsize_t>(first_frame);
    count[0] = static_cast<hsize_t>(n_frames);
    h5::write_slab(state_->dataset, state_->type, at, count, samples);
}

void FrameWriter::write_channel(std::int64_t frame,
                                std::int64_t channel,
                                const std::byte* samples) {
    h5::Shape at(state_->shape.size(), 0), count = state_->shape;
    at[0] = static_cast<hsize_t>(frame);
    at[1] = static_cast<hsize_t>(channel);
    count[0] = count[1] = 1;
    h5::write_slab(state_->dataset, state_->type, at, count, samples);
}

void FrameWriter::close() {
    state_->dataset.close();
    h5::flush(state_->file);
    state_->file.close();
}

// --- masters of Dectris ------------------------------------------------------------------------

std::int64_t n_data_files(std::int64_t n_frames) {
    return (n_frames + frames_per_data_file - 1) / frames_per_data_file;
}

namespace {

/// The data files behind a master, one after the other.
class DataFiles {
  public:
    DataFiles(const std::vector<NamedFile>& files, const FrameLayout& layout, std::int64_t channels)
        : files_(files), layout_(layout), channels_(channels) {}

    std::int64_t frames_in(std::int64_t file) const {
        return std::min(frames_per_data_file, layout_.n_frames - file * frames_per_data_file);
    }
    FrameWriter& file_of(std::int64_t frame) {
        const std::int64_t file = frame / frames_per_data_file;
        if (file != open_) {
            close();
            FrameLayout one = layout_;
            one.n_frames = frames_in(file);
            writer_ = std::make_unique<FrameWriter>(
                files_[static_cast<std::size_t>(file)].path, one, channels_);
            open_ = file;
        }
        return *writer_;
    }
    void close() {
        if (writer_) writer_->close();
        writer_.reset();
    }
    const FrameLayout& layout() const { return layout_; }
    /// As a link names it: beside the master.
    std::string name(std::size_t file) const {
        return std::filesystem::path(files_[file].name).filename().string();
    }
    std::size_t n_files() const { return files_.size(); }

  private:
    std::vector<NamedFile> files_;
    FrameLayout layout_;
    std::int64_t channels_;
    std::int64_t open_ = -1;
    std::unique_ptr<FrameWriter> writer_;
};

class DectrisWriter final : public FramesWriter {
  public:
    DectrisWriter(const NamedFile& master,
                  const std::vector<NamedFile>& data,
                  const FrameLayout& layout)
        : master_(master), data_(data, layout, 1) {}

    void write(std::int64_t first, std::int64_t n, const std::byte* samples) override {
        for (std::int64_t k = 0; k < n; ++k, samples += data_.layout().frame_bytes())
            data_.file_of(first + k).write((first + k) % frames_per_data_file, 1, samples);
    }

    void close() override {
        data_.close();
        h5::File file = h5::create_file_over(master_.path);
        h5::require_group(file.id(), "/entry/data");
        for (std::size_t k = 0; k < data_.n_files(); ++k) {
            std::string number = std::to_string(k + 1);
            number.insert(0, number.size() < 6 ? 6 - number.size() : 0, '0');
            h5::link_external(file.id(), "/entry/data/data_" + number, data_.name(k), data_path);
        }
        h5::flush(file);
        file.close();
    }

  private:
    NamedFile master_;
    DataFiles data_;
};

constexpr std::int64_t n_channels = 2;

class VirtualWriter final : public FramesWriter {
  public:
    VirtualWriter(const NamedFile& master,
                  const std::vector<NamedFile>& data,
                  const FrameLayout& layout)
        : master_(master), data_(data, layout, n_channels) {}

    void write(std::int64_t first, std::int64_t n, const std::byte* samples) override {
        for (std::int64_t k = 0; k < n; ++k, samples += data_.layout().frame_bytes()) {
            const std::int64_t frame = (first + k) % frames_per_data_file;
            FrameWriter& file = data_.file_of(first + k);
            file.write_channel(frame, 0, samples);
            file.write_channel(frame, 1, halved(samples));
        }
    }

    void close() override {
        data_.close();
        h5::File file = h5::create_file_over(master_.path);
        h5::Group group = h5::require_group(file.id(), "/entry/data");
        create_virtual(file);
        h5::write_strings(file.id(), "/entry/data/channel", {"threshold_1", "threshold_2"});
        h5::write_attribute(
            group.id(), "default_slice", std::vector<std::string>{".", "threshold_1", ".", "."});
        group.close();
        h5::flush(file);
        file.close();
    }

  private:
    const std::byte* halved(const std::byte* samples) {
        const auto width = static_cast<std::size_t>(data_.layout().sample_bytes);
        half_.resize(data_.layout().frame_bytes());
        for (std::size_t at = 0; at < half_.size(); at += width) {
            std::uint32_t value = 0;
            std::memcpy(&value, samples + at, width);
            value /= 2;
            std::memcpy(half_.data() + at, &value, width);
        }
        return half_.data();
    }

    void create_virtual(const h5::File& file) {
        const auto held = h5::lock();
        const FrameLayout& layout = data_.layout();
        const h5::Shape whole = shape_of(layout, layout.n_frames, n_channels);
        const h5::Space space(
            H5Screate_simple(static_cast<int>(whole.size()), whole.data(), nullptr));
        const h5::PropertyList list(H5Pcreate(H5P_DATASET_CREATE));
        bool good = true;
        for (std::size_t k = 0; k < data_.n_files(); ++k) {
            const auto number = static_cast<std::int64_t>(k);
            const h5::Shape part = shape_of(layout, data_.frames_in(number), n_channels);
            const h5::Space source(
                H5Screate_simple(static_cast<int>(part.size()), part.data(), nullptr));
            const h5::Shape start = {static_cast<hsize_t>(number * frames_per_data_file), 0, 0, 0};
            good =
                good &&
                H5Sselect_hyperslab(
                    space.id(), H5S_SELECT_SET, start.data(), nullptr, part.data(), nullptr) >= 0;
            good = good &&
                   H5Pset_virtual(
                       list.id(), space.id(), data_.name(k).c_str(), data_path, source.id()) >= 0;
        }
        const h5::Dataset dataset(H5Dcreate2(file.id(),
                                             data_path,
                                             sample_type(layout.sample_bytes),
                                             space.id(),
                                             H5P_DEFAULT,
                                             list.id(),
                                             H5P_DEFAULT));
        if (!good || !dataset) {
            throw Error(ExitCode::io, master_.name + ": virtual dataset: " + h5::take_error());
        }
    }

    NamedFile master_;
    DataFiles data_;
    std::vector<std::byte> half_;
};

}  // namespace

std::unique_ptr<FramesWriter> dectris_writer(const NamedFile& master,
                                             const std::vector<NamedFile>& data,
                                             const FrameLayout& layout) {
    return std::make_unique<DectrisWriter>(master, data, layout);
}

std::unique_ptr<FramesWriter> virtual_writer(const NamedFile& master,
                                             const std::vector<NamedFile>& data,
                                             const FrameLayout& layout) {
    return std::make_unique<VirtualWriter>(master, data, layout);
}

}  // namespace xpcs
