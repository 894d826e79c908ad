// SPDX-License-Identifier: BSD-3-Clause
#include "host/h5_check.hpp"
#include "host/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace xpcs::h5 {

using detail::check;

namespace {

/// Refuses what a few stored bytes would blow up to: no filter in use packs data that anybody wants
/// to see more than a thousandfold, and a number grows at most eightfold on its way to memory.
void require_stored(const Dataset& dataset, std::uint64_t bytes) {
    constexpr std::uint64_t harmless = std::uint64_t{64} << 20, most_ratio = 16384;
    if (bytes <= harmless) return;
    const std::uint64_t stored = H5Dget_storage_size(dataset.id());
    if (bytes / most_ratio <= stored) return;
    throw Error(ExitCode::data,
                name_of(dataset.id()) + ": shape " + to_string(shape_of(dataset)) + " asks for " +
                    std::to_string(bytes) + " bytes of memory, and only " + std::to_string(stored) +
                    " are stored; at most " + std::to_string(most_ratio) +
                    " times as many are read");
}

}  // namespace

std::uint64_t
checked_size(const Dataset& dataset, std::size_t element_bytes, std::uint64_t limit_bytes) {
    const auto held = lock();
    const Type type = type_of(dataset);
    const H5T_class_t kind = H5Tget_class(type.id());
    if (kind != H5T_INTEGER && kind != H5T_FLOAT && kind != H5T_ENUM) {
        throw Error(ExitCode::data,
                    name_of(dataset.id()) + ": type " + type_name(type.id()) +
                        ", numbers are expected");
    }
    const Shape shape = shape_of(dataset);
    const std::uint64_t n = n_elements(shape);
    if (n > limit_bytes / element_bytes) {
        throw Error(ExitCode::data,
                    name_of(dataset.id()) + ": shape " + to_string(shape) +
                        " is beyond the limit of " + std::to_string(limit_bytes) + " bytes");
    }
    require_stored(dataset, n * element_bytes);
    const Shape chunk = chunk_of(dataset);
    if (!chunk.empty() &&
        n_elements(chunk) >
            limit_bytes / std::max<std::size_t>(element_bytes, H5Tget_size(type.id()))) {
        throw Error(ExitCode::data,
                    name_of(dataset.id()) + ": chunk " + to_string(chunk) +
                        " is beyond the limit of " + std::to_string(limit_bytes) + " bytes");
    }
    require_filters(dataset);
    return n;
}

