// SPDX-License-Identifier: BSD-3-Clause
#include "host/readers/hdf5_filters.hpp"

#include "host/errors.hpp"
#include "host/readers/hdf5_dense.hpp"

#include <dlfcn.h>

#include <filesystem>

namespace xpcs {

namespace {

/// The distribution package that brings a filter, "" if none is known.
const char* package_of(int filter_id) {
    switch (filter_id) {
    case 307:
    case 32004:
        return "hdf5-filter-plugin";
    case 32001:
        return "hdf5-filter-plugin-blosc-serial";
    case 32008:
        return "bitshuffle";
    case 32013:
        return "hdf5-filter-plugin-zfp-serial";
    default:
        return "";
    }
}

/// Registered names, because the name stored in a file is optional.
const char* known_filter_name(int filter_id) {
    switch (filter_id) {
    case 1:
        return "gzip";
    case 4:
        return "szip";
    case 307:
        return "bzip2";
    case 32000:
        return "LZF";
    case 32001:
        return "Blosc";
    case 32004:
        return "LZ4";
    case 32008:
        return "bitshuffle";
    case 32013:
        return "ZFP";
    case 32015:
        return "Zstandard";
    case 32017:
        return "SZ";
    case 32026:
        return "Blosc2";
    default:
        return "unnamed";
    }
}

}  // namespace

void require_filters_of_frames(const h5::Dataset& dataset) {
    for (const h5::FilterInfo& filter : h5::filters(dataset)) {
        if (filter.available) continue;
        const std::string name = filter.name.empty() ? known_filter_name(filter.id) : filter.name;
        const std::string package = package_of(filter.id);
        throw Error(ExitCode::data,
                    h5::name_of(dataset.id()) + ": HDF5 filter " + std::to_string(filter.id) +
                        " (" + name + ") is not available; " +
                        (package.empty() ? "install its plug-in"
                                         : "the distribution's package " + package + " brings it") +
                        " or set HDF5_PLUGIN_PATH");
    }
}

void find_distribution_plugins() {
    namespace fs = std::filesystem;
    static const bool once = [] {
        const auto held = h5::lock();
        Dl_info library{};
        if (dladdr(reinterpret_cast<const void*>(&H5get_libversion), &library) == 0 ||
            library.dli_fname == nullptr) {
            return false;
        }
        std::error_code ignored;
        const fs::path folder = fs::canonical(library.dli_fname, ignored).parent_path();
        for (const char* below : {"hdf5/serial/plugins", "hdf5/plugins", "hdf5/plugin"}) {
            const fs::path plugins = folder / below;
            if (!fs::is_directory(plugins, ignored)) continue;
            // At the end of the path: what the user asked for comes first.
            if (H5PLappend(plugins.c_str()) < 0) H5Eclear2(H5E_DEFAULT);
        }
        return true;
    }();
    static_cast<void>(once);
}

}  // namespace xpcs
