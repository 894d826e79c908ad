// SPDX-License-Identifier: BSD-3-Clause
// What a result takes over from others: /entry of the metadata file and the q-map.
#include "host/errors.hpp"
#include "host/nan.hpp"
#include "host/qmap_file.hpp"
#include "host/result_paths.hpp"
#include "host/result_write.hpp"
#include "host/text.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>

namespace xpcs {

namespace {

namespace rp = result_path;

constexpr const char* qmap_group = "/qmap";
constexpr std::uint64_t largest_copied_dataset = std::uint64_t{1} << 32;

[[noreturn]] void fail_copy(const std::string& path) {
    throw Error(ExitCode::io, printable(path) + ": cannot be copied: " + h5::take_error());
}

// --- /entry ------------------------------------------------------------------------------------

/// False if the path, or the deepest existing group above it, lies in another file (external
/// link): writing there would change somebody's data.
bool in_this_file(hid_t file, const std::string& path) {
    const auto held = h5::lock();
    std::string above = path;
    while (!above.empty() && !h5::exists(file, above)) {
        above.erase(above.rfind('/'));
    }
    const h5::Object root = h5::open_object(file, "/");
    const h5::Object object = h5::open_object(file, above.empty() ? "/" : above);
    H5O_info_t here, there;
    return H5Oget_info2(root.id(), &here, H5O_INFO_BASIC) >= 0 &&
           H5Oget_info2(object.id(), &there, H5O_INFO_BASIC) >= 0 && here.fileno == there.fileno;
}

/// True if a link of that name stands there but leads nowhere, or something above is no group.
bool is_blocked(hid_t file, const std::string& path) {
    for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
        const std::string above = path.substr(0, at);
        if (!h5::exists(file, above)) {
            const auto held = h5::lock();
            const bool link = H5Lexists(file, above.c_str(), H5P_DEFAULT) > 0;
            return link;
        }
        if (!h5::is_group(file, above)) {
            return true;
        }
    }
    return false;
}

void drop_link(hid_t file, const std::string& path) {
    const auto held = h5::lock();
    if (H5Lexists(file, path.c_str(), H5P_DEFAULT) > 0) {
        h5::remove(file, path);
    }
}

void ensure_groups(hid_t file, const std::string& path) {
    for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
        const std::string above = path.substr(0, at);
        if (h5::exists(file, above)) {
            continue;
        }
        const h5::Group group = h5::require_group(file, above);
        const std::string name = leaf(above);
        h5::write_attribute(group.id(),
                            "NX_class",
                            name == "entry"           ? "NXentry"
                            : name == "instrument"    ? "NXinstrument"
                            : name == "detector_1"    ? "NXdetector"
                            : name == "incident_beam" ? "NXbeam"
                                                      : "NXcollection");
    }
}

bool can_write(hid_t file, const std::string& path) {
    return !is_blocked(file, path) && in_this_file(file, path);
}

void put_entry(hid_t file, const ResultPath& path, double value, const std::string& source) {
    if (!can_write(file, path.path)) {
        return;
    }
    drop_link(file, path.path);
    ensure_groups(file, path.path);
    const h5::Dataset dataset = h5::write_scalar<double>(file, path.path, value);
    h5::describe(dataset.id(), path.unit, path.description);
    h5::write_attribute(dataset.id(), "source", source);
}

/// The number there, NaN if it is missing or no number.
double number_at(hid_t file, const ResultPath& path) {
    return h5::find_number(file, path.path).value_or(nan);
}

void complete_number(hid_t file, const ResultPath& path, double value, const std::string& source) {
    if (!h5::is_dataset(file, path.path)) {
        put_entry(file, path, value, source);
    }
}

void complete_frame_time(hid_t file, const RunResult& result) {
    const double found = number_at(file, rp::frame_time);
    const double used = result.frame_time_s;
    if (!(used > 0)) {
        complete_number(
            file, rp::frame_time, 1.0, "not known: delays in seconds are delays in frames");
        return;
    }
    if (std::abs(found - used) <= 1e-12 * used) {
        return;
    }
    put_entry(file, rp::frame_time, used, "the run");
    if (!std::isnan(found) && h5::is_dataset(file, rp::frame_time.path)) {
        const h5::Dataset dataset = h5::open_dataset(file, rp::frame_time.path);
        h5::write_attribute(dataset.id(), "metadata_value", found);
    }
}

