// SPDX-License-Identifier: BSD-3-Clause
#include "host/result_file.hpp"

#include "host/chunk_writer.hpp"
#include "host/claimed_file.hpp"
#include "host/errors.hpp"
#include "host/h5.hpp"
#include "host/log.hpp"
#include "host/nexus.hpp"
#include "host/result_paths.hpp"
#include "host/result_reader.hpp"
#include "host/result_write.hpp"
#include "host/text.hpp"
#include "host/version.hpp"
#include "kernels/twotime.hpp"

#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <system_error>

namespace xpcs {

namespace {

namespace fs = std::filesystem;
namespace rp = result_path;

constexpr std::uintmax_t largest_metadata_bytes = std::uintmax_t{1} << 32;

void require_name_part(const char* option, const std::string& value) {
    const auto forbidden = [](char c) {
        return c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    };
    if (std::any_of(value.begin(), value.end(), forbidden)) {
        throw Error(ExitCode::config,
                    std::string(option) + " '" + printable(value) +
                        "': part of a file name, '/' and control characters are not allowed");
    }
}

/// `<prefix>_<base>_<suffix>_results`, without directory and extension.
std::string result_stem(const RunConfig& config, const std::string& base) {
    require_name_part("--prefix", config.prefix);
    require_name_part("--suffix", config.suffix);
    require_name_part("name of the result", base);
    std::string prefix = config.prefix, suffix = config.suffix;
    prefix.erase(prefix.find_last_not_of('_') + 1);
    suffix.erase(0, std::min(suffix.find_first_not_of('_'), suffix.size()));
    std::string stem = prefix.empty() ? base : prefix + "_" + base;
    if (!suffix.empty()) {
        stem += "_" + suffix;
    }
    stem += rp::result_ending;
    constexpr std::size_t longest = 255 - 12;  // room for _NNNNNNN.hdf
    if (stem.size() > longest) {
        throw Error(ExitCode::config,
                    "name of the result '" + printable(stem, 80) +
                        "': " + std::to_string(stem.size()) + " bytes, at most " +
                        std::to_string(longest) + " are allowed");
    }
    return stem;
}

/// Number 0 is the plain name, others `_results_N.hdf`.
std::string numbered_path(const std::string& directory, const std::string& stem, int number) {
    std::string name = stem;
    if (number > 0) {
        name.append(1, '_').append(std::to_string(number));
    }
    return (fs::path(directory) / (name + rp::result_extension)).string();
}

/// HDF5 tells the operating system's reason somewhere in a long line.
[[noreturn]] void cannot_write(const std::string& name, const Error& error) {
    const std::string text = error.what();
    const std::string mark = "error message = '";
    const std::size_t begin = text.find(mark);
    if (error.code() != ExitCode::io || begin == std::string::npos) {
        throw error;
    }
    const std::size_t first = begin + mark.size();
    const std::string reason = text.substr(first, text.find('\'', first) - first);
    throw Error(ExitCode::io, "result '" + printable(name) + "': cannot be written: " + reason);
}

constexpr int most_numbers = 1'000'000;

[[noreturn]] void no_name_left(const std::string& stem) {
    throw Error(ExitCode::cannot_create,
                "result '" + stem + "': " + std::to_string(most_numbers) + " files of that name");
}

h5::File begin_with(const std::string& metadata, ClaimedFile& hidden) {
    if (metadata.empty()) {
        return h5::create_file_over(hidden.path());
    }
    h5::open_file(metadata);  // says what is wrong with it under its own name
    std::error_code error;
    const std::uintmax_t size = fs::file_size(metadata, error);
    if (!error && size > largest_metadata_bytes) {
        throw Error(ExitCode::data,
                    "metadata '" + metadata + "': " + std::to_string(size) + " bytes, at most " +
                        std::to_string(largest_metadata_bytes) + " are expected");
    }
    hidden.copy_from(metadata);
    return h5::open_file_for_writing(hidden.path());
}

class BandSink final : public UnnormalizedSink {
  public:
    BandSink(hid_t file, int n_lags, std::int64_t rows, std::int64_t cols)
        : n_lags_(static_cast<hsize_t>(n_lags)), cols_(static_cast<hsize_t>(cols)),
          band_rows_(rows_of_band(rows, cols)) {
        h5::Storage storage = result_storage();
        storage.gzip_level = 1;  // many GiB of a diagnostic dataset: speed before size
        storage.chunk = {1, 1, static_cast<hsize_t>(band_rows_), cols_};
        storage.contiguous_below = 1;
        dataset_ = h5::create_dataset(file,
                                      rp::unnormalized_G2.path,
                                      H5T_NATIVE_FLOAT,
                                      {n_lags_, 3, static_cast<hsize_t>(rows), cols_},
                                      storage);
        h5::describe(dataset_.id(), rp::unnormalized_G2.unit, rp::unnormalized_G2.description);
        h5::write_attribute(dataset_.id(), rp::attribute_slots, rp::slots_of_unnormalized_G2);
    }
    std::int64_t band_rows() const override { return band_rows_; }
    void write_rows(std::int64_t first_row, std::int64_t n_rows, const float* values) override {
        h5::write_slab(dataset_,
                       H5T_NATIVE_FLOAT,
                       {0, 0, static_cast<hsize_t>(first_row), 0},
                       {n_lags_, 3, static_cast<hsize_t>(n_rows), cols_},
                       values);
    }
    void close() { dataset_.close(); }

