// SPDX-License-Identifier: BSD-3-Clause
#include "host/convert.hpp"

#include "host/claimed_file.hpp"
#include "host/errors.hpp"
#include "host/h5.hpp"
#include "host/memory.hpp"
#include "host/readers/imm_header.hpp"
#include "host/readers/rigaku_word.hpp"
#include "host/stop.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <utility>

namespace xpcs {

namespace {

struct Photons {
    std::int64_t frame;
    std::uint32_t pixel;
    std::uint32_t count;
    bool operator==(const Photons&) const = default;
};

/// A whole run: photons in order of frame and pixel, each pair once.
struct Content {
    std::int64_t rows = 0, cols = 0, n_frames = 0;
    std::int64_t no_data = 0, duplicates = 0;
    std::vector<Photons> photons;
};

void add(const EventChunk& chunk, Content& to) {
    for (std::size_t i = 0; i < chunk.size(); ++i) {
        to.photons.push_back({chunk.frame_base + chunk.frame[i], chunk.pixel[i], chunk.count[i]});
    }
}

template <class Sample>
void add_samples(const DenseChunk& chunk, Content& to) {
    const std::byte* at = chunk.samples.data();
    for (std::int64_t frame = 0; frame < chunk.n_frames; ++frame) {
        for (std::int64_t pixel = 0; pixel < chunk.n_pixels; ++pixel, at += sizeof(Sample)) {
            Sample sample;
            std::memcpy(&sample, at, sizeof sample);
            if (sample == 0) continue;
            if (sample == std::numeric_limits<Sample>::max()) {
                ++to.no_data;
            } else {
                to.photons.push_back(
                    {chunk.first_frame + frame, static_cast<std::uint32_t>(pixel), sample});
            }
        }
    }
}

void add(const DenseChunk& chunk, Content& to) {
    if (chunk.sample_bytes == 1) return add_samples<std::uint8_t>(chunk, to);
    if (chunk.sample_bytes == 2) return add_samples<std::uint16_t>(chunk, to);
    add_samples<std::uint32_t>(chunk, to);
}

void sort_and_merge(Content& content) {
    auto& all = content.photons;
    const auto before = [](const Photons& a, const Photons& b) {
        return a.frame != b.frame ? a.frame < b.frame : a.pixel < b.pixel;
    };
    if (!std::is_sorted(all.begin(), all.end(), before)) std::sort(all.begin(), all.end(), before);
    std::size_t n = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (n > 0 && all[n - 1].frame == all[i].frame && all[n - 1].pixel == all[i].pixel) {
            const std::uint64_t sum = std::uint64_t{all[n - 1].count} + all[i].count;
            all[n - 1].count = static_cast<std::uint32_t>(
                std::min<std::uint64_t>(sum, std::numeric_limits<std::uint32_t>::max()));
            ++content.duplicates;
        } else {
            all[n++] = all[i];
        }
    }
    all.resize(n);
}

Content read_all(const std::string& path,
                 const SourceOptions& options,
                 std::int64_t rows,
                 std::int64_t cols,
                 SourceInfo* info_out = nullptr) {
    const auto source = open_frame_source(path, options);
    if (source->info().rows == 0) source->set_shape(rows, cols);
    const SourceInfo& info = source->info();
    Content content;
    content.rows = info.rows > 0 ? info.rows : rows;
    content.cols = info.cols > 0 ? info.cols : cols;
    const std::uint64_t memory = available_memory_bytes();
    RawBlock block;
    Chunk chunk;
    DecodeCounts counts;
    while (source->next(block)) {
        throw_if_stopped();
        source->decode(block, chunk, counts);
        std::visit([&](const auto& decoded) { add(decoded, content); }, chunk);
        // Twice: what was written is read back.
        if (memory > 0 && 2 * content.photons.size() * sizeof(Photons) > memory) {
            throw Error(ExitCode::no_memory,
                        path + ": more than " + std::to_string(content.photons.size()) +
                            " events do not fit into " + gib_text(static_cast<double>(memory)) +
                            " of memory twice; convert parts of the run");
        }
    }
    content.n_frames = std::max({info.n_frames, counts.last_frame + 1, options.n_frames});
    sort_and_merge(content);
    if (info_out != nullptr) *info_out = info;
    return content;
}

/// A stream that throws with the reason of the operating system.
class Output {
  public:
    explicit Output(const std::string& path) : path_(path), stream_(path, std::ios::binary) {
        if (!stream_) {
            throw Error(ExitCode::cannot_create, path_ + ": " + std::strerror(errno));
        }
    }
    void put(const void* bytes, std::size_t n) {
        stream_.write(static_cast<const char*>(bytes), static_cast<std::streamsize>(n));
        if (!stream_) throw Error(ExitCode::io, "writing " + path_ + ": " + std::strerror(errno));
    }
    void close() {
        stream_.close();
        if (!stream_) throw Error(ExitCode::io, "writing " + path_ + ": " + std::strerror(errno));
    }