void read_all(const Dataset& dataset, hid_t memory_type, void* out) {
    const auto held = lock();
    const detail::KeepFloatingPoint kept;
    check(H5Dread(dataset.id(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out),
          ExitCode::data,
          dataset.id(),
          "",
          "cannot be read");
}

void read_slab(
    const Dataset& dataset, hid_t memory_type, const Shape& offset, const Shape& count, void* out) {
    const auto held = lock();
    const detail::KeepFloatingPoint kept;
    const detail::Slab slab(dataset, offset, count, ExitCode::data);
    check(H5Dread(dataset.id(), memory_type, slab.memory.id(), slab.file.id(), H5P_DEFAULT, out),
          ExitCode::data,
          dataset.id(),
          "",
          "cannot be read");
}

namespace {

void require_single(hid_t location, const std::string& path, const Shape& shape) {
    if (n_elements(shape) == 1) return;
    throw Error(ExitCode::data,
                name_of(location, path) + ": shape " + to_string(shape) +
                    ", one value is expected");
}

/// Text of a fixed-length element: up to the first zero byte, without padding blanks.
std::string fixed_text(const char* bytes, std::size_t size, bool blank_padded) {
    std::string text(bytes, ::strnlen(bytes, size));
    if (blank_padded) text.erase(text.find_last_not_of(' ') + 1);
    return text;
}

/// What reading strings needs of a dataset or an attribute.
struct StringSource {
    hid_t owner;       ///< for messages
    std::string path;  ///< for messages
    const Type& type;
    const Space& space;
    std::uint64_t n;
    std::uint64_t limit_bytes;
};

template <class Read>
std::vector<std::string> strings_from(const StringSource& from, Read&& read_into) {
    std::vector<std::string> strings;
    if (from.n == 0) return strings;
    const Type& type = from.type;
    const std::size_t size = H5Tget_size(type.id());
    if (from.n > from.limit_bytes / std::max<std::size_t>(size, 1)) {
        throw Error(ExitCode::data,
                    name_of(from.owner, from.path) + ": strings of more than " +
                        std::to_string(from.limit_bytes) + " bytes");
    }
    if (H5Tis_variable_str(type.id()) > 0) {
        std::vector<char*> texts(from.n, nullptr);
        const herr_t got = read_into(type.id(), texts.data());
        if (got >= 0) {
            for (const char* text : texts)
                strings.emplace_back(text != nullptr ? text : "");
            H5Dvlen_reclaim(type.id(), from.space.id(), H5P_DEFAULT, texts.data());
        }
        check(got, ExitCode::data, from.owner, from.path, "cannot be read");
        return strings;
    }
    std::vector<char> bytes(from.n * size);
    check(read_into(type.id(), bytes.data()),
          ExitCode::data,
          from.owner,
          from.path,
          "cannot be read");
    const bool blank_padded = H5Tget_strpad(type.id()) == H5T_STR_SPACEPAD;
    for (std::uint64_t i = 0; i < from.n; ++i) {
        strings.push_back(fixed_text(bytes.data() + i * size, size, blank_padded));
    }
    return strings;
}

void require_string(hid_t location, const std::string& path, const Type& type) {
    if (H5Tget_class(type.id()) == H5T_STRING) return;
    throw Error(ExitCode::data,
                name_of(location, path) + ": type " + type_name(type.id()) +
                    ", a string is expected");
}

}  // namespace

double read_number(hid_t location, const std::string& path) {
    const auto held = lock();
    const Dataset dataset = open_dataset(location, path);
    require_single(location, path, shape_of(dataset));
    return read<double>(dataset).front();
}

std::optional<double> find_number(hid_t location, const std::string& path) {
    try {
        if (is_dataset(location, path)) return read_number(location, path);
    } catch (const Error&) {
        return std::nullopt;  // some files have an empty group or an array there
    }
    return std::nullopt;
}

std::int64_t read_integer(hid_t location, const std::string& path) {
    const auto held = lock();
    const Dataset dataset = open_dataset(location, path);
    require_single(location, path, shape_of(dataset));
    if (H5Tget_class(type_of(dataset).id()) != H5T_FLOAT) {
        return read<std::int64_t>(dataset).front();
    }
    const double value = read<double>(dataset).front();
    constexpr double most = 9007199254740992.0;  // beyond 2^53 a double no longer counts
    if (!(std::abs(value) <= most) || value != std::floor(value)) {
        throw Error(ExitCode::data,
                    name_of(location, path) + ": " + std::to_string(value) +
                        ", an integer is expected");
    }
    return static_cast<std::int64_t>(value);
}

std::vector<std::string> read_strings(hid_t location,
                                      const std::string& path,
                                      std::uint64_t limit,
                                      std::uint64_t limit_bytes) {
    const auto held = lock();
    const Dataset dataset = open_dataset(location, path);
    const Type type = type_of(dataset);
    require_string(location, path, type);
    const std::uint64_t n = n_elements(shape_of(dataset));
    if (n > limit) {
        throw Error(ExitCode::data,
                    name_of(location, path) + ": " + std::to_string(n) + " strings, at most " +
                        std::to_string(limit) + " are expected");
    }
    require_filters(dataset);
    const Space space(H5Dget_space(dataset.id()));
    if (n > 1 && H5Tis_variable_str(type.id()) > 0) {
        // Many elements may name one long text: the file's size bounds nothing.
        hsize_t needed = 0;
        check(H5Dvlen_get_buf_size(dataset.id(), type.id(), space.id(), &needed),
              ExitCode::data,
              location,
              path,
              "cannot be read");
        if (needed > limit_bytes) {
            throw Error(ExitCode::data,
                        name_of(location, path) + ": strings of more than " +
                            std::to_string(limit_bytes) + " bytes");
        }
    }
    return strings_from({location, path, type, space, n, limit_bytes}, [&](hid_t memory, void* to) {
        const detail::KeepFloatingPoint kept;
        return H5Dread(dataset.id(), memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, to);
    });
}

std::string read_string(hid_t location, const std::string& path) {
    const auto held = lock();
    require_single(location, path, shape_of(open_dataset(location, path)));
    return read_strings(location, path).front();
}

std::string find_string(hid_t location, const std::string& path) {
    try {
        return is_dataset(location, path) ? read_string(location, path) : "";
    } catch (const Error&) {
        return "";
    }
}

namespace {

Attribute open_attribute(hid_t object, const std::string& name) {
    const htri_t there = H5Aexists(object, name.c_str());
    check(there, ExitCode::data, object, "", "its attributes cannot be read");
    if (there == 0) return {};
    Attribute attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT));
    check(attribute.id(), ExitCode::data, object, "", "attribute '" + printable(name) + "'");
    const Space space(H5Aget_space(attribute.id()));
    if (H5Sget_simple_extent_npoints(space.id()) != 1) {
        throw Error(ExitCode::data,
                    name_of(object) + ": attribute '" + printable(name) + "' has not one value");
    }
    return attribute;
}

}  // namespace

std::optional<std::string> read_string_attribute(hid_t object, const std::string& name) {
    const auto held = lock();
    const Attribute attribute = open_attribute(object, name);
    if (!attribute) return std::nullopt;
    const Type type(H5Aget_type(attribute.id()));
    const std::string label = "attribute '" + printable(name) + "'";
    require_string(object, label, type);
    const Space space(H5Aget_space(attribute.id()));
    return strings_from({object, label, type, space, 1, std::uint64_t{1} << 20},
                        [&](hid_t memory, void* to) { return H5Aread(attribute.id(), memory, to); })
        .front();
}

std::optional<double> read_number_attribute(hid_t object, const std::string& name) {
    const auto held = lock();
    const Attribute attribute = open_attribute(object, name);
    if (!attribute) return std::nullopt;
    const Type type(H5Aget_type(attribute.id()));
    const H5T_class_t kind = H5Tget_class(type.id());
    if (kind != H5T_INTEGER && kind != H5T_FLOAT && kind != H5T_ENUM) {
        throw Error(ExitCode::data,
                    name_of(object) + ": attribute '" + printable(name) + "' of type " +
                        type_name(type.id()) + ", a number is expected");
    }
    double value = 0;
    check(H5Aread(attribute.id(), H5T_NATIVE_DOUBLE, &value),
          ExitCode::data,
          object,
          "",
          "attribute '" + printable(name) + "' cannot be read");
    return value;
}

}  // namespace xpcs::h5
