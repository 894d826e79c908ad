// SPDX-License-Identifier: BSD-3-Clause
// HDF5 without its traps: handles that close themselves, calls that throw with HDF5's own reason,
// sizes that are checked before memory is taken.
//
// Errors: reading throws Error (data), a missing file Error (no_input), writing Error (io),
// creating a file Error (cannot_create). The message has the file, the object and HDF5's reason.
// Threads: libhdf5 is not thread-safe. Every function here and every closing handle takes lock();
// who calls the C library directly while other threads may be in it holds lock() for that time.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace xpcs::h5 {

using Shape = std::vector<hsize_t>;

/// The one lock around libhdf5; recursive, so holding it and calling functions of this header is
/// fine.
[[nodiscard]] std::unique_lock<std::recursive_mutex> lock();

/// Silences HDF5's own printing and registers LZF; once, whoever calls first. Opening and creating
/// files does it.
void register_filters();

/// HDF5 library in use, "1.10.8".
std::string library_version();

/// HDF5's error stack in one line, innermost reason last, and clears it; "" if there is none.
std::string take_error();

namespace detail {
void report_failed_close() noexcept;
[[noreturn]] void throw_failed_close();
}  // namespace detail

/// Owner of one HDF5 identifier. The destructor never throws: a failure goes to the log.
template <herr_t (*Close)(hid_t)>
class Handle {
  public:
    Handle() = default;
    explicit Handle(hid_t id) noexcept : id_(id) {}
    ~Handle() {
        if (release_closed() < 0) detail::report_failed_close();
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, invalid)) {}
    Handle& operator=(Handle&& other) noexcept {
        if (this != &other) {
            if (release_closed() < 0) detail::report_failed_close();
            id_ = std::exchange(other.id_, invalid);
        }
        return *this;
    }

    hid_t id() const noexcept { return id_; }
    explicit operator bool() const noexcept { return id_ >= 0; }
    /// Closes now. Throws Error (io): for a file written to, the flush may fail only here.
    void close() {
        if (release_closed() < 0) detail::throw_failed_close();
    }

  private:
    static constexpr hid_t invalid = -1;
    herr_t release_closed() noexcept {
        const hid_t id = std::exchange(id_, invalid);
        if (id < 0) return 0;
        const auto held = lock();
        return Close(id);
    }
    hid_t id_ = invalid;
};

using File = Handle<H5Fclose>;
using Group = Handle<H5Gclose>;
using Dataset = Handle<H5Dclose>;
using Object = Handle<H5Oclose>;
using Space = Handle<H5Sclose>;
using Type = Handle<H5Tclose>;
using PropertyList = Handle<H5Pclose>;
using Attribute = Handle<H5Aclose>;

// --- files -------------------------------------------------------------------------------------

/// Opens for reading. Missing or unreadable: Error (no_input); a directory, not HDF5, truncated:
/// Error (data) with HDF5's reason. `swmr`: a file that another process is writing.
File open_file(const std::string& path, bool swmr = false);
/// Opens an existing file for reading and writing.
File open_file_for_writing(const std::string& path);
/// Creates; the file must not exist yet.
File create_file(const std::string& path);
/// Creates over what is there: for a name that the caller has taken exclusively.
File create_file_over(const std::string& path);
/// A file that lives in memory alone, under a name for messages.
File create_memory_file(const std::string& name);
/// Hands everything to the operating system (not yet to the disk: fsync is the caller's).
void flush(const File& file);

// --- what is there -----------------------------------------------------------------------------

/// True if `path` resolves to an object (a dangling link does not).
bool exists(hid_t location, const std::string& path);
bool is_group(hid_t location, const std::string& path);
bool is_dataset(hid_t location, const std::string& path);

enum class Kind { group, dataset, other, dangling };
struct Child {
    std::string name;
    Kind kind = Kind::other;
};
/// Members of a group in order of name.
std::vector<Child> children(hid_t location, const std::string& path);

Group open_group(hid_t location, const std::string& path);
/// Opens the group, and creates it and those above it where missing.
Group require_group(hid_t location, const std::string& path);
Dataset open_dataset(hid_t location, const std::string& path);
Object open_object(hid_t location, const std::string& path);

/// "a.hdf: /entry/x" for messages; works with any file, group, dataset or attribute owner.
std::string name_of(hid_t location, const std::string& path = "");

