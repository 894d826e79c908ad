// SPDX-License-Identifier: BSD-3-Clause
// Opening and looking; reading is in h5_read.cpp, writing in h5_write.cpp.
#include "host/h5.hpp"

#include "host/errors.hpp"
#include "host/h5_check.hpp"
#include "host/h5_links.hpp"
#include "host/h5_plain_driver.hpp"
#include "host/log.hpp"
#include "host/lzf_filter.hpp"
#include "host/text.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

namespace xpcs::h5 {

std::unique_lock<std::recursive_mutex> lock() {
    // Never destroyed: handles with static lifetime may close after other statics are gone.
    // NOLINTNEXTLINE(cppcoreguidelines-owning-memory)
    static auto* const mutex = new std::recursive_mutex;
    return std::unique_lock(*mutex);
}

std::string library_version() {
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(release);
}

void register_filters() {
    static const bool once = [] {
        const auto held = lock();
        // Files are closed by their owners. What a full disk left open would be flushed once more
        // at exit, and that crashes inside the library.
        H5dont_atexit();
        H5open();
        H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
        register_lzf_filter();
        return true;
    }();
    static_cast<void>(once);
}

std::string take_error() {
    const auto held = lock();
    std::vector<std::string> reasons;
    H5Ewalk2(
        H5E_DEFAULT,
        H5E_WALK_DOWNWARD,
        [](unsigned, const H5E_error2_t* error, void* list) -> herr_t {
            if (error->desc != nullptr) {
                static_cast<std::vector<std::string>*>(list)->push_back(printable(error->desc));
            }
            return 0;
        },
        &reasons);
    H5Eclear2(H5E_DEFAULT);
    if (reasons.empty()) return "";
    if (reasons.size() == 1 || reasons.front() == reasons.back()) return reasons.back();
    return reasons.front() + ": " + reasons.back();
}

namespace detail {

void report_failed_close() noexcept {
    try {
        Log::warning("HDF5: closing failed: " + take_error());
    } catch (...) {  // a destructor has nobody left to tell
    }
}

void throw_failed_close() {
    throw Error(ExitCode::io, "HDF5: closing failed: " + take_error());
}

void fail(ExitCode code, hid_t location, const std::string& path, const std::string& what) {
    const std::string reason = take_error();  // first: every other call would clear it
    std::string message = name_of(location, path) + ": " + what;
    if (!reason.empty()) message += " (HDF5: " + reason + ")";
    throw Error(code, message);
}

}  // namespace detail

using detail::check;
using detail::fail;

// --- files -------------------------------------------------------------------------------------

namespace {

void require_readable_file(const std::string& path) {
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (status.type() == std::filesystem::file_type::not_found) {
        throw Error(ExitCode::no_input, printable(path) + ": no such file");
    }
    if (status.type() == std::filesystem::file_type::directory) {
        throw Error(ExitCode::data, printable(path) + ": is a directory, an HDF5 file is expected");
    }
    if (::access(path.c_str(), R_OK) != 0) {
        throw Error(ExitCode::no_input,
                    printable(path) + ": cannot be read: " + std::strerror(errno));
    }
}

PropertyList access_list(H5F_close_degree_t degree) {
    PropertyList list(H5Pcreate(H5P_FILE_ACCESS));
    check(list.id(), ExitCode::internal, -1, "", "no file access list");
    H5Pset_fclose_degree(list.id(), degree);
    // File systems of clusters are often mounted without locks; a read must not fail for that.
    H5Pset_file_locking(list.id(), true, true);
    return list;
}

}  // namespace

File open_file(const std::string& path, bool swmr) {
    register_filters();
    require_readable_file(path);
    const auto held = lock();
    const PropertyList access = access_list(H5F_CLOSE_WEAK);
    read_plainly(access.id());
    const unsigned flags = H5F_ACC_RDONLY | (swmr ? H5F_ACC_SWMR_READ : 0U);
    File file(H5Fopen(path.c_str(), flags, access.id()));
    if (!file) {
        throw Error(ExitCode::data,
                    printable(path) + ": cannot be opened as HDF5 (HDF5: " + take_error() + ")");
    }
    return file;
}

File open_file_for_writing(const std::string& path) {
    register_filters();
    require_readable_file(path);
    const auto held = lock();
    const PropertyList access = access_list(H5F_CLOSE_SEMI);
    File file(H5Fopen(path.c_str(), H5F_ACC_RDWR, access.id()));
    if (!file) {
        throw Error(ExitCode::io,
                    printable(path) + ": cannot be opened for writing (HDF5: " + take_error() +
                        ")");
    }
    return file;
}

namespace {

File create(const std::string& path, bool over) {
    register_filters();  // before H5F_ACC_..., which are macros that start the library
    const auto held = lock();
    const PropertyList access = access_list(H5F_CLOSE_SEMI);
    const unsigned flags = over ? H5F_ACC_TRUNC : H5F_ACC_EXCL;
    File file(H5Fcreate(path.c_str(), flags, H5P_DEFAULT, access.id()));
    if (!file) {
        throw Error(ExitCode::cannot_create,
                    printable(path) + ": cannot be created (HDF5: " + take_error() + ")");
    }
    return file;
}

}  // namespace

File create_file(const std::string& path) {
    return create(path, false);
}

File create_file_over(const std::string& path) {
    return create(path, true);
}

File create_memory_file(const std::string& name) {
    register_filters();
    const auto held = lock();
    const PropertyList access = access_list(H5F_CLOSE_SEMI);
    H5Pset_fapl_core(access.id(), std::size_t{1} << 20, false);
    File file(H5Fcreate(name.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.id()));
    check(file.id(), ExitCode::internal, -1, name, "no file in memory");
    return file;
}

void flush(const File& file) {
    const auto held = lock();
    check(H5Fflush(file.id(), H5F_SCOPE_LOCAL), ExitCode::io, file.id(), "", "cannot be flushed");
}

// --- what is there -----------------------------------------------------------------------------

std::string name_of(hid_t location, const std::string& path) {
    const auto held = lock();
    const auto text = [](auto&& get) {
        const ssize_t length = get(nullptr, std::size_t{0});
        if (length <= 0) return std::string();
        std::string name(static_cast<std::size_t>(length), '\0');
        get(name.data(), name.size() + 1);
        return name;
    };
    std::string file, object;
    if (location >= 0) {
        file = text([&](char* to, std::size_t n) { return H5Fget_name(location, to, n); });
        object = text([&](char* to, std::size_t n) { return H5Iget_name(location, to, n); });
        H5Eclear2(H5E_DEFAULT);
    }
    if (!path.empty()) {
        if (path.front() == '/') object.clear();
        if (!object.empty() && object.back() != '/') object += '/';
        object += path;
    }
    if (file.empty()) return object.empty() ? "HDF5" : printable(object);
    if (object.empty() || object == "/") return printable(file);
    return printable(file) + ": " + printable(object);
}

bool exists(hid_t location, const std::string& path) {
    const auto held = lock();
    const auto found = [](htri_t answer) {
        if (answer < 0) H5Eclear2(H5E_DEFAULT);
        return answer > 0;
    };
    if (path.find_first_not_of('/') == std::string::npos) return true;
    // H5Oexists_by_name wants every link above to be there.
    for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
        const std::string above = path.substr(0, at);
        if (above.find_first_not_of('/') == std::string::npos) continue;
        if (!found(H5Lexists(location, above.c_str(), link_access()))) return false;
        if (!found(H5Oexists_by_name(location, above.c_str(), link_access()))) return false;
    }
    return found(H5Lexists(location, path.c_str(), link_access())) &&
           found(H5Oexists_by_name(location, path.c_str(), link_access()));
}

