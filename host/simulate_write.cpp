// SPDX-License-Identifier: BSD-3-Clause
#include "host/simulate_write.hpp"

#include "host/errors.hpp"
#include "host/h5.hpp"
#include "host/h5_check.hpp"
#include "host/readers/hdf5_dense.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <limits>

namespace xpcs {

namespace {

const char* name_of(SimulateFormat format) {
    if (format == SimulateFormat::rigaku) return "rigaku";
    return format == SimulateFormat::rigaku3m ? "rigaku3m" : "hdf5";
}

const char* name_of(SimulateCompression compression) {
    switch (compression) {
    case SimulateCompression::gzip:
        return "gzip";
    case SimulateCompression::lzf:
        return "lzf";
    case SimulateCompression::bslz4:
        return "bslz4";
    default:
        return "none";
    }
}

}  // namespace

// --- names -------------------------------------------------------------------------------------

std::string simulated_stem(const SimulateOptions& options) {
    const std::string& output = options.output;
    std::vector<std::string> endings = {".h5", ".hdf5", ".hdf"};
    if (options.format == SimulateFormat::rigaku) endings = {".bin"};
    if (options.format == SimulateFormat::rigaku3m) endings = {".bin.000", ".bin"};
    for (const std::string& ending : endings) {
        if (output.size() > ending.size() && output.ends_with(ending) &&
            output[output.size() - ending.size() - 1] != '/') {
            return output.substr(0, output.size() - ending.size());
        }
    }
    std::string allowed;
    for (const std::string& ending : endings) {
        allowed += (allowed.empty() ? "" : ", ") + ending;
    }
    throw Error(ExitCode::config,
                "simulate: output '" + output + "': a name ending in " + allowed +
                    " allowed for format " + name_of(options.format));
}

// --- frames ------------------------------------------------------------------------------------

struct FrameWriter::State {
    h5::File file;
    h5::Dataset dataset;
    hid_t memory_type;
    hsize_t rows, cols;
};

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
    const h5::Space space(H5Screate_simple(3, shape.data(), nullptr));
    constexpr unsigned parameters[] = {0, 2};  // default block, LZ4
    H5Pset_create_intermediate_group(links.id(), 1);
    H5Pset_obj_track_times(storage.id(), false);
    if (H5Pset_chunk(storage.id(), 3, chunk.data()) < 0 ||
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

h5::Dataset create_frames(const h5::File& file, const SimulateOptions& options) {
    const h5::Shape shape = {static_cast<hsize_t>(options.n_frames),
                             static_cast<hsize_t>(options.rows),
                             static_cast<hsize_t>(options.cols)};
    const h5::Shape one_frame = {1, shape[1], shape[2]};
    const hid_t type = sample_type(options.sample_bytes);
    if (options.compression == SimulateCompression::bslz4) {
        return create_bitshuffled(file, type, shape, one_frame);
    }
    h5::Storage storage;
    storage.contiguous_below = options.contiguous ? std::numeric_limits<std::uint64_t>::max() : 0;
    storage.chunk = one_frame;
    if (options.compression == SimulateCompression::gzip) storage.filter = h5::Filter::gzip;
    if (options.compression == SimulateCompression::lzf) storage.filter = h5::Filter::lzf;
    return h5::create_dataset(file.id(), data_path, type, shape, storage);
}

}  // namespace

FrameWriter::FrameWriter(const std::string& path, const SimulateOptions& options)
    : state_(std::make_unique<State>()) {
    h5::register_filters();
    find_distribution_plugins();
    state_->file = h5::create_file_over(path);
    state_->dataset = create_frames(state_->file, options);
    state_->rows = static_cast<hsize_t>(options.rows);
    state_->cols = static_cast<hsize_t>(options.cols);
    state_->memory_type = options.sample_bytes == 1   ? h5::native_type<std::uint8_t>()
                          : options.sample_bytes == 2 ? h5::native_type<std::uint16_t>()
                                                      : h5::native_type<std::uint32_t>();
}

FrameWriter::~FrameWriter() = default;

void FrameWriter::write(std::int64_t first_frame, std::int64_t n_frames, const std::byte* samples) {
    h5::write_slab(state_->dataset,
                   state_->memory_type,
                   {static_cast<hsize_t>(first_frame), 0, 0},
                   {static_cast<hsize_t>(n_frames), state_->rows, state_->cols},
                   samples);
}

void FrameWriter::close() {
    state_->dataset.close();
    h5::flush(state_->file);
    state_->file.close();
}

// --- truth -------------------------------------------------------------------------------------

std::string simulated_truth(const SimulateOptions& options, const SimulateReport& report) {
    nlohmann::ordered_json truth;
    truth["format"] = name_of(options.format);
    truth["model"] = "g2(tau) = 1 + contrast * exp(-2 D q^2 tau)";
    truth["shape"] = {options.rows, options.cols};
    truth["frames"] = options.n_frames;
    truth["frame_time_s"] = options.frame_time_s;
    truth["occupancy"] = options.occupancy;
    truth["seed"] = options.seed;
    truth["diffusion_angstrom2_per_s"] = options.diffusion;
    truth["contrast"] = options.contrast;
    truth["energy_keV"] = options.energy_keV;
    truth["distance_m"] = options.distance_m;
    truth["pixel_size_m"] = options.pixel_size_m;
    truth["beam_center_x"] = *options.beam_center_x;
    truth["beam_center_y"] = *options.beam_center_y;
    truth["falloff_q_inv_angstrom"] = options.falloff_q_inv_angstrom;
    truth["beamstop_radius_px"] = options.beamstop_radius_px;
    truth["hot_rate"] = options.hot_rate;
    truth["hot_pixels"] = report.hot_pixels;
    truth["lit_pixels"] = report.lit_pixels;
    truth["events"] = report.n_events;
    truth["photons"] = report.n_photons;
    if (options.format == SimulateFormat::hdf5) {
        truth["sample_bytes"] = options.sample_bytes;
        truth["compression"] = name_of(options.compression);
    }
    return truth.dump(1) + "\n";
}

}  // namespace xpcs