// --- q-map -------------------------------------------------------------------------------------

void copy_attributes(hid_t from, hid_t to) {
    const auto held = h5::lock();
    const auto copy_one =
        [](hid_t object, const char* name, const H5A_info_t*, void* target) -> herr_t {
        const h5::Attribute source(H5Aopen(object, name, H5P_DEFAULT));
        const h5::Type type(H5Aget_type(source.id()));
        const h5::Space space(H5Aget_space(source.id()));
        const hid_t destination = *static_cast<hid_t*>(target);
        if (!source || !type || !space || H5Aexists(destination, name) > 0) {
            return 0;
        }
        const hssize_t n = H5Sget_simple_extent_npoints(space.id());
        std::vector<char> bytes(static_cast<std::size_t>(std::max<hssize_t>(n, 1)) *
                                H5Tget_size(type.id()));
        const h5::Attribute copy(
            H5Acreate2(destination, name, type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT));
        const bool done = copy && H5Aread(source.id(), type.id(), bytes.data()) >= 0 &&
                          H5Awrite(copy.id(), type.id(), bytes.data()) >= 0;
        if (n > 0) {
            H5Dvlen_reclaim(type.id(), space.id(), H5P_DEFAULT, bytes.data());
        }
        return done ? 0 : -1;
    };
    hsize_t index = 0;
    if (H5Aiterate2(from, H5_INDEX_NAME, H5_ITER_INC, &index, copy_one, &to) < 0) {
        fail_copy(h5::name_of(from));
    }
}

/// A dataset with its own type and attributes and our storage: value by value, since H5Ocopy()
/// crashes inside the library where a write fails (full disk).
void copy_dataset(const h5::Dataset& from, hid_t to, const std::string& path) {
    const auto held = h5::lock();
    h5::require_filters(from);
    // A copy is never a named type of the other file.
    const h5::Type type(H5Tcopy(h5::type_of(from).id()));
    const h5::Space space(H5Dget_space(from.id()));
    if (!type || !space) {
        fail_copy(h5::name_of(from.id()));
    }
    const h5::Shape shape = h5::shape_of(from);
    const std::uint64_t n = h5::n_elements(shape);
    const std::size_t size = H5Tget_size(type.id());
    if (n > largest_copied_dataset / size) {
        throw Error(ExitCode::data,
                    h5::name_of(from.id()) + ": shape " + h5::to_string(shape) +
                        " is beyond what a q-map can have");
    }
    h5::Dataset copy = h5::create_dataset(to, path, type.id(), shape, result_storage());
    if (n > 0) {
        std::vector<char> bytes(n * size);
        h5::read_all(from, type.id(), bytes.data());
        // Strings and lists of variable length; to look through millions of numbers for them costs
        // as much as to copy them.
        const bool owns =
            H5Tdetect_class(type.id(), H5T_VLEN) > 0 || H5Tdetect_class(type.id(), H5T_STRING) > 0;
        const auto reclaim = [&](char* values) {
            if (owns) H5Dvlen_reclaim(type.id(), space.id(), H5P_DEFAULT, values);
        };
        const std::unique_ptr<char, decltype(reclaim)> content(bytes.data(), reclaim);
        h5::write_all(copy, type.id(), bytes.data());
    }
    copy_attributes(from.id(), copy.id());
    copy.close();
}

/// References mean nothing in another file; a null space has no values.
bool can_be_copied_by_value(const h5::Dataset& dataset) {
    const auto held = h5::lock();
    const h5::Space space(H5Dget_space(dataset.id()));
    return H5Tdetect_class(h5::type_of(dataset).id(), H5T_REFERENCE) <= 0 &&
           H5Sget_simple_extent_type(space.id()) != H5S_NULL;
}

