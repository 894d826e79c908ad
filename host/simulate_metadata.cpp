// SPDX-License-Identifier: BSD-3-Clause
// The metadata file of a simulated run: every field that readers want, the rest with values that a
// quiet beamline might have.
#include "host/h5.hpp"
#include "host/readers/rigaku_word.hpp"
#include "host/simulate_random.hpp"
#include "host/simulate_write.hpp"
#include "host/version.hpp"

#include <ctime>
#include <filesystem>

namespace xpcs {

namespace {

struct NumberField {
    const char* path;
    double value;
    const char* units;
    const char* description;
};
struct TextField {
    const char* path;
    std::string value;
    const char* description;
};

constexpr double wavelength_keV_m = 12.39841984e-10;

/// `seconds` after the fixed start of simulated runs, so that equal options give equal bytes.
std::string time_text(double seconds) {
    constexpr std::time_t start = 1767258000;  // 2026-01-01 09:00:00 UTC
    const std::time_t then = start + static_cast<std::time_t>(seconds);
    std::tm parts{};
    ::gmtime_r(&then, &parts);
    char buffer[64];
    const std::size_t n = std::strftime(buffer, sizeof buffer, "%Y-%m-%d %H:%M:%S", &parts);
    return std::string(buffer, n) + ".000000";
}

std::string uuid_text(std::uint64_t seed) {
    RandomStream random(seed, 0x75756964);
    std::uint64_t high = random.bits(), low = random.bits();
    high = (high & ~0xF000ULL) | 0x4000ULL;                  // version 4
    low = (low & ~(3ULL << 62)) | (std::uint64_t{1} << 63);  // variant 1
    char buffer[48];
    std::snprintf(buffer,
                  sizeof buffer,
                  "%08x-%04x-%04x-%04x-%012llx",
                  static_cast<unsigned>(high >> 32),
                  static_cast<unsigned>(high >> 16) & 0xFFFFU,
                  static_cast<unsigned>(high) & 0xFFFFU,
                  static_cast<unsigned>(low >> 48),
                  static_cast<unsigned long long>(low & 0xFFFFFFFFFFFFULL));
    return buffer;
}

std::vector<NumberField> detector_numbers(const SimulateOptions& options) {
    const double pixel = options.pixel_size_m;
    return {
        {"frame_time", options.frame_time_s, "s", "time from one frame to the next"},
        {"count_time", options.frame_time_s, "s", "exposure of one frame"},
        {"x_pixel_size", pixel, "m", "width of a pixel"},
        {"y_pixel_size", pixel, "m", "height of a pixel"},
        {"distance", options.distance_m, "m", "sample to detector"},
        {"beam_center_x", *options.beam_center_x, "pixel", "column of the direct beam"},
        {"beam_center_y", *options.beam_center_y, "pixel", "row of the direct beam"},
        {"beam_center_position_x", 0, "m", "detector position when the beam centre was measured"},
        {"beam_center_position_y", 0, "m", "detector position when the beam centre was measured"},
        {"position_x", 0, "m", "detector position during the run"},
        {"position_y", 0, "m", "detector position during the run"},
        {"flightpath_swing", 0, "degree", "horizontal swing of the flight path"},
        {"flightpath_swing_vertical", 0, "degree", "vertical swing of the flight path"},
        {"rotation_x", 0, "degree", "rotation of the detector"},
        {"rotation_y", 0, "degree", "rotation of the detector"},
        {"rotation_z", 0, "degree", "rotation of the detector"},
    };
}

std::vector<NumberField> instrument_numbers(const SimulateOptions& options) {
    const double energy = options.energy_keV;
    return {
        {"incident_beam/incident_energy", energy, "keV", "photon energy"},
        {"incident_beam/incident_energy_spread", 1e-4, "dim.less", "relative bandwidth"},
        {"incident_beam/incident_beam_intensity", 1e10, "any", "monitor before the sample"},
        {"incident_beam/transmitted_beam_intensity", 8e9, "any", "monitor behind the sample"},
        {"incident_beam/extent", 1e-5, "m", "size of the beam at the sample"},
        {"incident_beam/ring_current", 200, "mA", "current in the storage ring"},
        {"attenuator_1/attenuator_transmission", 1, "dim.less", "transmission of the attenuator"},
        {"attenuator_2/attenuator_transmission", 1, "dim.less", "transmission of the attenuator"},
        {"undulator_1/gap", 0.012, "m", "gap of the undulator"},
        {"undulator_1/energy", energy, "keV", "energy of the undulator"},
        {"undulator_1/taper", 0, "m", "taper of the undulator"},
        {"undulator_2/gap", 0.012, "m", "gap of the undulator"},
        {"undulator_2/energy", energy, "keV", "energy of the undulator"},
        {"undulator_2/taper", 0, "m", "taper of the undulator"},
        {"monochromator/energy", energy, "keV", "energy of the monochromator"},
        {"monochromator/wavelength", wavelength_keV_m / energy, "m", "wavelength"},
        {"beam_stop/size", 2 * options.beamstop_radius_px * options.pixel_size_m, "m", "diameter"},
        {"beam_stop/x_position", 0, "m", "from the direct beam"},
        {"beam_stop/y_position", 0, "m", "from the direct beam"},
        {"sl4/horizontal_gap", 1e-4, "m", "opening of the slits"},
        {"sl4/horizontal_center", 0, "m", "centre of the slits"},
        {"sl4/vertical_gap", 1e-4, "m", "opening of the slits"},
        {"sl4/vertical_center", 0, "m", "centre of the slits"},
    };
}

std::vector<NumberField> sample_numbers(const SimulateOptions& options) {
    const double temperature = options.temperature_K;
    return {
        {"position_x", 0, "m", "position of the sample"},
        {"position_y", 0, "m", "position of the sample"},
        {"position_z", 0, "m", "position of the sample"},
        {"position_rheo_x", 0, "m", "position of the rheometer"},
        {"position_rheo_y", 0, "m", "position of the rheometer"},
        {"position_rheo_z", 0, "m", "position of the rheometer"},
        {"qnw1_temperature", temperature, "K", "temperature of the sample"},
        {"qnw1_temperature_set", temperature, "K", "set point of the temperature"},
        {"qnw2_temperature", temperature, "K", "temperature of the sample"},
        {"qnw2_temperature_set", temperature, "K", "set point of the temperature"},
        {"qnw3_temperature", temperature, "K", "temperature of the sample"},
        {"qnw3_temperature_set", temperature, "K", "set point of the temperature"},
        {"qnw_lakeshore", temperature, "K", "temperature of the holder"},
        {"rheometer_shear_rate", 0, "any", "shear rate"},
        {"rheometer_temperature", temperature, "K", "temperature of the rheometer"},
    };
}

class Writer {
  public:
    explicit Writer(const h5::File& file) : file_(file.id()) {}

