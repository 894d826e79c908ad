// SPDX-License-Identifier: BSD-3-Clause
#include "host/average_input.hpp"

#include "host/errors.hpp"
#include "host/nan.hpp"
#include "host/qmap_file.hpp"
#include "host/result_paths.hpp"
#include "host/text.hpp"

#include <fmt/format.h>

#include <cmath>

namespace xpcs {

namespace {

namespace rp = result_path;

std::string list_text(const std::vector<std::int64_t>& values) {
    std::string out = std::to_string(values.size()) + ":";
    for (const std::int64_t value : values) {
        out.append(1, ' ').append(std::to_string(value));
    }
    return out;
}

std::string names_text(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names) {
        out.append(out.empty() ? "" : ", ").append(name);
    }
    return out;
}

/// The one-time curves, else the diagonal means of the two-time maps without lag 0, where a photon
/// meets itself.
void take_curves(const ResultData& data, Repeat& to) {
    if (data.has_multitau()) {
        to.curves = {data.one_time.g2.values, data.one_time.g2_err.values};
        to.n_bins = static_cast<std::size_t>(data.one_time.g2.cols);
        return;
    }
    const Matrix& g2 = data.two_time.g2;
    to.n_bins = static_cast<std::size_t>(g2.cols);
    if (g2.rows > 1) {
        to.curves.g2.assign(g2.values.begin() + g2.cols, g2.values.end());
    }
}

std::string hash_of(const h5::File& file, const ResultData& data) {
    if (!data.qmap.hash.empty()) return data.qmap.hash;
    return h5::is_group(file.id(), rp::qmap.path) ? qmap_group_hash(file.id(), rp::qmap.path) : "";
}

/// Beginning and end of what may be very long.
std::string shortened(const std::string& text) {
    constexpr std::size_t most = 120;
    return text.size() <= most ? text
                               : text.substr(0, 80) + " ... " + text.substr(text.size() - 35);
}

}  // namespace

Repeat read_repeat(const std::string& path) {
    const ResultReader reader(path);
    const ResultData& data = reader.data();
    if (data.layout != "xpcs") {
        throw Error(ExitCode::data,
                    "'" + printable(path) +
                        "': the older /exchange layout; 'xpcs-corr export --format xpcs' brings it "
                        "to the present one");
    }
    if (!data.has_multitau() && !data.has_twotime()) {
        throw Error(ExitCode::data,
                    "'" + printable(path) + "': neither one-time nor two-time correlation");
    }
    Repeat out;
    out.path = path;
    out.multitau = data.has_multitau();
    out.twotime = data.has_twotime();
    out.twotime_frames = data.two_time.n_frames;
    out.twotime_bins = data.two_time.map_bins;
    take_curves(data, out);
    for (const double value : data.intensity) {
        out.photons_per_pixel += std::isfinite(value) ? value : 0;
    }
    const h5::File file = h5::open_file(path);
    out.incident = h5::find_number(file.id(), incident_intensity_path).value_or(nan);
    out.transmitted = h5::find_number(file.id(), transmitted_intensity_path).value_or(nan);
    out.identity = {
        {"analyses", names_text(data.analysis_types)},
        {"frame_time", data.frame_time_known ? fmt::format("{:.9g} s", data.frame_time_s) : "none"},
        {"stride_frame", std::to_string(data.stride_frame)},
        {"avg_frame", std::to_string(data.avg_frame)},
        {"q-map hash", hash_of(file, data)},
        {"detector shape", fmt::format("{} x {}", data.rows, data.cols)},
        {"dynamic bins", std::to_string(data.one_time.g2.cols)},
        {"lags (delay_list)", list_text(data.one_time.delay_list)},
        {"two-time bins", list_text(data.two_time.processed_bins)},
        {"two-time frames", std::to_string(data.two_time.n_frames)}};
    return out;
}

void require_same(const Repeat& first, const Repeat& other) {
    for (std::size_t i = 0; i < first.identity.size(); ++i) {
        const auto& [name, value] = first.identity[i];
        const std::string& found = other.identity[i].second;
        if (found != value) {
            throw Error(ExitCode::data,
                        "average: '" + printable(other.path) + "' has " + name + " " +
                            shortened(found) + ", '" + printable(first.path) + "' has " +
                            shortened(value) + "; repeats must agree");
        }
    }
}

}  // namespace xpcs
