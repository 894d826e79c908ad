// SPDX-License-Identifier: BSD-3-Clause
#include "host/convert.hpp"

#include "host/atomic_file.hpp"
#include "host/claimed_file.hpp"
#include "host/errors.hpp"
#include "host/memory.hpp"
#include "host/readers/rigaku_word.hpp"
#include "host/stop.hpp"
#include "host/writers/raw_writer.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>

namespace xpcs {

namespace {

/// A whole run: photons in order of frame and pixel, each pair once.
struct Content {
    std::int64_t rows = 0, cols = 0, n_frames = 0;
    std::int64_t no_data = 0, duplicates = 0, late = 0;
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
    content.n_frames = options.n_frames;
    if (options.n_frames == 0) {
        content.n_frames = std::max(frames_seen(info, counts.last_frame),
                                    info.last_frame_partial ? 0 : counts.last_frame + 1);
    }
    sort_and_merge(content);
    const auto late = std::partition_point(
        content.photons.begin(), content.photons.end(), [&](const Photons& photons) {
            return photons.frame < content.n_frames;
        });
    if (!info.last_frame_partial) content.late = content.photons.end() - late;
    content.photons.erase(late, content.photons.end());
    if (info_out != nullptr) *info_out = info;
    return content;
}

void write_as(ConvertFormat format,
              const Content& content,
              const std::string& path,
              const std::string& name) {
    std::unique_ptr<PhotonWriter> writer;
    if (format == ConvertFormat::rigaku) {
        if (content.rows * content.cols > rigaku::index_limit) {
            throw Error(ExitCode::data,
                        name + ": " + std::to_string(content.rows) + " x " +
                            std::to_string(content.cols) +
                            " pixels do not fit the 21-bit index of a .bin file; .h5 holds them");
        }
        writer = rigaku_writer(path, {name, 0, true});
    } else if (format == ConvertFormat::sparse_hdf5) {
        writer = sparse_hdf5_writer(path, content.rows, content.cols);
    } else {
        writer = imm_writer(path, content.rows, content.cols, 0);
    }
    writer->add(content.photons);
    writer->close(content.n_frames);
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
    require_no_input(options.output, {options.input});
    require_no_input(options.output, options.source.more_files);
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
    require_no_input(options.output, info.files);  // also what its links lead to
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
    report.warnings = info.warnings;
    report.rows = content.rows;
    report.cols = content.cols;
    report.n_frames = content.n_frames;
    report.n_events = static_cast<std::int64_t>(content.photons.size());
    for (const Photons& photons : content.photons)
        report.n_photons += photons.count;
    report.no_data = content.no_data;
    report.duplicates = content.duplicates;
    report.late = content.late;
    report.bytes_in = info.n_bytes;
    return report;
}

}  // namespace xpcs