struct FilterInfo {
    int id = 0;
    std::string name;
    bool available = false;
    std::vector<unsigned> parameters;
};
/// Filters in the order in which writing applied them.
std::vector<FilterInfo> filters(const Dataset& dataset);
/// Throws Error (data) naming id, name and dataset of the first filter that is not available.
void require_filters(const Dataset& dataset);

/// Empty for a scalar. A null dataspace counts as {0}.
Shape shape_of(const Dataset& dataset);
Shape chunk_of(const Dataset& dataset);  ///< empty if the dataset is not chunked
Type type_of(const Dataset& dataset);
/// "uint16", "float64", "string", "enum of int8", "compound" for messages.
std::string type_name(hid_t type);
/// Product of the extents (1 for a scalar). Throws Error (data) beyond 2^63 - 1.
std::uint64_t n_elements(const Shape& shape);
std::string to_string(const Shape& shape);  ///< "(512, 1024)"

// --- reading -----------------------------------------------------------------------------------

/// No dataset larger than this in memory is read unless the caller says more.
inline constexpr std::uint64_t default_limit_bytes = std::uint64_t{1} << 31;

/// HDF5 memory type of T; the identifier belongs to the library.
template <class T>
hid_t native_type() {
    static_assert(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>);
    if constexpr (std::is_same_v<T, double>) return H5T_NATIVE_DOUBLE;
    if constexpr (std::is_same_v<T, float>) return H5T_NATIVE_FLOAT;
    if constexpr (std::is_integral_v<T>) {
        constexpr bool with_sign = std::is_signed_v<T>;
        if constexpr (sizeof(T) == 1) return with_sign ? H5T_NATIVE_INT8 : H5T_NATIVE_UINT8;
        if constexpr (sizeof(T) == 2) return with_sign ? H5T_NATIVE_INT16 : H5T_NATIVE_UINT16;
        if constexpr (sizeof(T) == 4) return with_sign ? H5T_NATIVE_INT32 : H5T_NATIVE_UINT32;
        if constexpr (sizeof(T) == 8) return with_sign ? H5T_NATIVE_INT64 : H5T_NATIVE_UINT64;
    }
}

/// Number of elements that read_all will fill, after all checks: numeric (or boolean) type,
/// filters available, elements * element_bytes <= limit_bytes.
std::uint64_t
checked_size(const Dataset& dataset, std::size_t element_bytes, std::uint64_t limit_bytes);
void read_all(const Dataset& dataset, hid_t memory_type, void* out);
/// One hyperslab, C order, into `out` (product of count elements). Thread-safe through lock().
void read_slab(
    const Dataset& dataset, hid_t memory_type, const Shape& offset, const Shape& count, void* out);

/// The whole dataset, converted to T as HDF5 converts (out of range is clipped: labels and counts
/// that may be fractional or negative are read as double and checked by the caller).
template <class T>
std::vector<T> read(const Dataset& dataset, std::uint64_t limit_bytes = default_limit_bytes) {
    std::vector<T> values(checked_size(dataset, sizeof(T), limit_bytes));
    if (!values.empty()) read_all(dataset, native_type<T>(), values.data());
    return values;
}
template <class T>
std::vector<T>
read(hid_t location, const std::string& path, std::uint64_t limit_bytes = default_limit_bytes) {
    return read<T>(open_dataset(location, path), limit_bytes);
}

/// One number from a scalar, (1,), (1,1)... of integer, float or boolean type.
double read_number(hid_t location, const std::string& path);
/// As read_number; a float must hold an integer.
std::int64_t read_integer(hid_t location, const std::string& path);
/// As read_number; nullopt if nothing is there, or an array, or a text.
std::optional<double> find_number(hid_t location, const std::string& path);
/// One string from a scalar or one-element dataset of fixed or variable length. An object that is
/// no string dataset (an empty group in some files) is an Error (data).
std::string read_string(hid_t location, const std::string& path);
/// As read_string; "" if nothing is there, or no string.
std::string find_string(hid_t location, const std::string& path);
/// Every string of a dataset of any shape, at most `limit` of them and `limit_bytes` together.
std::vector<std::string> read_strings(hid_t location,
                                      const std::string& path,
                                      std::uint64_t limit = 1'000'000,
                                      std::uint64_t limit_bytes = std::uint64_t{1} << 28);

