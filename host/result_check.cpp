// SPDX-License-Identifier: BSD-3-Clause
// Is a file a complete result?
#include "host/errors.hpp"
#include "host/result_group.hpp"
#include "host/result_paths.hpp"
#include "host/result_reader.hpp"

#include <stdexcept>

namespace xpcs {

namespace {

namespace rp = result_path;

std::string missing_path(hid_t file, bool multitau, bool twotime, bool band) {
    for (const ResultPath& path : rp::all) {
        const bool needed =
            path.needed == Needed::always || (path.needed == Needed::multitau && multitau) ||
            (path.needed == Needed::twotime && twotime) || (path.needed == Needed::band && band);
        if (needed && !h5::exists(file, path.path)) {
            return path.path;
        }
    }
    return "";
}

/// What the options say must be there, "" if it is.
std::string missing_analysis(hid_t file, bool multitau, bool twotime) {
    for (const ResultPath& group : {rp::multitau, rp::twotime}) {
        const bool there = std::string(group.path) == rp::multitau.path ? multitau : twotime;
        if (!there && h5::is_group(file, group.path)) {
            return std::string(group.path) + " is there without its result";
        }
    }
    return "";
}

std::string fault_of(const std::string& path) {
    const h5::File file = h5::open_file(path);
    const hid_t id = file.id();
    const bool multitau = h5::is_dataset(id, rp::g2.path);
    const bool twotime = has_twotime_group(file);
    const bool band = h5::is_group(id, rp::band.path);
    if (!multitau && !twotime && !band) {
        return std::string("neither ") + rp::g2.path + " nor " + rp::twotime_maps.path;
    }
    const h5::Group group = h5::open_group(id, rp::xpcs.path);
    const bool ours = h5::read_string_attribute(group.id(), rp::attribute_program).has_value();
    if (ours && h5::read_number_attribute(group.id(), rp::attribute_complete).value_or(0) != 1) {
        return std::string("the mark of completeness is missing (attribute ") +
               rp::attribute_complete + " of " + rp::xpcs.path + ")";
    }
    std::string part = missing_analysis(id, multitau, twotime);
    if (!part.empty()) {
        return part;
    }
    const std::string missing = missing_path(id, multitau, twotime, band);
    if (!missing.empty()) {
        return missing + " is missing";
    }
    const ResultReader reader(path, false);  // reads every table: shapes, filters and chunks
    if (reader.data().has_multitau() != multitau) {
        return std::string(rp::g2.path) + " is empty";
    }
    const TwoTimeData& two = reader.data().two_time;
    if (twotime && (two.n_maps == 0 || two.n_maps < two.processed_bins.size())) {
        return std::string(rp::twotime_maps.path) + " has " + std::to_string(two.n_maps) + " of " +
               std::to_string(two.processed_bins.size()) + " maps";
    }
    return "";
}

}  // namespace

bool has_twotime_group(const h5::File& file) {
    return h5::is_group(file.id(), rp::twotime_maps.path) ||
           h5::is_dataset(file.id(), rp::twotime_g2.path);
}

bool looks_like_result(const h5::File& file) {
    const hid_t id = file.id();
    if (h5::is_dataset(id, rp::g2.path) || has_twotime_group(file) ||
        h5::is_group(id, rp::band.path)) {
        return true;
    }
    const ExchangePaths old = exchange_paths(id);
    return h5::is_dataset(id, old.g2) || h5::is_group(id, old.maps);
}

bool is_complete_result(const std::string& path, std::string& reason) {
    try {
        reason = fault_of(path);
    } catch (const std::exception& error) {
        reason = error.what();
    }
    return reason.empty();
}

}  // namespace xpcs