  private:
    std::string path_;
    std::ofstream stream_;
};

void write_rigaku(const Content& content, const std::string& path, const std::string& name) {
    if (content.rows * content.cols > rigaku::index_limit) {
        throw Error(ExitCode::data,
                    name + ": " + std::to_string(content.rows) + " x " +
                        std::to_string(content.cols) +
                        " pixels do not fit the 21-bit index of a .bin file; .h5 holds them");
    }
    Output out(path);
    std::int64_t before = 0;
    const auto check_gap = [&](std::int64_t frame) {
        if (frame - before >= rigaku::wrap_threshold) {
            throw Error(ExitCode::data,
                        name + ": no photons from frame " + std::to_string(before) + " to " +
                            std::to_string(frame) +
                            "; the 24-bit frame counter of a .bin file cannot tell; .h5 can");
        }
        before = frame;
    };
    for (const Photons& photons : content.photons) {
        check_gap(photons.frame);
        // Readers add up what one pixel has in one frame.
        for (std::uint32_t left = photons.count; left > 0;) {
            const std::uint32_t count = std::min(left, rigaku::count_limit - 1);
            const std::uint64_t word = rigaku::make_word(photons.frame, photons.pixel, count);
            out.put(&word, sizeof word);
            left -= count;
        }
    }
    const bool empty_end =
        content.photons.empty() || content.photons.back().frame + 1 < content.n_frames;
    if (empty_end && content.n_frames > 0) {
        // A record of count 0 says that the last frame exists.
        check_gap(content.n_frames - 1);
        const std::uint64_t word = rigaku::make_word(content.n_frames - 1, 0, 0);
        out.put(&word, sizeof word);
    }
    out.close();
}

void write_sparse_hdf5(const Content& content, const std::string& path) {
    std::vector<std::uint64_t> begin(static_cast<std::size_t>(content.n_frames) + 1, 0);
    std::vector<std::uint32_t> index, intensity;
    index.reserve(content.photons.size());
    intensity.reserve(content.photons.size());
    for (const Photons& photons : content.photons) {
        ++begin[static_cast<std::size_t>(photons.frame) + 1];
        index.push_back(photons.pixel);
        intensity.push_back(photons.count);
    }
    for (std::size_t frame = 1; frame < begin.size(); ++frame)
        begin[frame] += begin[frame - 1];
    h5::File file = h5::create_file_over(path);
    const std::string group = "/entry_0000/measurement/data";
    h5::Storage storage;
    storage.filter = h5::Filter::gzip;
    storage.gzip_level = 1;
    h5::write(file.id(), group + "/frame_ptr", begin, {begin.size()}, storage);
    h5::write(file.id(), group + "/index", index, {index.size()}, storage);
    h5::write(file.id(), group + "/intensity", intensity, {intensity.size()}, storage);
    const h5::Group opened = h5::open_group(file.id(), group);
    h5::write_attribute(opened.id(), "rows", content.rows);
    h5::write_attribute(opened.id(), "cols", content.cols);
    h5::flush(file);
}

void write_imm(const Content& content, const std::string& path) {
    Output out(path);
    imm::Header header;
    header.compression = imm::compression_sparse;
    header.rows = content.rows;
    header.cols = content.cols;
    header.version = imm::first_version_with_width;
    std::size_t at = 0;
    std::vector<std::uint32_t> index;
    std::string values;
    for (std::int64_t frame = 0; frame < content.n_frames; ++frame) {
        std::size_t end = at;
        std::uint32_t largest = 0;
        for (; end < content.photons.size() && content.photons[end].frame == frame; ++end)
            largest = std::max(largest, content.photons[end].count);
        const std::size_t width = largest > 0xFFFF ? 4 : 2;
        header.stated_value_bytes = static_cast<std::int32_t>(width);
        header.dlen = static_cast<std::int64_t>(end - at);
        index.clear();
        values.clear();
        for (; at < end; ++at) {
            index.push_back(content.photons[at].pixel);
            values.append(reinterpret_cast<const char*>(&content.photons[at].count), width);
        }
        const auto bytes = imm::make_header(header, static_cast<std::int32_t>(frame));
        out.put(bytes.data(), bytes.size());
        out.put(index.data(), index.size() * sizeof(std::uint32_t));
        out.put(values.data(), values.size());
    }
    out.close();
}

void write_as(ConvertFormat format,
              const Content& content,
              const std::string& path,
              const std::string& name) {
    switch (format) {
    case ConvertFormat::rigaku:
        return write_rigaku(content, path, name);
    case ConvertFormat::sparse_hdf5:
        return write_sparse_hdf5(content, path);
    default:
        return write_imm(content, path);
    }
}

}  // namespace

