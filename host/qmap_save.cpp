// SPDX-License-Identifier: BSD-3-Clause
#include "host/claimed_file.hpp"
#include "host/qmap_file.hpp"
#include "host/version.hpp"

#include <algorithm>
#include <limits>

namespace xpcs {

namespace {

h5::Storage compressed() {
    h5::Storage storage;
    storage.filter = h5::Filter::lzf;
    storage.contiguous_below = 1025;
    return storage;
}

/// Of what is written to memory, read once and forgotten.
h5::Storage as_it_is() {
    h5::Storage storage;
    storage.contiguous_below = std::numeric_limits<std::uint64_t>::max();
    return storage;
}

template <class T>
void write_as(hid_t group,
              const std::string& name,
              const std::vector<std::uint64_t>& values,
              const h5::Shape& shape,
              const h5::Storage& storage) {
    std::vector<T> narrow(values.size());
    std::transform(values.begin(), values.end(), narrow.begin(), [](std::uint64_t value) {
        return static_cast<T>(value);
    });
    h5::write(group, name, narrow, shape, storage);
}

/// Smallest unsigned type that holds every value: part of the definition of the hash.
void write_smallest(hid_t group,
                    const std::string& name,
                    const std::vector<std::uint64_t>& values,
                    const h5::Shape& shape,
                    const h5::Storage& storage) {
    const auto largest = std::max_element(values.begin(), values.end());
    const std::uint64_t most = largest == values.end() ? 0 : *largest;
    if (most <= std::numeric_limits<std::uint8_t>::max()) {
        write_as<std::uint8_t>(group, name, values, shape, storage);
    } else if (most <= std::numeric_limits<std::uint16_t>::max()) {
        write_as<std::uint16_t>(group, name, values, shape, storage);
    } else if (most <= std::numeric_limits<std::uint32_t>::max()) {
        write_as<std::uint32_t>(group, name, values, shape, storage);
    } else {
        write_as<std::uint64_t>(group, name, values, shape, storage);
    }
}

/// One of the two partitions, `kind` being "dynamic" or "static".
struct PartitionFields {
    std::string kind;
    const std::vector<std::uint32_t>& roi_map;
    const std::array<std::int64_t, 2>& num_pts;
    const std::array<std::vector<double>, 2>& v_list;
    const std::vector<std::int64_t>& index_mapping;
};

void write_fields(hid_t group,
                  const QMap& qmap,
                  const PartitionFields& fields,
                  const h5::Storage& storage) {
    const h5::Shape shape{static_cast<hsize_t>(qmap.rows), static_cast<hsize_t>(qmap.cols)};
    write_smallest(group,
                   fields.kind + "_roi_map",
                   {fields.roi_map.begin(), fields.roi_map.end()},
                   shape,
                   storage);
    h5::write(group,
              fields.kind + "_num_pts",
              std::vector<std::int64_t>(fields.num_pts.begin(), fields.num_pts.end()));
    for (std::size_t axis = 0; axis < 2; ++axis) {
        const auto& centres = fields.v_list[axis];
        const h5::Dataset list = h5::write(group,
                                           fields.kind + "_v_list_dim" + std::to_string(axis),
                                           centres,
                                           {centres.size()},
                                           storage);
        h5::write_attribute(list.id(), "unit", qmap.map_units[axis]);
        h5::write_attribute(list.id(), "name", qmap.map_names[axis]);
        h5::write_attribute(list.id(), "size", static_cast<std::int64_t>(centres.size()));
    }
    write_smallest(group,
                   fields.kind + "_index_mapping",
                   {fields.index_mapping.begin(), fields.index_mapping.end()},
                   {fields.index_mapping.size()},
                   storage);
}

std::string
write_group(const QMap& qmap, hid_t location, const std::string& path, const h5::Storage& storage) {
    const auto held = h5::lock();
    const h5::Group group = h5::require_group(location, path);
    const h5::Shape shape{static_cast<hsize_t>(qmap.rows), static_cast<hsize_t>(qmap.cols)};
    h5::write_booleans(group.id(), "mask", qmap.mask, shape, storage);
    if (!qmap.blemish.empty()) {
        h5::write_booleans(group.id(), "blemish", qmap.blemish, shape, storage);
    }
    write_fields(group.id(),
                 qmap,
                 {"dynamic",
                  qmap.dynamic_roi_map,
                  qmap.dynamic_num_pts,
                  qmap.dynamic_v_list,
                  qmap.dynamic_index_mapping},
                 storage);
    write_fields(group.id(),
                 qmap,
                 {"static",
                  qmap.static_roi_map,
                  qmap.static_num_pts,
                  qmap.static_v_list,
                  qmap.static_index_mapping},
                 storage);
    h5::write_strings(group.id(), "map_names", {qmap.map_names.begin(), qmap.map_names.end()});
    h5::write_strings(group.id(), "map_units", {qmap.map_units.begin(), qmap.map_units.end()});
    h5::write_scalar(group.id(), "beam_center_x", qmap.beam_center_x);
    h5::write_scalar(group.id(), "beam_center_y", qmap.beam_center_y);
    h5::write_scalar(group.id(), "pixel_size", qmap.pixel_size_m);
    h5::write_scalar(group.id(), "detector_distance", qmap.detector_distance_m);
    h5::write_scalar(group.id(), "energy", qmap.energy_keV);
    h5::write_string(group.id(), "source_file", qmap.source_file);
    std::string hash = qmap_group_hash(location, path);
    h5::write_attribute(group.id(), "hash", hash);
    h5::write_attribute(
        group.id(), "version", qmap.version.empty() ? "xpcs-" + version() : qmap.version);
    return hash;
}

}  // namespace

std::string write_qmap_group(const QMap& qmap, hid_t location, const std::string& path) {
    return write_group(qmap, location, path, compressed());
}

void save_qmap(const QMap& qmap, const std::string& path, bool overwrite) {
    NewFile whole(path, overwrite);
    h5::File file = h5::create_file_over(whole.hidden_path());
    write_qmap_group(qmap, file.id(), "/qmap");
    h5::flush(file);
    file.close();
    whole.commit();
}

std::string qmap_hash(const QMap& qmap) {
    // Written to memory and hashed there: one definition for what is hashed and what is stored.
    const h5::File file = h5::create_memory_file("q-map");
    return write_group(qmap, file.id(), "/qmap", as_it_is());
}

}  // namespace xpcs
