// SPDX-License-Identifier: BSD-3-Clause
#include "host/nexus.hpp"

#include "host/errors.hpp"
#include "host/exchange.hpp"
#include "host/h5_check.hpp"
#include "host/nan.hpp"
#include "host/result_paths.hpp"
#include "host/result_write.hpp"
#include "host/text.hpp"
#include "host/version.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <vector>

namespace xpcs {

namespace {

namespace rp = result_path;

constexpr hsize_t map_chunk = 512;

using Attributes = std::vector<std::pair<const char*, std::string>>;

double number_or(hid_t file, const std::string& path, double otherwise = nan) {
    return h5::find_number(file, path).value_or(otherwise);
}

class NexusEntry {
  public:
    /// Links into the same file, or copies in another.
    NexusEntry(hid_t from, hid_t to, std::string entry, bool links)
        : from_(from), to_(to), entry_(std::move(entry)), links_(links) {}

    void write(const std::string& name) {
        group("", "NXentry");
        write_identity(name);
        write_process(entry_ + "/process");
        write_data();
        write_twotime();
        write_instrument();
        write_masks();
    }
    void write_process(const std::string& path);

  private:
    void group(const std::string& name, const char* nx_class, const Attributes& more = {}) {
        const h5::Group made = h5::require_group(to_, entry_ + name);
        h5::write_attribute(made.id(), "NX_class", nx_class);
        for (const auto& [key, value] : more)
            h5::write_attribute(made.id(), key, value);
    }
    void text(const std::string& name, const std::string& value, const std::string& source = "") {
        h5::Dataset dataset = h5::write_string(to_, entry_ + name, to_utf8(value));
        if (!source.empty()) h5::write_attribute(dataset.id(), "source", source);
        finish(std::move(dataset));
    }
    void number(const std::string& name, double value, const char* unit) {
        finish(h5::write_scalar<double>(to_, entry_ + name, value), unit);
    }
    bool place(const std::string& source, const std::string& name, const Attributes& attributes);
    void write_identity(const std::string& name);
    void write_data();
    void write_twotime();
    bool write_maps();
    void map_to_links(const std::vector<std::string>& maps, const h5::Shape& shape);
    void map_to_copies(const std::vector<std::string>& maps, const h5::Shape& shape);
    void write_instrument();
    void write_masks();
    void write_centres(const std::string& kind);