ConvertFormat convert_format_of(const std::string& output) {
    if (output.ends_with(".bin")) return ConvertFormat::rigaku;
    if (output.ends_with(".h5") || output.ends_with(".hdf") || output.ends_with(".hdf5")) {
        return ConvertFormat::sparse_hdf5;
    }
    if (output.ends_with(".imm")) return ConvertFormat::imm;
    throw Error(ExitCode::usage,
                "convert: output '" + output +
                    "': a name ending in .bin (Rigaku), .h5 (sparse HDF5) or .imm allowed");
}

ConvertReport convert(const ConvertOptions& options) {
    const ConvertFormat format = convert_format_of(options.output);
    if (!options.overwrite && std::filesystem::exists(options.output)) {
        throw Error(ExitCode::cannot_create,
                    "convert: " + options.output + ": exists; another name or --overwrite allowed");
    }
    const std::int64_t rows = options.rows > 0 ? options.rows : rigaku::module_rows;
    const std::int64_t cols = options.cols > 0 ? options.cols : rigaku::module_cols;
    SourceInfo info;
    const Content content = read_all(options.input, options.source, rows, cols, &info);
    if (content.no_data > 0 && !options.drop_no_data) {
        throw Error(ExitCode::data,
                    options.input + ": " + std::to_string(content.no_data) +
                        " samples without data (all bits set), which a sparse file cannot hold; "
                        "--drop-no-data leaves them out (the q-map must mask them)");
    }
    NewFile file(options.output, options.overwrite);
    write_as(format, content, file.hidden_path(), options.input);
    SourceOptions back;
    const Content read = read_all(file.hidden_path(), back, content.rows, content.cols);
    if (read.n_frames != content.n_frames || read.photons != content.photons) {
        throw Error(ExitCode::internal,
                    "convert: " + options.output + ": " + std::to_string(read.photons.size()) +
                        " events in " + std::to_string(read.n_frames) + " frames read back, " +
                        std::to_string(content.photons.size()) + " in " +
                        std::to_string(content.n_frames) + " written, or their content differs");
    }
    ConvertReport report;
    report.bytes_out = std::filesystem::file_size(file.hidden_path());
    file.commit();
    report.format = info.format;
    report.rows = content.rows;
    report.cols = content.cols;
    report.n_frames = content.n_frames;
    report.n_events = static_cast<std::int64_t>(content.photons.size());
    for (const Photons& photons : content.photons)
        report.n_photons += photons.count;
    report.no_data = content.no_data;
    report.duplicates = content.duplicates;
    report.bytes_in = info.n_bytes;
    return report;
}

}  // namespace xpcs
