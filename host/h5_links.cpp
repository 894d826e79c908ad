// SPDX-License-Identifier: BSD-3-Clause
#include "host/h5_links.hpp"

#include "host/errors.hpp"
#include "host/h5_check.hpp"
#include "host/text.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace xpcs::h5 {

namespace {

namespace fs = std::filesystem;

std::atomic<bool> always_inside{false};

bool may_lead_anywhere() {
    static const bool asked = [] {
        const char* value = std::getenv("XPCS_HDF5_LINKS");
        return value != nullptr && std::strcmp(value, "anywhere") == 0;
    }();
    return asked && !always_inside;
}

bool is_outside(const fs::path& parent, const fs::path& name) {
    if (!name.is_absolute()) return *name.lexically_normal().begin() == "..";
    const fs::path below =
        name.lexically_normal().lexically_relative(fs::absolute(parent).lexically_normal());
    return below.empty() || *below.begin() == "..";
}

bool is_odd_file(const fs::path& path) {
    std::error_code ignored;
    const fs::file_status status = fs::status(path, ignored);
    return fs::exists(status) && !fs::is_regular_file(status);
}

/// HDF5 asks for every external link that it is about to follow.
herr_t follow(const char* parent_file,
              const char*,
              const char* child_file,
              const char*,
              unsigned* flags,
              hid_t,
              void*) {
    try {
        // Whatever leads elsewhere is read only, also from a file that is being written.
        *flags = H5F_ACC_RDONLY;
        return link_fault(parent_file, child_file).empty() ? 0 : -1;
    } catch (...) {  // no exception may pass through the C library
        return -1;
    }
}

hid_t access_of(hid_t kind) {
    const auto held = lock();
    const hid_t list = H5Pcreate(kind);
    if (list < 0 || H5Pset_elink_cb(list, follow, nullptr) < 0) {
        throw Error(ExitCode::internal, "HDF5: no access list for links: " + take_error());
    }
    return list;
}

template <class Get>
std::string name_from(const Get& get) {
    const ssize_t n = get(nullptr, std::size_t{0});
    std::string name(static_cast<std::size_t>(std::max<ssize_t>(n, 0)) + 1, '\0');
    get(name.data(), name.size());
    name.pop_back();
    return name;
}

void require_sources_inside(const Dataset& dataset, hid_t storage) {
    const std::string file =
        name_from([&](char* text, std::size_t n) { return H5Fget_name(dataset.id(), text, n); });
    std::size_t n_sources = 0;
    detail::check(
        H5Pget_virtual_count(storage, &n_sources), ExitCode::data, dataset.id(), "", "no sources");
    for (std::size_t i = 0; i < n_sources; ++i) {
        const std::string source = name_from([&](char* text, std::size_t n) {
            return H5Pget_virtual_filename(storage, i, text, n);
        });
        if (source == ".") continue;
        const std::string fault = link_fault(file, source);
        if (fault.empty()) continue;
        throw Error(ExitCode::data,
                    name_of(dataset.id()) + ": source '" + printable(source, 200) +
                        "' of its virtual dataset " + fault);
    }
}

}  // namespace

void links_stay_inside() {
    always_inside = true;
}

std::string link_fault(const std::string& parent_file, const std::string& name) {
    const fs::path parent = fs::path(parent_file).parent_path();
    if (name.empty()) return "has no name";
    if (!may_lead_anywhere() && is_outside(parent, name)) {
        return "leads out of the directory of the file (XPCS_HDF5_LINKS=anywhere allows it)";
    }
    if (is_odd_file(parent / name) || is_odd_file(name)) return "is no regular file";
    return "";
}

hid_t link_access() {
    static const hid_t list = access_of(H5P_LINK_ACCESS);
    return list;
}

hid_t group_access() {
    static const hid_t list = access_of(H5P_GROUP_ACCESS);
    return list;
}

hid_t dataset_access() {
    static const hid_t list = access_of(H5P_DATASET_ACCESS);
    return list;
}

void require_own_storage(const Dataset& dataset) {
    const auto held = lock();
    const PropertyList storage(H5Dget_create_plist(dataset.id()));
    detail::check(storage.id(), ExitCode::data, dataset.id(), "", "its storage cannot be read");
    const H5D_layout_t layout = H5Pget_layout(storage.id());
    if (layout == H5D_CONTIGUOUS && H5Pget_external_count(storage.id()) > 0) {
        throw Error(ExitCode::data,
                    name_of(dataset.id()) +
                        ": its values lie in another, raw file (external storage), which is not "
                        "read");
    }
    if (layout == H5D_VIRTUAL) require_sources_inside(dataset, storage.id());
}

}  // namespace xpcs::h5