namespace {

H5I_type_t kind_of(hid_t location, const std::string& path) {
    if (!exists(location, path)) return H5I_BADID;
    const Object object(H5Oopen(location, path.c_str(), link_access()));
    if (!object) {
        H5Eclear2(H5E_DEFAULT);
        return H5I_BADID;
    }
    return H5Iget_type(object.id());
}

}  // namespace

bool is_group(hid_t location, const std::string& path) {
    const auto held = lock();
    return kind_of(location, path) == H5I_GROUP;
}

bool is_dataset(hid_t location, const std::string& path) {
    const auto held = lock();
    return kind_of(location, path) == H5I_DATASET;
}

std::vector<Child> children(hid_t location, const std::string& path) {
    constexpr std::size_t most_children = 100'000;
    const auto held = lock();
    const Group group = open_group(location, path);
    // Of links in the group's header the library makes a table, and frees what it has not filled in
    // where one of them is damaged (1.10.8). To look for a name reads every one of them without.
    check(H5Lexists(group.id(), "\x01 no such name", H5P_DEFAULT),
          ExitCode::data,
          group.id(),
          "",
          "its members cannot be listed");
    std::vector<Child> list;
    hsize_t index = 0;
    // In the order of storage, sorted below: for any other order the library first makes a table,
    // and where the heap of names is damaged it frees what it has not filled in (seen with 1.10.8).
    const herr_t done = H5Literate(
        group.id(),
        H5_INDEX_NAME,
        H5_ITER_NATIVE,
        &index,
        [](hid_t, const char* name, const H5L_info_t*, void* to) -> herr_t {
            auto& names = *static_cast<std::vector<Child>*>(to);
            if (names.size() >= most_children) return -1;
            names.push_back({name, Kind::other});
            return 0;
        },
        &list);
    check(done, ExitCode::data, group.id(), "", "its members cannot be listed");
    std::sort(
        list.begin(), list.end(), [](const Child& a, const Child& b) { return a.name < b.name; });
    for (Child& child : list) {
        switch (kind_of(group.id(), child.name)) {
        case H5I_GROUP:
            child.kind = Kind::group;
            break;
        case H5I_DATASET:
            child.kind = Kind::dataset;
            break;
        case H5I_BADID:
            child.kind = Kind::dangling;
            break;
        default:
            break;
        }
    }
    return list;
}

Group open_group(hid_t location, const std::string& path) {
    const auto held = lock();
    Group group(H5Gopen2(location, path.c_str(), group_access()));
    check(group.id(), ExitCode::data, location, path, "no such group");
    return group;
}

