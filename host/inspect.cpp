// SPDX-License-Identifier: BSD-3-Clause
#include "host/inspect.hpp"

#include "host/errors.hpp"
#include "host/h5.hpp"
#include "host/metadata.hpp"
#include "host/nan.hpp"
#include "host/qmap_file.hpp"
#include "host/result_group.hpp"
#include "host/result_paths.hpp"
#include "host/result_write.hpp"
#include "host/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

namespace xpcs {

namespace {

namespace fs = std::filesystem;
namespace rp = result_path;
using json = nlohmann::ordered_json;

/// HDF5 files begin with a signature at 0, 512, 1024, 2048 ...; the first places suffice here.
bool is_hdf5(const std::string& path) {
    constexpr std::array<char, 8> signature{'\x89', 'H', 'D', 'F', '\r', '\n', '\x1a', '\n'};
    std::ifstream in(path, std::ios::binary);
    for (std::streamoff at = 0; at <= 1 << 20; at = at == 0 ? 512 : 2 * at) {
        std::array<char, 8> bytes{};
        in.clear();
        in.seekg(at);
        if (!in.read(bytes.data(), bytes.size())) {
            return false;
        }
        if (bytes == signature) {
            return true;
        }
    }
    return false;
}

/// Kind of an HDF5 file by the groups that it has.
std::string kind_of_hdf5(const std::string& path) {
    const h5::File file = h5::open_file(path);
    if (looks_like_result(file)) {
        return "result";
    }
    if (h5::is_group(file.id(), "/qmap")) {
        return "q-map";
    }
    // A result that stopped half-way has our group already.
    if (h5::is_group(file.id(), rp::xpcs.path) &&
        h5::read_string_attribute(h5::open_group(file.id(), rp::xpcs.path).id(),
                                  rp::attribute_program)) {
        return "result";
    }
    const bool described = h5::exists(file.id(), "/entry/schema_version") ||
                           h5::is_dataset(file.id(), rp::frame_time.path) ||
                           h5::is_dataset(file.id(), rp::incident_energy.path);
    return described && !h5::is_dataset(file.id(), "/entry/data/data") ? "metadata" : "raw";
}

void require_file(const std::string& path) {
    std::error_code error;
    const auto status = fs::status(path, error);
    if (!fs::exists(status)) {
        throw Error(ExitCode::no_input, "'" + printable(path) + "': no such file");
    }
    if (fs::is_directory(status)) {
        throw Error(ExitCode::data,
                    "'" + printable(path) + "': is a directory, a file is expected");
    }
}

void inspect_kind(const std::string& path, const InspectOptions& options, Inspection& to) {
    require_file(path);
    to.kind = is_hdf5(path) ? kind_of_hdf5(path) : "raw";
    if (options.require_result) {
        std::string reason;
        if (!is_complete_result(path, reason)) {
            throw Error(ExitCode::data, "'" + printable(path) + "': no complete result: " + reason);
        }
    }
    if (to.kind == "result") {
        inspect_result(path, to);
    } else if (to.kind == "q-map") {
        inspect_qmap(path, to);
    } else if (to.kind == "metadata") {
        inspect_metadata(path, to);
    } else {
        inspect_raw(path, options, to);
    }
}

json to_json_value(const NamedScalar& value) {
    return std::visit([](const auto& v) { return json(v); }, value);
}

json to_json_object(const Inspection& inspection) {
    json object;
    object["file"] = inspection.file;
    object["kind"] = inspection.kind;
    json values = json::object(), units = json::object();
    for (const NamedValue& value : inspection.values) {
        values[value.path] = to_json_value(value.value);
        if (!value.units.empty()) {
            units[value.path] = value.units;
        }
    }
    object["values"] = values;
    object["units"] = units;
    object["warnings"] = inspection.warnings;
    object["code"] = inspection.code;
    if (!inspection.error.empty()) {
        object["error"] = inspection.error;
    }
    return object;
}

}  // namespace

Inspection inspect_file(const std::string& path, const InspectOptions& options) {
    Inspection inspection;
    inspection.file = path;
    try {
        inspect_kind(path, options, inspection);
    } catch (const Error& error) {
        inspection.code = error.exit_status();
        inspection.error = error.what();
    } catch (const std::bad_alloc&) {
        inspection.code = static_cast<int>(ExitCode::no_memory);
        inspection.error = "'" + printable(path) + "': not enough memory";
    }
    if (options.require_result && inspection.code != 0) {
        inspection.code = static_cast<int>(ExitCode::data);
    }
    return inspection;
}

std::string to_text(const Inspection& inspection) {
    std::string out = printable(inspection.file) + ": " +
                      (inspection.kind.empty() ? "unknown" : inspection.kind) + "\n";
    std::size_t width = 0;
    for (const NamedValue& value : inspection.values) {
        width = std::max(width, value.path.size());
    }
    for (const NamedValue& value : inspection.values) {
        out += "  " + value.path + std::string(width - value.path.size() + 2, ' ') +
               printable(to_text(value.value), 2000) +
               (value.units.empty() ? "" : " " + printable(value.units)) + "\n";
    }
    for (const std::string& warning : inspection.warnings) {
        out += "  warning: " + printable(warning) + "\n";
    }
    if (!inspection.error.empty()) {
        out += "  error: " + printable(inspection.error) + "\n";
    }
    return out;
}

std::string to_json(const std::vector<Inspection>& inspections) {
    json list = json::array();
    for (const Inspection& inspection : inspections) {
        list.push_back(to_json_object(inspection));
    }
    // Names and strings of a file may be any bytes; what is no UTF-8 is replaced.
    return list.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

void inspect_qmap(const std::string& path, Inspection& to) {
    const QMap qmap = load_qmap(path);
    const auto add = [&](const char* name, NamedScalar value, const char* unit = "") {
        to.values.push_back({name, unit, std::move(value)});
    };
    const auto used = std::count_if(
        qmap.mask.begin(), qmap.mask.end(), [](std::uint8_t flag) { return flag != 0; });
    add("rows", qmap.rows);
    add("cols", qmap.cols);
    add("pixels in the mask", std::int64_t{used});
    add("dynamic bins", std::int64_t{qmap.n_dynamic()});
    add("static bins", std::int64_t{qmap.n_static()});
    add("requested dynamic bins",
        std::to_string(qmap.dynamic_num_pts[0]) + " x " + std::to_string(qmap.dynamic_num_pts[1]));
    add("requested static bins",
        std::to_string(qmap.static_num_pts[0]) + " x " + std::to_string(qmap.static_num_pts[1]));
    for (const std::size_t axis : {std::size_t{0}, std::size_t{1}}) {
        const auto& list = qmap.dynamic_v_list[axis];
        if (!list.empty()) {
            const auto [low, high] = std::minmax_element(list.begin(), list.end());
            to.values.push_back(
                {"axis " + std::to_string(axis) + " (" + qmap.map_names[axis] + ")",
                 qmap.map_units[axis],
                 to_text(NamedScalar(*low)) + " ... " + to_text(NamedScalar(*high))});
        }
    }
    add("energy", qmap.energy_keV, "keV");
    add("detector distance", qmap.detector_distance_m, "m");
    add("pixel size", qmap.pixel_size_m, "m");
    add("beam centre (x, y)",
        std::vector<double>{qmap.beam_center_x, qmap.beam_center_y},
        "pixels");
    add("source file", qmap.source_file);
    add("hash", qmap.hash);
    const std::string computed = qmap_group_hash(h5::open_file(path).id(), "/qmap");
    add("hash is right", qmap.hash == computed);
    to.warnings.insert(to.warnings.end(), qmap.warnings.begin(), qmap.warnings.end());
    const PartitionReport report = partition_of(qmap, {}, true).report;
    add("pixels in the mask without dynamic label", report.no_dynamic);
    add("pixels in the mask without static label", report.no_static);
    add("labelled pixels outside the mask", report.labelled_outside_mask);
    add("dynamic labels without pixels", static_cast<std::int64_t>(report.empty_dynamic.size()));
    add("static labels without pixels", static_cast<std::int64_t>(report.empty_static.size()));
    add("consistent", report.split_static_bins == 0);
    if (report.split_static_bins > 0) {
        // The exact words of a run, with the first bins that lie across.
        partition_of(qmap, {}, false);
    }
}

void inspect_metadata(const std::string& path, Inspection& to) {
    const Metadata metadata = load_metadata(path);
    const auto add = [&](const char* name, NamedScalar value, const char* unit = "") {
        to.values.push_back({name, unit, std::move(value)});
    };
    add("start time", metadata.start_time);
    add("frame time", metadata.frame_time_s, "s");
    add("count time", metadata.count_time_s, "s");
    add("pixel size", metadata.x_pixel_size_m, "m");
    add("incident energy", metadata.incident_energy_keV, "keV");
    const auto doubt = [&](bool wrong, const char* what, double value, const char* expected) {
        if (wrong) {
            to.warnings.push_back(std::string(what) + " " + to_text(NamedScalar(value)) + ": " +
                                  expected + " is expected");
        }
    };
    doubt(!(metadata.frame_time_s > 0), "frame time", metadata.frame_time_s, "a time > 0 s");
    doubt(metadata.frame_time_s > 1e4, "frame time", metadata.frame_time_s, "less than 1e4 s");
    doubt(metadata.count_time_s > metadata.frame_time_s * (1 + 1e-9) && metadata.frame_time_s > 0,
          "count time",
          metadata.count_time_s,
          "at most the frame time");
    doubt(!(metadata.x_pixel_size_m > 1e-6 && metadata.x_pixel_size_m < 2e-3),
          "pixel size",
          metadata.x_pixel_size_m,
          "1e-6 ... 2e-3 m");
    doubt(!(metadata.incident_energy_keV > 0.1 && metadata.incident_energy_keV < 200),
          "incident energy",
          metadata.incident_energy_keV,
          "0.1 ... 200 keV");
    for (const std::string& warning : metadata.warnings) {
        if (std::find(to.warnings.begin(), to.warnings.end(), warning) == to.warnings.end()) {
            to.warnings.push_back(warning);
        }
    }
    const h5::File file = h5::open_file(path);
    for (NamedValue& value : read_group(file.id(), rp::entry.path)) {
        to.values.push_back({"entry/" + value.path, value.units, std::move(value.value)});
    }
}

void inspect_result(const std::string& path, Inspection& to) {
    std::string reason;
    const bool complete = is_complete_result(path, reason);
    const auto add = [&](const char* name, NamedScalar value, const char* unit = "") {
        to.values.push_back({name, unit, std::move(value)});
    };
    add("complete", complete);
    if (!complete) {
        to.warnings.push_back("not complete: " + reason);
    }
    const ResultReader reader(path);
    const ResultData& data = reader.data();
    add("layout", data.layout);
    add("analyses", data.analysis_types);
    add("program", data.program + (data.version.empty() ? "" : " " + data.version));
    add("raw file", data.rawdata_path);
    add("start time", data.start_time);
    add("frames", static_cast<std::int64_t>(data.intensity.size()));
    add("time step", data.step_s(), "s");
    add("stride", data.stride_frame);
    add("average", data.avg_frame);
    add("rows", data.rows);
    add("cols", data.cols);
    add("dynamic bins", static_cast<std::int64_t>(data.qmap.dynamic_index_mapping.size()));
    add("static bins", static_cast<std::int64_t>(data.qmap.static_index_mapping.size()));
    add("q-map hash", data.qmap.hash);
    if (data.has_multitau()) {
        const OneTimeData& one = data.one_time;
        add("lags", static_cast<std::int64_t>(one.delay_list.size()));
        add("longest lag", one.delay_list.empty() ? 0 : one.delay_list.back(), "frames");
        add("longest delay", one.delay_s.empty() ? nan : one.delay_s.back(), "s");
        add("values of g2 without signal",
            static_cast<std::int64_t>(std::count_if(one.g2.values.begin(),
                                                    one.g2.values.end(),
                                                    [](double v) { return std::isnan(v); })));
        add("slices of partial g2", static_cast<std::int64_t>(one.partial.size()));
        add("unnormalised G2", one.has_unnormalized);
    }
    if (data.has_twotime()) {
        add("two-time maps", static_cast<std::int64_t>(data.two_time.n_maps));
        add("frames of a map", data.two_time.n_frames);
    }
    for (NamedValue& value : reader.provenance()) {
        to.values.push_back({"provenance/" + value.path, value.units, std::move(value.value)});
    }
    to.warnings.insert(to.warnings.end(), data.warnings.begin(), data.warnings.end());
}

}  // namespace xpcs