  private:
    /// Chunks of about 256 KiB, as of every other dataset.
    static std::int64_t rows_of_band(std::int64_t rows, std::int64_t cols) {
        const std::int64_t wanted =
            (std::int64_t{256} << 10) / (4 * std::max<std::int64_t>(cols, 1));
        return std::clamp<std::int64_t>(wanted, 1, std::max<std::int64_t>(rows, 1));
    }
    hsize_t n_lags_;
    hsize_t cols_;
    std::int64_t band_rows_;
    h5::Dataset dataset_;
};

}  // namespace

void prepare_output_directory(const std::string& directory) {
    std::error_code error;
    const fs::path path = directory.empty() ? fs::path(".") : fs::path(directory);
    if (fs::exists(path, error) && !fs::is_directory(path, error)) {
        throw Error(ExitCode::cannot_create,
                    "output '" + directory + "': is a file, a directory is expected");
    }
    fs::create_directories(path, error);
    if (error) {
        throw Error(ExitCode::cannot_create,
                    "output directory '" + directory + "': cannot be created: " + error.message());
    }
    // Asking for permissions is not enough on network file systems: try it.
    const ClaimedFile probe(path.string());
}

std::string publish_result(ClaimedFile& hidden,
                           const std::string& directory,
                           const std::string& stem,
                           bool overwrite) {
    hidden.sync();
    std::string reason;
    if (!is_complete_result(hidden.path(), reason)) {
        throw Error(ExitCode::io, "result '" + stem + "' is not complete after writing: " + reason);
    }
    if (overwrite) {
        std::string path = numbered_path(directory, stem, 0);
        hidden.publish_over(path);
        return path;
    }
    for (int number = 0; number < most_numbers; ++number) {
        std::string path = numbered_path(directory, stem, number);
        if (hidden.publish_new(path)) {
            return path;
        }
    }
    no_name_left(stem);
}

std::string planned_result_path(const RunConfig& config, const std::string& base) {
    const std::string stem = result_stem(config, base);
    for (int number = 0; number < most_numbers; ++number) {
        std::string path = numbered_path(config.output, stem, number);
        std::error_code error;
        if (config.overwrite || !fs::exists(fs::symlink_status(path, error))) {
            return path;
        }
    }
    no_name_left(stem);
}

struct ResultFile::State {
    State(const RunConfig& run_config, const std::string& base, const std::string& metadata_file)
        : config(run_config), stem(result_stem(run_config, base)), hidden(directory()),
          file(begin_with(metadata_file, hidden)) {
        const std::string moved = displace_metadata_xpcs(file.id());
        if (!moved.empty()) {
            Log::warning("metadata '" + printable(metadata_file) + "' has a group " +
                         rp::xpcs.path + ": kept as " + moved);
        }
        const h5::Group group = h5::require_group(file.id(), rp::xpcs.path);
        h5::write_attribute(group.id(), rp::attribute_program, rp::program_name);
        h5::write_attribute(group.id(), rp::attribute_version, version());
    }
    std::string directory() const { return config.output.empty() ? "." : config.output; }

