// SPDX-License-Identifier: BSD-3-Clause
#include "host/simulate_write.hpp"

#include "host/errors.hpp"
#include "host/readers/rigaku_word.hpp"

#include <nlohmann/json.hpp>

namespace xpcs {

const char* name_of(SimulateFormat format) {
    constexpr const char* names[] = {"rigaku",
                                     "rigaku3m",
                                     "hdf5",
                                     "imm",
                                     "imm-dense",
                                     "ftf",
                                     "ufxc",
                                     "hdf5-sparse",
                                     "dectris",
                                     "dectris4d",
                                     "timepix4"};
    return names[static_cast<std::size_t>(format)];
}

namespace {

std::vector<std::string> endings_of(SimulateFormat format) {
    switch (format) {
    case SimulateFormat::rigaku:
        return {".bin"};
    case SimulateFormat::rigaku3m:
        return {".bin.000", ".bin"};
    case SimulateFormat::imm:
    case SimulateFormat::imm_dense:
        return {".imm"};
    case SimulateFormat::ufxc:
        return {".ufxc"};
    case SimulateFormat::ftf:
        return {".h5.000", ".h5"};
    case SimulateFormat::dectris:
    case SimulateFormat::dectris4d:
        return {"_master.h5", ".h5"};
    case SimulateFormat::timepix4:
        return {".tpx"};
    default:
        return {".h5", ".hdf5", ".hdf"};
    }
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
    const std::vector<std::string> endings = endings_of(options.format);
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

std::vector<std::string> simulated_files(const SimulateOptions& options) {
    const std::string stem = simulated_stem(options);
    const auto modules = [&](const std::string& ending) {
        std::vector<std::string> names;
        names.reserve(rigaku::layout_3m::n_modules);
        for (int n = 0; n < rigaku::layout_3m::n_modules; ++n)
            names.push_back(stem + ending + std::to_string(n));
        return names;
    };
    switch (options.format) {
    case SimulateFormat::rigaku3m:
        return modules(".bin.00");
    case SimulateFormat::ftf:
        return modules(".h5.00");
    case SimulateFormat::dectris:
    case SimulateFormat::dectris4d: {
        std::vector<std::string> names = {stem + "_master.h5"};
        for (std::int64_t k = 1; k <= n_data_files(options.n_frames); ++k) {
            std::string number = std::to_string(k);
            number.insert(0, number.size() < 6 ? 6 - number.size() : 0, '0');
            names.push_back(stem + "_data_" + number + ".h5");
        }
        return names;
    }
    default:
        return {options.output};
    }
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
    truth["clipped"] = report.n_clipped;
    if (options.format == SimulateFormat::ftf) truth["bits"] = options.ftf_bits;
    if (options.format == SimulateFormat::hdf5 || options.format == SimulateFormat::dectris ||
        options.format == SimulateFormat::dectris4d) {
        truth["sample_bytes"] = options.sample_bytes;
        truth["compression"] = name_of(options.compression);
    }
    return truth.dump(1) + "\n";
}

}  // namespace xpcs