void copy_members(hid_t from,
                  const std::string& from_path,
                  hid_t to,
                  const std::string& path,
                  int depth,
                  std::size_t& copied) {
    constexpr int deepest = 8;  // a link that leads back up would go on for ever
    constexpr std::size_t most = 10'000;
    if (depth > deepest) {
        return;
    }
    const h5::Group source = h5::open_group(from, from_path);
    const h5::Group target = h5::require_group(to, path);
    copy_attributes(source.id(), target.id());
    for (const h5::Child& child : h5::children(from, from_path)) {
        if (++copied > most) {
            throw Error(ExitCode::data,
                        h5::name_of(from, from_path) + ": more than " + std::to_string(most) +
                            " members below the group that is copied");
        }
        if (child.kind == h5::Kind::group) {
            copy_members(
                from, from_path + "/" + child.name, to, path + "/" + child.name, depth + 1, copied);
        } else if (child.kind == h5::Kind::dataset) {
            const h5::Dataset dataset = h5::open_dataset(source.id(), child.name);
            if (can_be_copied_by_value(dataset)) {
                copy_dataset(dataset, target.id(), child.name);
            } else {
                h5::copy(source.id(), child.name, target.id(), child.name);
            }
        }
    }
}

/// True if the q-map file can be copied as it is; one of an older layout is stored as the present
/// one.
bool can_copy_file_of(const QMap& used) {
    if (used.file.empty()) {
        return false;
    }
    try {
        return h5::exists(h5::open_file(used.file).id(), "/qmap/dynamic_roi_map") &&
               file_still_has(used);
    } catch (const Error&) {
        return false;
    }
}

}  // namespace

std::string displace_metadata_xpcs(hid_t file) {
    const auto held = h5::lock();
    if (H5Lexists(file, rp::xpcs.path, H5P_DEFAULT) <= 0) {
        return "";
    }
    std::string free_name = rp::displaced_xpcs;
    for (int i = 1; H5Lexists(file, free_name.c_str(), H5P_DEFAULT) > 0; ++i) {
        free_name = std::string(rp::displaced_xpcs).append(1, '_').append(std::to_string(i));
    }
    if (H5Lmove(file, rp::xpcs.path, file, free_name.c_str(), H5P_DEFAULT, H5P_DEFAULT) < 0) {
        fail_copy(rp::xpcs.path);
    }
    return free_name;
}

void complete_entry(hid_t file, const RunResult& result) {
    complete_frame_time(file, result);
    const double frame_time = number_at(file, rp::frame_time);
    complete_number(file, rp::count_time, frame_time, "not known: the frame time");
    complete_number(file, rp::x_pixel_size, result.qmap.pixel_size_m, "the q-map");
    complete_number(file, rp::y_pixel_size, result.qmap.pixel_size_m, "the q-map");
    complete_number(file, rp::incident_energy, result.qmap.energy_keV, "the q-map");
    if (!h5::is_dataset(file, rp::start_time.path) && can_write(file, rp::start_time.path)) {
        drop_link(file, rp::start_time.path);
        ensure_groups(file, rp::start_time.path);
        const bool known = !result.inputs.empty();
        const h5::Dataset dataset =
            h5::write_string(file,
                             rp::start_time.path,
                             to_utf8(known ? result.inputs.front().modified : result.started));
        h5::write_attribute(dataset.id(),
                            "source",
                            known ? "modification time of the raw file" : "start of the run");
    }
}

void copy_recompressed(hid_t from,
                       const std::string& from_path,
                       hid_t to,
                       const std::string& path) {
    std::size_t copied = 0;
    copy_members(from, from_path, to, path, 0, copied);
}

void copy_values(hid_t from, const std::string& from_path, hid_t to, const std::string& path) {
    copy_dataset(h5::open_dataset(from, from_path), to, path);
}

std::string write_qmap(hid_t file, const QMap& qmap, bool transposed) {
    if (!transposed && can_copy_file_of(qmap)) {
        const h5::File source = h5::open_file(qmap.file);
        copy_recompressed(source.id(), qmap_group, file, rp::qmap.path);
    } else {
        const h5::File source = h5::create_memory_file("q-map");
        write_qmap_group(qmap, source.id(), qmap_group);
        copy_recompressed(source.id(), qmap_group, file, rp::qmap.path);
    }
    std::string hash = qmap_hash(qmap);
    const h5::Group group = h5::open_group(file, rp::qmap.path);
    const auto held = h5::lock();
    if (H5Aexists(group.id(), "hash") <= 0) h5::write_attribute(group.id(), "hash", hash);
    return hash;
}

}  // namespace xpcs
