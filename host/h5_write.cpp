// SPDX-License-Identifier: BSD-3-Clause
#include "host/h5_check.hpp"
#include "host/lzf_filter.hpp"
#include "host/text.hpp"

#include <algorithm>

namespace xpcs::h5 {

using detail::check;

namespace detail {

Slab::Slab(const Dataset& dataset, const Shape& offset, const Shape& count, ExitCode code)
    : file(H5Dget_space(dataset.id())) {
    check(file.id(), code, dataset.id(), "", "its shape cannot be read");
    const Shape shape = shape_of(dataset);
    bool fits = offset.size() == shape.size() && count.size() == shape.size() && !shape.empty();
    for (std::size_t i = 0; fits && i < shape.size(); ++i) {
        fits = offset[i] <= shape[i] && count[i] <= shape[i] - offset[i];
    }
    if (!fits) {
        throw Error(code,
                    name_of(dataset.id()) + ": part " + to_string(count) + " at " +
                        to_string(offset) + " lies outside the shape " + to_string(shape));
    }
    check(H5Sselect_hyperslab(
              file.id(), H5S_SELECT_SET, offset.data(), nullptr, count.data(), nullptr),
          code,
          dataset.id(),
          "",
          "part cannot be selected");
    memory = Space(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr));
    check(memory.id(), code, dataset.id(), "", "part cannot be selected");
}

}  // namespace detail

namespace {

PropertyList link_list() {
    PropertyList list(H5Pcreate(H5P_LINK_CREATE));
    check(list.id(), ExitCode::internal, -1, "", "no link creation list");
    H5Pset_create_intermediate_group(list.id(), 1);
    H5Pset_char_encoding(list.id(), H5T_CSET_UTF8);
    return list;
}

void set_chunks(const PropertyList& list,
                const Shape& shape,
                std::size_t element_bytes,
                const Storage& storage) {
    const Shape chunk = storage.chunk.empty() ? chunk_for(shape, element_bytes, storage.chunk_bytes)
                                              : storage.chunk;
    H5Pset_chunk(list.id(), static_cast<int>(chunk.size()), chunk.data());
    if (storage.filter == Filter::gzip) {
        H5Pset_shuffle(list.id());
        H5Pset_deflate(list.id(), static_cast<unsigned>(std::clamp(storage.gzip_level, 0, 9)));
    } else if (storage.filter == Filter::lzf) {
        const std::uint64_t bytes = n_elements(chunk) * element_bytes;
        const unsigned parameters[] = {
            lzf_filter_revision, lzf_library_revision, static_cast<unsigned>(bytes)};
        H5Pset_filter(list.id(), lzf_filter_id, H5Z_FLAG_OPTIONAL, 3, parameters);
    }
}

Space space_of(const Shape& shape, const Shape& max_shape) {
    if (shape.empty()) return Space(H5Screate(H5S_SCALAR));
    return Space(H5Screate_simple(static_cast<int>(shape.size()),
                                  shape.data(),
                                  max_shape.empty() ? nullptr : max_shape.data()));
}

/// How values of this type are written. Texts go through a buffer, which HDF5 would make 1 MiB
/// large and clear for each dataset, however short the text.
PropertyList transfer_of(hid_t memory_type) {
    if (H5Tget_class(memory_type) != H5T_STRING) return {};
    const std::size_t buffer_bytes = std::max<std::size_t>(4096, 2 * H5Tget_size(memory_type));
    PropertyList list(H5Pcreate(H5P_DATASET_XFER));
    check(list.id(), ExitCode::internal, -1, "", "no transfer list");
    H5Pset_buffer(list.id(), buffer_bytes, nullptr, nullptr);
    return list;
}

Dataset write_texts(hid_t location,
                    const std::string& path,
                    const std::vector<std::string>& values,
                    const Shape& shape) {
    const auto held = lock();
    const Type type = string_type();
    Dataset dataset = create_dataset(location, path, type.id(), shape);
    std::vector<const char*> texts;
    texts.reserve(values.size());
    for (const std::string& value : values)
        texts.push_back(value.c_str());
    if (!texts.empty()) write_all(dataset, type.id(), texts.data());
    return dataset;
}

}  // namespace

Group require_group(hid_t location, const std::string& path) {
    const auto held = lock();
    if (exists(location, path)) return open_group(location, path);
    const PropertyList links = link_list();
    const PropertyList creation(H5Pcreate(H5P_GROUP_CREATE));
    H5Pset_obj_track_times(creation.id(), false);
    Group group(H5Gcreate2(location, path.c_str(), links.id(), creation.id(), H5P_DEFAULT));
    check(group.id(), ExitCode::io, location, path, "group cannot be created");
    return group;
}