    hid_t from_, to_;
    std::string entry_;
    bool links_;
};

void soft_link(hid_t file, const std::string& target, const std::string& path) {
    const auto held = h5::lock();
    h5::detail::check(H5Lcreate_soft(target.c_str(), file, path.c_str(), H5P_DEFAULT, H5P_DEFAULT),
                      ExitCode::io,
                      file,
                      path,
                      "link cannot be created");
}

/// Attributes of a linked dataset are those of its target.
bool NexusEntry::place(const std::string& source,
                       const std::string& name,
                       const Attributes& attributes) {
    if (!h5::is_dataset(from_, source)) return false;
    const std::string path = entry_ + name;
    if (links_) {
        soft_link(to_, source, path);
    } else {
        copy_values(from_, source, to_, path);
    }
    const h5::Dataset dataset = h5::open_dataset(to_, path);
    for (const auto& [key, value] : attributes)
        h5::write_attribute(dataset.id(), key, value);
    return true;
}

void NexusEntry::write_identity(const std::string& name) {
    text("/definition", "NXxpcs");
    const std::string identifier = h5::find_string(from_, "/entry/entry_identifier");
    text("/entry_identifier",
         identifier.empty() ? name : identifier,
         identifier.empty() ? "name of the raw file" : "");
    const std::string uuid = h5::find_string(from_, "/entry/entry_identifier_uuid");
    if (!uuid.empty()) text("/entry_identifier_uuid", uuid);
    double scan = number_or(from_, "/entry/scan_number");
    if (!std::isfinite(scan)) scan = number_or(from_, "/entry/instrument/bluesky/scan_id");
    const bool known = std::isfinite(scan) && std::abs(scan) < 1e15;
    h5::Dataset number = h5::write_scalar<std::int64_t>(
        to_, entry_ + "/scan_number", known ? static_cast<std::int64_t>(scan) : 0);
    if (!known) h5::write_attribute(number.id(), "source", "not known");
    finish(std::move(number));
    text("/start_time", h5::find_string(from_, rp::start_time.path));
    const std::string end = h5::find_string(from_, "/entry/end_time");
    if (!end.empty()) text("/end_time", end);
}

void NexusEntry::write_process(const std::string& path) {
    const h5::Group made = h5::require_group(to_, path);
    h5::write_attribute(made.id(), "NX_class", "NXprocess");
    const std::string program = h5::find_string(from_, rp::prov_program.path);
    const std::string written = h5::find_string(from_, rp::prov_version.path);
    const std::string date = h5::find_string(from_, rp::prov_finished.path);
    finish(h5::write_string(made.id(), "program", program.empty() ? "not known" : program));
    finish(h5::write_string(made.id(), "version", written.empty() ? "not known" : written));
    if (!date.empty()) finish(h5::write_string(made.id(), "date", date));
}

void NexusEntry::write_data() {
    const bool multitau = h5::is_dataset(from_, rp::g2.path);
    group("/data", "NXdata", {{"signal", multitau ? "g2" : "frame_average"}});
    place(rp::scattering_2d.path, "/data/frame_average", {{"units", "counts/frame"}});
    if (!multitau) return;
    const Attributes one{{"storage_mode", "one_array"}};
    place(rp::g2.path, "/data/g2", one);
    place(rp::g2_err.path, "/data/g2_derr", one);
    place(rp::delay_list.path,
          "/data/delay_difference",
          {{"storage_mode", "one_array"}, {"units", "frames"}});
    const h5::Group data = h5::open_group(to_, entry_ + "/data");
    h5::write_attribute(data.id(), "axes", std::vector<std::string>{"delay_difference", "."});
}

void NexusEntry::map_to_links(const std::vector<std::string>& maps, const h5::Shape& shape) {
    const auto held = h5::lock();
    const h5::PropertyList creation(H5Pcreate(H5P_DATASET_CREATE));
    H5Pset_obj_track_times(creation.id(), false);
    const h5::Shape whole{maps.size(), shape[0], shape[1]};
    const h5::Space space(H5Screate_simple(3, whole.data(), nullptr));
    const h5::Space source(H5Screate_simple(2, shape.data(), nullptr));
    const std::string path = entry_ + "/twotime/two_time_corr_func";
    for (std::size_t k = 0; k < maps.size(); ++k) {
        const h5::Shape offset{k, 0, 0}, count{1, shape[0], shape[1]};
        H5Sselect_hyperslab(
            space.id(), H5S_SELECT_SET, offset.data(), nullptr, count.data(), nullptr);
        // "." is the file itself, whatever its name becomes.
        h5::detail::check(
            H5Pset_virtual(creation.id(), space.id(), ".", maps[k].c_str(), source.id()),
            ExitCode::io,
            to_,
            path,
            "virtual dataset cannot be described");
    }
    H5Sselect_all(space.id());
    h5::Dataset made(H5Dcreate2(
        to_, path.c_str(), H5T_NATIVE_FLOAT, space.id(), H5P_DEFAULT, creation.id(), H5P_DEFAULT));
    h5::detail::check(made.id(), ExitCode::io, to_, path, "virtual dataset cannot be created");
}

void NexusEntry::map_to_copies(const std::vector<std::string>& maps, const h5::Shape& shape) {
    h5::Storage storage = result_storage();
    const hsize_t side = std::min(shape[0], map_chunk);
    storage.chunk = {1, side, side};
    const h5::Dataset to = h5::create_dataset(to_,
                                              entry_ + "/twotime/two_time_corr_func",
                                              H5T_NATIVE_FLOAT,
                                              {maps.size(), shape[0], shape[1]},
                                              storage);
    for (std::size_t k = 0; k < maps.size(); ++k) {
        for_each_band(
            h5::open_dataset(from_, maps[k]), side, [&](hsize_t first, hsize_t n, float* values) {
                h5::write_slab(to, H5T_NATIVE_FLOAT, {k, first, 0}, {1, n, shape[1]}, values);
            });
    }
}

/// All maps as one array, where the file has them all.
bool NexusEntry::write_maps() {
    if (!h5::is_dataset(from_, rp::processed_bins.path)) return false;
    const std::size_t n =
        h5::n_elements(h5::shape_of(h5::open_dataset(from_, rp::processed_bins.path)));
    std::vector<std::string> maps;
    h5::Shape shape;
    for (std::size_t k = 1; k <= n; ++k) {
        const std::string path = twotime_map_path(k);
        if (!h5::is_dataset(from_, path)) return false;
        const h5::Shape found = h5::shape_of(h5::open_dataset(from_, path));
        if (found.size() != 2 || found[0] != found[1] || found[0] == 0) return false;
        if (k > 1 && found != shape) return false;
        shape = found;
        maps.push_back(path);
    }
    if (maps.empty()) return false;
    links_ ? map_to_links(maps, shape) : map_to_copies(maps, shape);
    const h5::Dataset made = h5::open_dataset(to_, entry_ + "/twotime/two_time_corr_func");
    h5::write_attribute(made.id(), "storage_mode", "one_array_q_first");
    h5::write_attribute(made.id(), "baseline_reference", std::int64_t{1});
    h5::write_attribute(made.id(), "time_origin_location", "upper_left");
    h5::write_attribute(made.id(), "populated_elements", "upper_half");
    return true;
}

void NexusEntry::write_twotime() {
    if (!h5::is_dataset(from_, rp::twotime_g2.path) &&
        !h5::is_group(from_, rp::twotime_maps.path)) {
        return;
    }
    group("/twotime", "NXdata");
    const bool maps = write_maps();
    const auto baseline = [&](const std::string& name) {
        const h5::Dataset dataset = h5::open_dataset(to_, entry_ + name);
        h5::write_attribute(dataset.id(), "baseline_reference", std::int64_t{1});
    };
    const std::string g2 = "/twotime/g2_from_two_time_corr_func";
    if (place(rp::twotime_g2.path, g2, {{"storage_mode", "one_array_q_last"}})) {
        baseline(g2);
        // Row 0 is the diagonal, which holds the shot noise.
        const h5::Dataset dataset = h5::open_dataset(to_, entry_ + g2);
        h5::write_attribute(dataset.id(), "first_point_for_fit", std::int64_t{0});
    }
    // Lags x blocks x bins, which is none of the orders that the definition names.
    if (place(rp::twotime_g2_segments.path, g2 + "_partials", {{"storage_mode", "other"}})) {
        baseline(g2 + "_partials");
    }
    place(rp::processed_bins.path, "/twotime/dynamic_roi", {});
    const h5::Group twotime = h5::open_group(to_, entry_ + "/twotime");
    h5::write_attribute(
        twotime.id(), "signal", maps ? "two_time_corr_func" : "g2_from_two_time_corr_func");
}

void NexusEntry::write_instrument() {
    const std::string from = "/entry/instrument/";
    const std::string map = std::string(rp::qmap.path) + "/";
    group("/instrument", "NXinstrument");
    group("/instrument/incident_beam", "NXbeam");
    number("/instrument/incident_beam/incident_energy",
           number_or(from_, rp::incident_energy.path, number_or(from_, map + "energy")),
           "keV");
    const std::string detector = "/instrument/detector_1";
    group(detector, "NXdetector");
    const std::string name = h5::find_string(from_, from + "detector_1/detector_name");
    if (!name.empty()) text(detector + "/description", name);
    const double pixel = number_or(from_, map + "pixel_size");
    const double frame_time = number_or(from_, rp::frame_time.path);
    const auto length = [&](const std::string& field, double value) {
        if (std::isfinite(value)) number(detector + field, value, "m");
    };
    number(detector + "/count_time", number_or(from_, rp::count_time.path, frame_time), "s");
    number(detector + "/frame_time", frame_time, "s");
    length("/x_pixel_size", number_or(from_, rp::x_pixel_size.path, pixel));
    length("/y_pixel_size", number_or(from_, rp::y_pixel_size.path, pixel));
    length("/distance",
           number_or(
               from_, map + "detector_distance", number_or(from_, from + "detector_1/distance")));
    // In pixels everywhere else; the definition wants a length.
    for (const char* axis : {"x", "y"}) {
        const std::string field = std::string("beam_center_") + axis;
        const double centre =
            number_or(from_, map + field, number_or(from_, from + "detector_1/" + field));
        number(detector + "/" + field, centre * pixel, "m");
    }
}

/// q of every label, if the first axis of the map is q.
void NexusEntry::write_centres(const std::string& kind) {
    const std::string map = std::string(rp::qmap.path) + "/";
    const auto has = [&](const std::string& name) { return h5::is_dataset(from_, map + name); };
    if (!has("map_names") || !has(kind + "_index_mapping")) return;
    const std::vector<std::string> names = h5::read_strings(from_, map + "map_names", 16);
    const auto natural = h5::read<std::int64_t>(from_, map + kind + "_index_mapping");
    std::vector<double> lists[2];
    for (const std::size_t axis : {std::size_t{0}, std::size_t{1}}) {
        const std::string name = kind + "_v_list_dim" + std::to_string(axis);
        if (has(name)) lists[axis] = h5::read<double>(from_, map + name);
    }
    const std::size_t n1 = std::max<std::size_t>(lists[1].size(), 1);
    const auto column = [&](std::size_t axis, const std::string& name, const char* unit) {
        if (lists[axis].empty()) return;
        std::vector<double> values;
        for (const std::int64_t bin : natural) {
            const std::size_t at =
                axis == 0 ? static_cast<std::size_t>(bin) / n1 : static_cast<std::size_t>(bin) % n1;
            values.push_back(at < lists[axis].size() ? lists[axis][at] : nan);
        }
        finish(h5::write(to_, entry_ + "/instrument/masks/" + name, values, {values.size()}), unit);
    };
    if (!names.empty() && names[0] == "q") column(0, kind + "_q_list", "1/angstrom");
    // The definition's own list of phi wants a unit per length, which an angle has not.
    if (names.size() > 1 && names[1] == "phi") column(1, kind + "_azimuth_list", "degree");
}

void NexusEntry::write_masks() {
    const std::string map = std::string(rp::qmap.path) + "/";
    if (!h5::is_dataset(from_, map + "dynamic_roi_map")) return;
    group("/instrument/masks", "NXnote");
    place(map + "dynamic_roi_map", "/instrument/masks/dynamic_roi_map", {{"units", "au"}});
    place(map + "static_roi_map", "/instrument/masks/static_roi_map", {{"units", "au"}});
    write_centres("dynamic");
    write_centres("static");
}

std::string raw_name(hid_t file, const std::string& otherwise) {
    const std::string raw = h5::find_string(file, rp::rawdata_path.path);
    const std::string stem = std::filesystem::path(raw).stem().string();
    return stem.empty() ? otherwise : stem;
}

}  // namespace

void write_nexus_view(hid_t file) {
    constexpr const char* process = "/process";
    NexusEntry entry(file, file, rp::nexus.path, true);
    entry.write(raw_name(file, "xpcs"));
    if (!h5::exists(file, process)) entry.write_process(process);
}

void write_nexus_file(hid_t from, hid_t to, const std::string& name) {
    const h5::Object root = h5::open_object(to, "/");
    h5::write_attribute(root.id(), "NX_class", "NXroot");
    h5::write_attribute(root.id(), "default", "entry");
    NexusEntry entry(from, to, "/entry", false);
    entry.write(raw_name(from, name));
    entry.write_process("/process");
    const h5::Group made = h5::open_group(to, "/entry");
    h5::write_attribute(
        made.id(), "default", h5::exists(to, "/entry/data/g2") ? "data" : "twotime");
}

}  // namespace xpcs
