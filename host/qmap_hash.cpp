// SPDX-License-Identifier: BSD-3-Clause
// The content hash: over a group in a file as it is, whoever wrote it.
#include "host/errors.hpp"
#include "host/python_json.hpp"
#include "host/qmap_file.hpp"
#include "host/sha256.hpp"

namespace xpcs {

namespace {

/// These four are lists in the program that defined the hash, not arrays.
bool hashed_as_list(const std::string& name) {
    return name == "map_names" || name == "map_units" || name == "dynamic_num_pts" ||
           name == "static_num_pts";
}

std::string scalar_json(hid_t group, const std::string& name, const h5::Type& type) {
    switch (H5Tget_class(type.id())) {
    case H5T_STRING:
        return python_json::string(h5::read_string(group, name));
    case H5T_FLOAT:
        return python_json::number(h5::read_number(group, name));
    case H5T_ENUM:
        return h5::read_integer(group, name) != 0 ? "true" : "false";
    default:
        if (H5Tget_sign(type.id()) == H5T_SGN_NONE) {
            return std::to_string(h5::read<std::uint64_t>(group, name).at(0));
        }
        return std::to_string(h5::read_integer(group, name));
    }
}

/// Raw bytes in C order and in this machine's byte order.
std::uint64_t add_array(Sha256& sha, const h5::Dataset& dataset, std::uint64_t limit_bytes) {
    const h5::Type type = h5::type_of(dataset);
    const h5::Type memory(H5Tget_native_type(type.id(), H5T_DIR_ASCEND));
    const std::size_t size = H5Tget_size(memory.id());
    std::vector<std::byte> bytes(h5::checked_size(dataset, size, limit_bytes) * size);
    if (!bytes.empty()) h5::read_all(dataset, memory.id(), bytes.data());
    sha.add(bytes.data(), bytes.size());
    return bytes.size();
}

}  // namespace

std::string qmap_group_hash(hid_t location, const std::string& path) {
    const auto held = h5::lock();
    const h5::Group group = h5::open_group(location, path);
    Sha256 sha;
    std::uint64_t left_bytes = h5::default_limit_bytes;
    for (const h5::Child& child : h5::children(group.id(), ".")) {  // in order of name
        if (child.kind != h5::Kind::dataset) continue;
        const h5::Dataset dataset = h5::open_dataset(group.id(), child.name);
        const h5::Type type = h5::type_of(dataset);
        const bool text = H5Tget_class(type.id()) == H5T_STRING;
        sha.add(child.name);
        if (h5::shape_of(dataset).empty()) {
            sha.add(scalar_json(group.id(), child.name, type));
        } else if (text) {
            sha.add(python_json::list(h5::read_strings(group.id(), child.name)));
        } else if (hashed_as_list(child.name)) {
            sha.add(python_json::list(h5::read<std::int64_t>(dataset, 1 << 20)));
        } else {
            left_bytes -= add_array(sha, dataset, left_bytes);
        }
    }
    return sha.hex();
}

}  // namespace xpcs