Shape chunk_for(const Shape& shape, std::size_t element_bytes, std::uint64_t most_bytes) {
    Shape chunk(shape.size(), 1);
    const std::size_t first = shape.size() > 2 ? shape.size() - 2 : 0;
    for (std::size_t i = first; i < shape.size(); ++i)
        chunk[i] = std::max<hsize_t>(shape[i], 1);
    const std::uint64_t most = std::max<std::uint64_t>(most_bytes / element_bytes, 1);
    const auto size = [&] {
        long double n = 1;  // no overflow, whatever the shape
        for (const hsize_t extent : chunk)
            n *= static_cast<long double>(extent);
        return n;
    };
    while (size() > static_cast<long double>(most)) {
        auto longest = std::max_element(chunk.begin(), chunk.end());
        *longest = (*longest + 1) / 2;
    }
    return chunk;
}

Dataset create_dataset(hid_t location,
                       const std::string& path,
                       hid_t file_type,
                       const Shape& shape,
                       const Storage& storage) {
    const auto held = lock();
    const Space space = space_of(shape, storage.max_shape);
    check(space.id(), ExitCode::io, location, path, "shape " + to_string(shape) + " is refused");
    const PropertyList links = link_list();
    const PropertyList creation(H5Pcreate(H5P_DATASET_CREATE));
    check(creation.id(), ExitCode::internal, location, path, "no dataset creation list");
    H5Pset_obj_track_times(creation.id(), false);
    const std::uint64_t n = n_elements(shape);
    const bool wants_chunks = storage.filter != Filter::none || !storage.chunk.empty();
    const bool large = wants_chunks && n >= std::max<std::uint64_t>(storage.contiguous_below, 1);
    if (!shape.empty() && (large || !storage.max_shape.empty())) {
        set_chunks(creation, shape, H5Tget_size(file_type), storage);
    }
    Dataset dataset(H5Dcreate2(
        location, path.c_str(), file_type, space.id(), links.id(), creation.id(), H5P_DEFAULT));
    check(dataset.id(), ExitCode::io, location, path, "dataset cannot be created");
    return dataset;
}

Type boolean_type() {
    const auto held = lock();
    Type type(H5Tenum_create(H5T_STD_I8LE));
    check(type.id(), ExitCode::internal, -1, "", "no boolean type");
    std::int8_t value = 0;
    H5Tenum_insert(type.id(), "FALSE", &value);
    value = 1;
    H5Tenum_insert(type.id(), "TRUE", &value);
    return type;
}

Type string_type() {
    const auto held = lock();
    Type type(H5Tcopy(H5T_C_S1));
    check(type.id(), ExitCode::internal, -1, "", "no string type");
    H5Tset_size(type.id(), H5T_VARIABLE);
    H5Tset_cset(type.id(), H5T_CSET_UTF8);
    return type;
}

void write_all(const Dataset& dataset, hid_t memory_type, const void* values) {
    const auto held = lock();
    const detail::KeepFloatingPoint kept;
    if (detail::write_packed(dataset, memory_type, values)) return;
    const PropertyList transfer = transfer_of(memory_type);
    check(H5Dwrite(dataset.id(),
                   memory_type,
                   H5S_ALL,
                   H5S_ALL,
                   transfer ? transfer.id() : H5P_DEFAULT,
                   values),
          ExitCode::io,
          dataset.id(),
          "",
          "cannot be written");
}

void write_slab(const Dataset& dataset,
                hid_t memory_type,
                const Shape& offset,
                const Shape& count,
                const void* values) {
    const auto held = lock();
    const detail::KeepFloatingPoint kept;
    const detail::Slab slab(dataset, offset, count, ExitCode::io);
    check(
        H5Dwrite(dataset.id(), memory_type, slab.memory.id(), slab.file.id(), H5P_DEFAULT, values),
        ExitCode::io,
        dataset.id(),
        "",
        "cannot be written");
}

void extend(const Dataset& dataset, const Shape& shape) {
    const auto held = lock();
    check(shape.size() == shape_of(dataset).size() ? H5Dset_extent(dataset.id(), shape.data()) : -1,
          ExitCode::io,
          dataset.id(),
          "",
          "cannot be extended to " + to_string(shape));
}