    std::string name() const { return numbered_path(config.output, stem, 0); }

    /// Marks it complete and closes it: the last moment at which writing can fail.
    void close_file() {
        if (sink) {
            sink->close();
        }
        {
            const h5::Group group = h5::open_group(file.id(), rp::xpcs.path);
            h5::write_attribute(group.id(), rp::attribute_complete, std::int64_t{1});
        }
        h5::flush(file);
        file.close();
    }

    RunConfig config;
    std::string stem;
    ClaimedFile hidden;  // before the file: removed after it is closed
    h5::File file;
    std::unique_ptr<BandSink> sink;
    std::future<std::string> qmap_hash;  // of the q-map that is written ahead; before the file
    bool written = false;
};

ResultFile::ResultFile(const RunConfig& config,
                       const std::string& base,
                       const std::string& metadata_file)
    : state_(std::make_unique<State>(config, base, metadata_file)) {}

ResultFile::~ResultFile() = default;

UnnormalizedSink& ResultFile::unnormalized(int n_lags, std::int64_t rows, std::int64_t cols) {
    state_->sink = std::make_unique<BandSink>(state_->file.id(), n_lags, rows, cols);
    return *state_->sink;
}

std::unique_ptr<ChunkWriter> ResultFile::twotime_map(std::size_t k, std::int64_t n_frames) {
    const auto T = static_cast<hsize_t>(n_frames);
    const auto side = static_cast<hsize_t>(twotime_tile_side(n_frames));
    auto map = std::make_unique<ChunkWriter>(
        state_->file.id(), twotime_map_path(k), h5::Shape{T, T}, h5::Shape{side, side});
    h5::describe(map->dataset().id(), rp::twotime_map.unit, rp::twotime_map.description);
    return map;
}

std::size_t band_chunk(std::int64_t n_blocks) {
    return static_cast<std::size_t>(std::min<std::int64_t>(n_blocks, std::int64_t{1} << 16));
}

std::unique_ptr<ChunkWriter> ResultFile::band_level(const BandLevel& level, std::size_t n_bins) {
    auto map = std::make_unique<ChunkWriter>(
        state_->file.id(),
        band_level_path(level.level) + "/correlation",
        h5::Shape{n_bins, level.channels.size(), static_cast<hsize_t>(level.n_blocks)},
        h5::Shape{1, 1, band_chunk(level.n_blocks)});
    h5::describe(map->dataset().id(), "", "C of bin, channel and block; NaN where there is none");
    return map;
}

void ResultFile::write_ahead(const QMap& qmap) {
    const int threads = state_->config.threads;
    state_->qmap_hash = std::async(
        threads == 1 ? std::launch::deferred : std::launch::async, [this, &qmap, threads] {
            // Its own arena: no thread that waits for the library is needed to pack what is
            // written.
            oneapi::tbb::task_arena arena(threads > 0 ? threads
                                                      : oneapi::tbb::task_arena::automatic);
            return arena.execute(
                [&] { return write_qmap(state_->file.id(), qmap, state_->config.transpose_qmap); });
        });
}

void ResultFile::write(const RunResult& result) {
    const hid_t file = state_->file.id();
    try {
        if (!state_->qmap_hash.valid()) write_ahead(result.qmap);
        const std::string qmap_hash = state_->qmap_hash.get();
        complete_entry(file, result);
        if (has_multitau(result.config.type)) {
            write_multitau(file, result);
            write_config(file, result, rp::multitau_config.path);
        }
        if (result.two_time) {
            write_twotime(file, result);
            write_config(file, result, rp::twotime_config.path);
        }
        if (result.band) {
            write_band(file, result);
            write_config(file, result, rp::band_config.path);
        }
        write_scattering(file, result);
        write_provenance(file, result, qmap_hash);
        write_nexus_view(file);
    } catch (const Error& error) {
        cannot_write(state_->name(), error);
    }
    state_->written = true;
}

std::string ResultFile::commit() {
    State& state = *state_;
    if (!state.written) {
        throw Error(ExitCode::internal, "result '" + state.stem + "': nothing was written");
    }
    try {
        state.close_file();
    } catch (const Error& error) {
        cannot_write(state.name(), error);
    }
    return publish_result(state.hidden, state.config.output, state.stem, state.config.overwrite);
}

}  // namespace xpcs