/// nullopt if the attribute is absent; Error (data) if it is of another kind.
std::optional<std::string> read_string_attribute(hid_t object, const std::string& name);
std::optional<double> read_number_attribute(hid_t object, const std::string& name);

// --- writing -----------------------------------------------------------------------------------

enum class Filter { none, lzf, gzip };  ///< gzip comes with byte shuffling

struct Storage {
    Filter filter = Filter::none;
    std::uint64_t contiguous_below = 1025;  ///< datasets of fewer elements are not chunked
    std::uint64_t chunk_bytes = std::uint64_t{1} << 20;  ///< largest chunk that is chosen
    Shape chunk;                                         ///< given, else chosen by chunk_for
    Shape max_shape;     ///< given if the dataset shall grow (H5S_UNLIMITED allowed)
    int gzip_level = 4;  ///< 0 ... 9
};

/// Chunk of at most `most_bytes`: the last two axes whole if possible, 1 in those before, the
/// longer of the last two halved until it fits.
Shape chunk_for(const Shape& shape, std::size_t element_bytes, std::uint64_t most_bytes);

/// Creates a dataset (and the groups above it) without times, so that equal runs give equal bytes.
/// Values never written read as 0.
Dataset create_dataset(hid_t location,
                       const std::string& path,
                       hid_t file_type,
                       const Shape& shape,
                       const Storage& storage = {});
/// The int8 enum {FALSE = 0, TRUE = 1} that other programs read as boolean.
Type boolean_type();
/// Variable-length UTF-8.
Type string_type();

void write_all(const Dataset& dataset, hid_t memory_type, const void* values);
void write_slab(const Dataset& dataset,
                hid_t memory_type,
                const Shape& offset,
                const Shape& count,
                const void* values);
void extend(const Dataset& dataset, const Shape& shape);

/// Throws Error (internal) if the number of values and the shape differ.
void require_count(std::size_t n_values, const Shape& shape, const std::string& path);

template <class T>
Dataset write(hid_t location,
              const std::string& path,
              std::span<const T> values,
              const Shape& shape,
              const Storage& storage = {}) {
    require_count(values.size(), shape, path);
    Dataset dataset = create_dataset(location, path, native_type<T>(), shape, storage);
    if (!values.empty()) write_all(dataset, native_type<T>(), values.data());
    return dataset;
}
template <class T>
Dataset write(hid_t location,
              const std::string& path,
              const std::vector<T>& values,
              const Shape& shape,
              const Storage& storage = {}) {
    return write<T>(location, path, std::span<const T>(values), shape, storage);
}
template <class T>
Dataset write(hid_t location, const std::string& path, const std::vector<T>& values) {
    return write<T>(location, path, std::span<const T>(values), Shape{values.size()});
}
template <class T>
Dataset write_scalar(hid_t location, const std::string& path, T value) {
    return write<T>(location, path, std::span<const T>(&value, 1), Shape{});
}
Dataset write_string(hid_t location, const std::string& path, const std::string& value);
Dataset
write_strings(hid_t location, const std::string& path, const std::vector<std::string>& values);
/// Bytes 0 and not 0 as the boolean enum.
Dataset write_booleans(hid_t location,
                       const std::string& path,
                       const std::vector<std::uint8_t>& values,
                       const Shape& shape,
                       const Storage& storage = {});
Dataset write_boolean(hid_t location, const std::string& path, bool value);

/// Attributes replace one of the same name.
void write_attribute(hid_t object, const std::string& name, const std::string& value);
void write_attribute(hid_t object, const std::string& name, const char* value);
void write_attribute(hid_t object, const std::string& name, double value);
void write_attribute(hid_t object, const std::string& name, std::int64_t value);
void write_attribute(hid_t object, const std::string& name, const std::vector<std::string>& values);
/// Attributes `units` and `description`; empty ones are left out.
void describe(hid_t object, const std::string& units, const std::string& description);

/// Copies an object with everything below it, attributes included, within or between files.
void copy(hid_t from, const std::string& from_path, hid_t to, const std::string& to_path);
void remove(hid_t location, const std::string& path);
void link_external(hid_t location,
                   const std::string& path,
                   const std::string& other_file,
                   const std::string& other_path);

}  // namespace xpcs::h5