Dataset open_dataset(hid_t location, const std::string& path) {
    const auto held = lock();
    Dataset dataset(H5Dopen2(location, path.c_str(), dataset_access()));
    check(dataset.id(), ExitCode::data, location, path, "no such dataset");
    require_own_storage(dataset);
    return dataset;
}

Object open_object(hid_t location, const std::string& path) {
    const auto held = lock();
    Object object(H5Oopen(location, path.c_str(), link_access()));
    check(object.id(), ExitCode::data, location, path, "no such object");
    return object;
}

std::vector<FilterInfo> filters(const Dataset& dataset) {
    const auto held = lock();
    const detail::KeepFloatingPoint kept;
    const PropertyList list(H5Dget_create_plist(dataset.id()));
    check(list.id(), ExitCode::data, dataset.id(), "", "its storage cannot be read");
    std::vector<FilterInfo> found;
    const int n_filters = H5Pget_nfilters(list.id());
    for (int i = 0; i < n_filters; ++i) {
        unsigned flags = 0, config = 0;
        unsigned parameters[64] = {};
        std::size_t n_parameters = std::size(parameters);
        char name[256] = {};
        FilterInfo info;
        info.id = H5Pget_filter2(list.id(),
                                 static_cast<unsigned>(i),
                                 &flags,
                                 &n_parameters,
                                 parameters,
                                 sizeof name - 1,
                                 name,
                                 &config);
        check(info.id, ExitCode::data, dataset.id(), "", "its filters cannot be read");
        info.name = printable(name);
        info.available = H5Zfilter_avail(info.id) > 0;
        info.parameters.assign(parameters,
                               parameters + std::min(n_parameters, std::size(parameters)));
        found.push_back(std::move(info));
    }
    H5Eclear2(H5E_DEFAULT);
    return found;
}

void require_filters(const Dataset& dataset) {
    for (const FilterInfo& filter : filters(dataset)) {
        if (filter.available) continue;
        throw Error(ExitCode::data,
                    name_of(dataset.id()) + ": HDF5 filter " + std::to_string(filter.id) + " ('" +
                        filter.name +
                        "') is not available; install its plug-in or set "
                        "HDF5_PLUGIN_PATH");
    }
}

Shape shape_of(const Dataset& dataset) {
    const auto held = lock();
    const Space space(H5Dget_space(dataset.id()));
    check(space.id(), ExitCode::data, dataset.id(), "", "its shape cannot be read");
    if (H5Sget_simple_extent_type(space.id()) == H5S_NULL) return {0};
    const int rank = H5Sget_simple_extent_ndims(space.id());
    check(rank, ExitCode::data, dataset.id(), "", "its shape cannot be read");
    Shape shape(static_cast<std::size_t>(rank));
    if (rank > 0) H5Sget_simple_extent_dims(space.id(), shape.data(), nullptr);
    return shape;
}

Shape chunk_of(const Dataset& dataset) {
    const auto held = lock();
    const PropertyList list(H5Dget_create_plist(dataset.id()));
    check(list.id(), ExitCode::data, dataset.id(), "", "its storage cannot be read");
    if (H5Pget_layout(list.id()) != H5D_CHUNKED) return {};
    Shape chunk(shape_of(dataset).size());
    const int rank = H5Pget_chunk(list.id(), static_cast<int>(chunk.size()), chunk.data());
    check(rank, ExitCode::data, dataset.id(), "", "its chunks cannot be read");
    return chunk;
}

Type type_of(const Dataset& dataset) {
    const auto held = lock();
    Type type(H5Dget_type(dataset.id()));
    check(type.id(), ExitCode::data, dataset.id(), "", "its type cannot be read");
    return type;
}

std::string type_name(hid_t type) {
    const auto held = lock();
    const std::string bits = std::to_string(8 * H5Tget_size(type));
    switch (H5Tget_class(type)) {
    case H5T_INTEGER:
        return (H5Tget_sign(type) == H5T_SGN_NONE ? "uint" : "int") + bits;
    case H5T_FLOAT:
        return "float" + bits;
    case H5T_STRING:
        return "string";
    case H5T_ENUM: {
        const Type base(H5Tget_super(type));
        return "enum of " + type_name(base.id());
    }
    case H5T_COMPOUND:
        return "compound";
    case H5T_VLEN:
        return "variable-length list";
    case H5T_REFERENCE:
        return "reference";
    case H5T_ARRAY:
        return "array";
    default:
        return "opaque";
    }
}

std::uint64_t n_elements(const Shape& shape) {
    constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
    std::uint64_t n = 1;
    for (const hsize_t extent : shape) {
        if (extent != 0 && n > most / extent) {
            throw Error(ExitCode::data,
                        "shape " + to_string(shape) + ": more than 2^63 - 1 elements");
        }
        n *= extent;
    }
    return n;
}

std::string to_string(const Shape& shape) {
    std::string text = "(";
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (i > 0) text += ", ";
        text += std::to_string(shape[i]);
    }
    if (shape.size() == 1) text += ',';
    return text + ")";
}

}  // namespace xpcs::h5