void require_count(std::size_t n_values, const Shape& shape, const std::string& path) {
    if (n_values == n_elements(shape)) return;
    throw Error(ExitCode::internal,
                printable(path) + ": " + std::to_string(n_values) + " values for the shape " +
                    to_string(shape));
}

Dataset write_string(hid_t location, const std::string& path, const std::string& value) {
    return write_texts(location, path, {value}, {});
}

Dataset
write_strings(hid_t location, const std::string& path, const std::vector<std::string>& values) {
    return write_texts(location, path, values, {values.size()});
}

Dataset write_booleans(hid_t location,
                       const std::string& path,
                       const std::vector<std::uint8_t>& values,
                       const Shape& shape,
                       const Storage& storage) {
    require_count(values.size(), shape, path);
    const auto held = lock();
    const Type type = boolean_type();
    Dataset dataset = create_dataset(location, path, type.id(), shape, storage);
    std::vector<std::int8_t> truth(values.size());
    std::transform(values.begin(), values.end(), truth.begin(), [](std::uint8_t value) {
        return static_cast<std::int8_t>(value != 0);
    });
    if (!truth.empty()) write_all(dataset, type.id(), truth.data());
    return dataset;
}

Dataset write_boolean(hid_t location, const std::string& path, bool value) {
    return write_booleans(location, path, {static_cast<std::uint8_t>(value)}, {});
}

namespace {

void put_attribute(
    hid_t object, const std::string& name, hid_t type, const Space& space, const void* value) {
    const std::string label = "attribute '" + printable(name) + "' cannot be written";
    if (H5Aexists(object, name.c_str()) > 0) H5Adelete(object, name.c_str());
    const PropertyList creation(H5Pcreate(H5P_ATTRIBUTE_CREATE));
    H5Pset_char_encoding(creation.id(), H5T_CSET_UTF8);
    const Attribute attribute(
        H5Acreate2(object, name.c_str(), type, space.id(), creation.id(), H5P_DEFAULT));
    check(attribute.id(), ExitCode::io, object, "", label);
    check(H5Awrite(attribute.id(), type, value), ExitCode::io, object, "", label);
}

}  // namespace

void write_attribute(hid_t object, const std::string& name, const std::string& value) {
    const auto held = lock();
    const char* text = value.c_str();
    put_attribute(object, name, string_type().id(), space_of({}, {}), &text);
}

void write_attribute(hid_t object, const std::string& name, const char* value) {
    write_attribute(object, name, std::string(value));
}

void write_attribute(hid_t object, const std::string& name, double value) {
    const auto held = lock();
    put_attribute(object, name, H5T_NATIVE_DOUBLE, space_of({}, {}), &value);
}

void write_attribute(hid_t object, const std::string& name, std::int64_t value) {
    const auto held = lock();
    put_attribute(object, name, H5T_NATIVE_INT64, space_of({}, {}), &value);
}

void write_attribute(hid_t object,
                     const std::string& name,
                     const std::vector<std::string>& values) {
    const auto held = lock();
    std::vector<const char*> texts;
    texts.reserve(values.size());
    for (const std::string& value : values)
        texts.push_back(value.c_str());
    put_attribute(object, name, string_type().id(), space_of({values.size()}, {}), texts.data());
}

void describe(hid_t object, const std::string& units, const std::string& description) {
    if (!units.empty()) write_attribute(object, "units", units);
    if (!description.empty()) write_attribute(object, "description", description);
}

void copy(hid_t from, const std::string& from_path, hid_t to, const std::string& to_path) {
    const auto held = lock();
    const detail::KeepFloatingPoint kept;
    const PropertyList links = link_list();
    check(H5Ocopy(from, from_path.c_str(), to, to_path.c_str(), H5P_DEFAULT, links.id()),
          ExitCode::io,
          to,
          to_path,
          "cannot be copied from " + printable(from_path));
}

void remove(hid_t location, const std::string& path) {
    const auto held = lock();
    check(H5Ldelete(location, path.c_str(), H5P_DEFAULT),
          ExitCode::io,
          location,
          path,
          "cannot be removed");
}

void link_external(hid_t location,
                   const std::string& path,
                   const std::string& other_file,
                   const std::string& other_path) {
    const auto held = lock();
    const PropertyList links = link_list();
    check(H5Lcreate_external(other_file.c_str(),
                             other_path.c_str(),
                             location,
                             path.c_str(),
                             links.id(),
                             H5P_DEFAULT),
          ExitCode::io,
          location,
          path,
          "external link cannot be created");
}

}  // namespace xpcs::h5