    void group(const std::string& path, const char* nx_class) {
        h5::write_attribute(h5::require_group(file_, path).id(), "NX_class", nx_class);
    }
    void number(const std::string& path, double value, const char* units, const char* description) {
        h5::describe(h5::write_scalar<double>(file_, path, value).id(), units, description);
    }
    void integer(const std::string& path, std::int64_t value, const char* description) {
        h5::describe(h5::write_scalar<std::int64_t>(file_, path, value).id(), "one", description);
    }
    void text(const std::string& path, const std::string& value, const char* description) {
        h5::describe(h5::write_string(file_, path, value).id(), "", description);
    }
    void numbers(const std::string& group, const std::vector<NumberField>& fields) {
        for (const NumberField& field : fields) {
            number(group + "/" + field.path, field.value, field.units, field.description);
        }
    }
    void texts(const std::string& group, const std::vector<TextField>& fields) {
        for (const TextField& field : fields) {
            text(group + "/" + field.path, field.value, field.description);
        }
    }

  private:
    hid_t file_;
};

void write_groups(Writer& to) {
    to.group("/entry", "NXentry");
    to.group("/entry/instrument", "NXinstrument");
    to.group("/entry/instrument/detector_1", "NXdetector");
    to.group("/entry/instrument/incident_beam", "NXbeam");
    for (const char* name : {"attenuator_1", "attenuator_2"}) {
        to.group(std::string("/entry/instrument/") + name, "NXattenuator");
    }
    for (const char* name : {"undulator_1", "undulator_2"}) {
        to.group(std::string("/entry/instrument/") + name, "NXinsertion_device");
    }
    to.group("/entry/instrument/monochromator", "NXmonochromator");
    to.group("/entry/instrument/beam_stop", "NXbeam_stop");
    to.group("/entry/instrument/sl4", "NXslit");
    to.group("/entry/instrument/datamanagement", "NXcollection");
    to.group("/entry/instrument/bluesky", "NXcollection");
    to.group("/entry/sample", "NXsample");
    to.group("/entry/user", "NXuser");
}

const char* detector_name(SimulateFormat format) {
    switch (format) {
    case SimulateFormat::rigaku:
        return "rigaku500k";
    case SimulateFormat::rigaku3m:
        return "rigaku3M";
    case SimulateFormat::ftf:
        return "rigaku3M_ftf";
    case SimulateFormat::ufxc:
        return "ufxc";
    case SimulateFormat::timepix4:
        return "tempus";
    default:
        return "simulated dense";
    }
}

std::vector<TextField> entry_texts(const SimulateOptions& options, const std::string& name) {
    const double duration_s = static_cast<double>(options.n_frames) * options.frame_time_s;
    return {
        {"definition", "NXxpcs", "NeXus application definition"},
        {"schema_version", "0.1.0", "version of this layout"},
        {"entry_identifier", name, "name of the measurement"},
        {"entry_identifier_uuid", uuid_text(options.seed), "unique name of the measurement"},
        {"beamline", "simulation", "where it was measured"},
        {"start_time", time_text(options.start_after_s), "first frame"},
        {"end_time", time_text(options.start_after_s + duration_s), "after the last frame"},
    };
}

void write_texts(Writer& to, const SimulateOptions& options, const std::string& name) {
    const bool bslz4 =
        options.format == SimulateFormat::hdf5 && options.compression == SimulateCompression::bslz4;
    to.texts("/entry", entry_texts(options, name));
    to.texts("/entry/instrument/detector_1",
             {{"detector_name", detector_name(options.format), "kind of detector"},
              {"compression", bslz4 ? "bslz4" : "none", "compression of the frames"},
              {"qmap_file", "", "q-map meant for this run"}});
    to.text("/entry/instrument/incident_beam/incident_polarization_type", "linear", "polarization");
    to.texts("/entry/instrument/datamanagement",
             {{"workflow_name", "none", "processing that was asked for"},
              {"workflow_version", version(), "version of the processing"},
              {"workflow_kwargs", "{}", "arguments of the processing"}});
    to.texts("/entry/instrument/bluesky",
             {{"bluesky_version", "none", "version of the acquisition"},
              {"bluesky_plan", "simulate", "plan of the acquisition"},
              {"bluesky_plan_kwargs", "{}", "arguments of the plan"},
              {"spec_file", "", "log of the acquisition"},
              {"parent_folder", "", "folder of the experiment"}});
    to.texts("/entry/sample",
             {{"short_description", "simulated diffusion", "sample"},
              {"full_description",
               "independent speckles of freely diffusing particles, see the truth file",
               "sample"}});
    to.texts("/entry/user",
             {{"name", "simulation", "who measured"},
              {"email", "", "address"},
              {"institution", "", "institution"},
              {"cycle", "2026-1", "run cycle"},
              {"proposal_id", "0", "proposal"}});
}

void write_truth_group(const h5::File& file,
                       const SimulateOptions& options,
                       const SimulateReport& report) {
    Writer to(file);
    to.group("/entry/simulation", "NXcollection");
    to.number("/entry/simulation/diffusion",
              options.diffusion,
              "angstrom^2/s",
              "D of g2 = 1 + contrast * exp(-2 D q^2 tau)");
    to.number("/entry/simulation/contrast", options.contrast, "dim.less", "g2(0) - 1");
    to.number("/entry/simulation/occupancy",
              options.occupancy,
              "one",
              "mean counts per lit pixel and frame");
    h5::write_scalar<std::uint64_t>(file.id(), "/entry/simulation/seed", options.seed);
    h5::write<std::int64_t>(file.id(), "/entry/simulation/hot_pixels", report.hot_pixels);
}

}  // namespace

void write_simulated_metadata(const std::string& path,
                              const SimulateOptions& options,
                              const SimulateReport& report) {
    h5::File file = h5::create_file_over(path);
    Writer to(file);
    write_groups(to);
    const std::string name = std::filesystem::path(simulated_stem(options)).filename().string();
    write_texts(to, options, name);
    to.integer("/entry/scan_number", 1, "number of the scan");
    to.integer("/entry/instrument/bluesky/scan_id", 1, "number of the scan");
    to.integer("/entry/instrument/attenuator_1/attenuator_index", 0, "attenuator in the beam");
    to.integer("/entry/instrument/attenuator_2/attenuator_index", 0, "attenuator in the beam");
    to.numbers("/entry/instrument/detector_1", detector_numbers(options));
    to.numbers("/entry/instrument", instrument_numbers(options));
    to.numbers("/entry/sample", sample_numbers(options));
    write_truth_group(file, options, report);
    h5::flush(file);
    file.close();
}

}  // namespace xpcs
