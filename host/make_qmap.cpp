// SPDX-License-Identifier: BSD-3-Clause
#include "host/make_qmap.hpp"

#include "host/errors.hpp"
#include "host/h5.hpp"
#include "host/text.hpp"
#include "host/version.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

namespace xpcs {

namespace {

constexpr std::int64_t most_pixels = std::int64_t{1} << 28;
constexpr std::int64_t most_bins = std::int64_t{1} << 24;

struct Span {
    std::int64_t first, end;
};

struct Preset {
    const char* name;
    std::int64_t rows, cols;
    double pixel_size_m;
    std::vector<Span> row_gaps, col_gaps;
};

const std::vector<Preset>& presets() {
    static const std::vector<Preset> list = {
        {"custom", 0, 0, 0, {}, {}},
        {"rigaku500k", 512, 1024, 76e-6, {}, {}},
        {"rigaku3m", 1676, 2100, 76e-6, {{512, 582}, {1094, 1164}}, {{1024, 1076}}},
        // 4 x 2 modules of 514 x 1030 pixels
        {"eiger4m", 2167, 2070, 75e-6, {{514, 551}, {1065, 1102}, {1616, 1653}}, {{1030, 1040}}},
    };
    return list;
}

const Preset& preset_named(const std::string& name) {
    for (const Preset& preset : presets()) {
        if (name == preset.name) return preset;
    }
    std::string all;
    for (const std::string& known : detector_presets())
        all += (all.empty() ? "" : ", ") + known;
    throw Error(ExitCode::config,
                "detector '" + printable(name) + "' is not one of " + all +
                    did_you_mean(name, detector_presets()));
}

template <class T>
void require_range(const char* what, T value, T low, T high) {
    if (value >= low && value <= high) return;  // false for NaN
    const auto text = [](T number) {
        if constexpr (std::is_integral_v<T>) return std::to_string(number);
        char digits[32];
        std::snprintf(digits, sizeof digits, "%g", static_cast<double>(number));
        return std::string(digits);
    };
    throw Error(ExitCode::config,
                std::string(what) + " " + text(value) + " is outside " + text(low) + " ... " +
                    text(high));
}

void check_regions(const MakeQmapOptions& options) {
    constexpr std::int64_t far = 1'000'000;
    for (const MaskRectangle& r : options.rectangles) {
        for (const std::int64_t edge : {r.first_row, r.first_col, r.end_row, r.end_col}) {
            require_range<std::int64_t>("mask rectangle: edge", edge, -far, far);
        }
        if (r.end_row <= r.first_row || r.end_col <= r.first_col) {
            throw Error(ExitCode::config,
                        "mask rectangle: rows " + std::to_string(r.first_row) + " to " +
                            std::to_string(r.end_row) + ", columns " + std::to_string(r.first_col) +
                            " to " + std::to_string(r.end_col) + " hold no pixel");
        }
    }
    for (const MaskCircle& c : options.circles) {
        require_range("mask circle: centre row", c.row, -1e6, 1e6);
        require_range("mask circle: centre column", c.col, -1e6, 1e6);
        require_range("mask circle: radius (pixels)", c.radius_px, 1e-9, 1e6);
    }
}

void check_bins(const MakeQmapOptions& options) {
    const auto pair = [&](const char* axis, std::int64_t n_static, std::int64_t n_dynamic) {
        const std::string name = std::string(" ") + axis + " bins";
        require_range<std::int64_t>(("static" + name).c_str(), n_static, 1, 1'000'000);
        require_range<std::int64_t>(("dynamic" + name).c_str(), n_dynamic, 1, 1'000'000);
        if (options.allow_straddling || n_static % n_dynamic == 0) return;
        throw Error(ExitCode::config,
                    "static" + name + " " + std::to_string(n_static) +
                        " is not a multiple of dynamic" + name + " " + std::to_string(n_dynamic) +
                        ": static bins would lie in two dynamic bins");
    };
    pair("q", options.static_q_bins, options.dynamic_q_bins);
    pair("phi", options.static_phi_bins, options.dynamic_phi_bins);
    require_range<std::int64_t>(
        "static bins (q times phi)", options.static_q_bins * options.static_phi_bins, 1, most_bins);
    require_range<std::int64_t>("dynamic bins (q times phi)",
                                options.dynamic_q_bins * options.dynamic_phi_bins,
                                1,
                                most_bins);
    const bool range =
        options.q_min_inv_angstrom >= 0 && options.q_max_inv_angstrom > options.q_min_inv_angstrom;
    if (!range) {
        throw Error(ExitCode::config,
                    "q range " + std::to_string(options.q_min_inv_angstrom) + " ... " +
                        std::to_string(options.q_max_inv_angstrom) +
                        " 1/Angstrom: 0 <= minimum < maximum is expected");
    }
    require_range("azimuth offset (deg)", options.phi_offset_deg, -360.0, 360.0);
    require_range("symmetry fold", options.symmetry_fold, 1, 360);
}

// --- mask --------------------------------------------------------------------------------------

using Flags = std::vector<std::uint8_t>;

Flags load_mask(const MakeQmapOptions& options) {
    const auto held = h5::lock();
    const h5::File file = h5::open_file(options.mask_file);
    const h5::Dataset dataset = h5::open_dataset(file.id(), options.mask_dataset);
    const h5::Shape expected{static_cast<hsize_t>(options.rows),
                             static_cast<hsize_t>(options.cols)};
    const h5::Shape shape = h5::shape_of(dataset);
    if (shape != expected) {
        throw Error(ExitCode::data,
                    h5::name_of(dataset.id()) + ": shape " + h5::to_string(shape) +
                        ", the detector has " + h5::to_string(expected));
    }
    const auto values = h5::read<double>(dataset);
    Flags mask(values.size());
    std::transform(values.begin(), values.end(), mask.begin(), [](double value) {
        return static_cast<std::uint8_t>(value != 0 && !std::isnan(value));
    });
    return mask;
}

/// Good pixels of the detector itself: module gaps and the mask file.
Flags good_pixels(const MakeQmapOptions& options) {
    const auto n = static_cast<std::size_t>(options.rows * options.cols);
    Flags good = options.mask_file.empty() ? Flags(n, 1) : load_mask(options);
    const Preset& preset = preset_named(options.detector);
    if (preset.rows != options.rows || preset.cols != options.cols) return good;
    const Flags gap = detector_gap(options.detector);
    for (std::size_t p = 0; p < gap.size(); ++p)
        good[p] &= gap[p] == 0;
    return good;
}

bool inside(const MaskRectangle& r, std::int64_t row, std::int64_t col) {
    return row >= r.first_row && row < r.end_row && col >= r.first_col && col < r.end_col;
}

bool inside(const MaskCircle& c, std::int64_t row, std::int64_t col) {
    const double dr = static_cast<double>(row) - c.row;
    const double dc = static_cast<double>(col) - c.col;
    return dr * dr + dc * dc <= c.radius_px * c.radius_px;
}

template <class Region>
void apply_region(const Region& region, std::int64_t rows, std::int64_t cols, Flags& hit) {
    for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t col = 0; col < cols; ++col) {
            if (inside(region, row, col)) hit[static_cast<std::size_t>(row * cols + col)] = 1;
        }
    }
}

void apply_regions(const MakeQmapOptions& options, Flags& mask) {
    Flags dropped(mask.size(), 0), kept(mask.size(), 0);
    bool any_keep = false;
    const auto apply = [&](const auto& regions) {
        for (const auto& region : regions) {
            any_keep = any_keep || region.keep;
            apply_region(region, options.rows, options.cols, region.keep ? kept : dropped);
        }
    };
    apply(options.rectangles);
    apply(options.circles);
    for (std::size_t p = 0; p < mask.size(); ++p) {
        if (dropped[p] != 0 || (any_keep && kept[p] == 0)) mask[p] = 0;
    }
}

// --- geometry ----------------------------------------------------------------------------------

struct Coordinates {
    std::vector<double> q, phi;  // [rows * cols]
};

double azimuth(const MakeQmapOptions& options, double v, double h) {
    constexpr double degree = 180.0 / std::numbers::pi;
    double phi = -std::atan2(v, h) * degree;
    if (options.phi_offset_deg != 0) phi = std::remainder(phi + options.phi_offset_deg, 360.0);
    if (options.symmetry_fold > 1) {
        const double period = 360.0 / options.symmetry_fold;
        phi = std::fmod(phi, period);
        if (phi < 0) phi += period;
    }
    return phi;
}

Coordinates coordinates(const MakeQmapOptions& options) {
    constexpr double hc = 12.39841984;  // Angstrom keV
    const double k = 2 * std::numbers::pi * options.energy_keV / hc;
    Coordinates out;
    const auto n = static_cast<std::size_t>(options.rows * options.cols);
    out.q.reserve(n);
    out.phi.reserve(n);
    for (std::int64_t row = 0; row < options.rows; ++row) {
        const double v =
            (static_cast<double>(row) - options.beam_center_y_px) * options.pixel_size_m;
        for (std::int64_t col = 0; col < options.cols; ++col) {
            const double h =
                (static_cast<double>(col) - options.beam_center_x_px) * options.pixel_size_m;
            const double alpha = std::atan(std::sqrt(h * h + v * v) / options.distance_m);
            out.q.push_back(2 * k * std::sin(alpha / 2));
            out.phi.push_back(azimuth(options, v, h));
        }
    }
    return out;
}

// --- bins --------------------------------------------------------------------------------------

/// Takes the last digits away, in which machines differ, before a value is compared with an edge.
double round_fine(double value) {
    return std::nearbyint(value * 1e12) / 1e12;
}

struct Axis {
    std::vector<double> edges;    // n + 1, rounded
    std::vector<double> centres;  // n
};

/// `n` bins between the extremes of `values` over the mask.
Axis make_axis(const std::vector<double>& values,
               const Flags& mask,
               std::int64_t n,
               bool logarithmic) {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (std::size_t p = 0; p < values.size(); ++p) {
        if (mask[p] == 0 || (logarithmic && values[p] <= 0)) continue;
        low = std::min(low, values[p]);
        high = std::max(high, values[p]);
    }
    if (!(low <= high)) {
        throw Error(ExitCode::config, "logarithmic q bins: no pixel with q > 0 is left");
    }
    Axis axis;
    const double start = logarithmic ? std::log10(low) : low;
    const double width = ((logarithmic ? std::log10(high) : high) - start) / static_cast<double>(n);
    const auto edge = [&](std::int64_t i) {
        if (i == n) return high;
        if (i == 0) return low;
        const double at = start + width * static_cast<double>(i);
        return logarithmic ? std::pow(10.0, at) : at;
    };
    for (std::int64_t i = 0; i <= n; ++i) {
        axis.edges.push_back(round_fine(edge(i)));
        if (i == 0) continue;
        const double a = edge(i - 1), b = edge(i);
        axis.centres.push_back(logarithmic ? std::sqrt(a * b) : (a + b) / 2);
    }
    return axis;
}

/// Bin from 1; every value gets one. Edges are rounded already.
std::int64_t bin_of(double exact, const Axis& axis) {
    const double value = round_fine(exact);
    const auto n = static_cast<std::int64_t>(axis.centres.size());
    const auto above = std::upper_bound(axis.edges.begin(), axis.edges.end(), value);
    return std::clamp<std::int64_t>(above - axis.edges.begin(), 1, n);
}

struct Bins {
    std::array<Axis, 2> axes;
    std::vector<std::uint32_t> labels;
    std::vector<std::int64_t> mapping;
};

/// Gives natural bins that have pixels the labels 1 ... N in ascending order.
void compress(const std::vector<std::int64_t>& natural, std::int64_t n_natural, Bins& bins) {
    std::vector<std::uint32_t> label_of(static_cast<std::size_t>(n_natural), 0);
    for (const std::int64_t bin : natural) {
        if (bin >= 0) label_of[static_cast<std::size_t>(bin)] = 1;
    }
    for (std::int64_t bin = 0; bin < n_natural; ++bin) {
        std::uint32_t& label = label_of[static_cast<std::size_t>(bin)];
        if (label == 0) continue;
        bins.mapping.push_back(bin);
        label = static_cast<std::uint32_t>(bins.mapping.size());
    }
    bins.labels.reserve(natural.size());
    for (const std::int64_t bin : natural) {
        bins.labels.push_back(bin < 0 ? 0 : label_of[static_cast<std::size_t>(bin)]);
    }
}

Bins make_bins(const Coordinates& at, const Flags& mask, Axis q_axis, Axis phi_axis) {
    Bins bins;
    bins.axes = {std::move(q_axis), std::move(phi_axis)};
    const auto n_q = static_cast<std::int64_t>(bins.axes[0].centres.size());
    const auto n_phi = static_cast<std::int64_t>(bins.axes[1].centres.size());
    std::vector<std::int64_t> natural(mask.size(), -1);
    for (std::size_t p = 0; p < mask.size(); ++p) {
        if (mask[p] == 0) continue;
        natural[p] =
            (bin_of(at.q[p], bins.axes[0]) - 1) * n_phi + bin_of(at.phi[p], bins.axes[1]) - 1;
    }
    compress(natural, n_q * n_phi, bins);
    return bins;
}

/// Dynamic edges are taken from among the static ones, so that rounding cannot make a static bin
/// reach over.
Axis coarsen(const Axis& fine, const Axis& coarse) {
    const std::size_t n = coarse.centres.size();
    Axis axis = coarse;
    if (fine.centres.size() % n != 0) return axis;
    const std::size_t step = fine.centres.size() / n;
    for (std::size_t i = 0; i <= n; ++i)
        axis.edges[i] = fine.edges[i * step];
    return axis;
}

void store(Bins&& bins,
           std::vector<std::uint32_t>& labels,
           std::array<std::int64_t, 2>& num_pts,
           std::array<std::vector<double>, 2>& v_list,
           std::vector<std::int64_t>& mapping) {
    labels = std::move(bins.labels);
    mapping = std::move(bins.mapping);
    for (std::size_t axis = 0; axis < 2; ++axis) {
        num_pts[axis] = static_cast<std::int64_t>(bins.axes[axis].centres.size());
        v_list[axis] = std::move(bins.axes[axis].centres);
    }
}

QMap with_geometry(const MakeQmapOptions& options) {
    QMap qmap;
    qmap.rows = options.rows;
    qmap.cols = options.cols;
    qmap.beam_center_x = options.beam_center_x_px;
    qmap.beam_center_y = options.beam_center_y_px;
    qmap.pixel_size_m = options.pixel_size_m;
    qmap.detector_distance_m = options.distance_m;
    qmap.energy_keV = options.energy_keV;
    qmap.source_file = options.source_file;
    qmap.version = "xpcs-" + version();
    return qmap;
}

}  // namespace

std::pair<std::string, std::string> split_mask_argument(const std::string& argument) {
    const std::size_t colon = argument.rfind(":/");
    if (colon == std::string::npos) return {argument, "/qmap/mask"};
    return {argument.substr(0, colon), argument.substr(colon + 1)};
}

std::vector<std::string> detector_presets() {
    std::vector<std::string> names;
    for (const Preset& preset : presets())
        names.emplace_back(preset.name);
    return names;
}

std::vector<std::uint8_t> detector_gap(const std::string& detector) {
    const Preset& preset = preset_named(detector);
    if (preset.row_gaps.empty() && preset.col_gaps.empty()) return {};
    Flags gap(static_cast<std::size_t>(preset.rows * preset.cols), 0);
    const auto within = [](const std::vector<Span>& spans, std::int64_t at) {
        return std::any_of(spans.begin(), spans.end(), [&](const Span& span) {
            return at >= span.first && at < span.end;
        });
    };
    for (std::int64_t row = 0; row < preset.rows; ++row) {
        for (std::int64_t col = 0; col < preset.cols; ++col) {
            gap[static_cast<std::size_t>(row * preset.cols + col)] =
                within(preset.row_gaps, row) || within(preset.col_gaps, col);
        }
    }
    return gap;
}

MakeQmapOptions validate(MakeQmapOptions options) {
    const Preset& preset = preset_named(options.detector);
    if (options.rows == 0) options.rows = preset.rows;
    if (options.cols == 0) options.cols = preset.cols;
    if (options.pixel_size_m == 0) options.pixel_size_m = preset.pixel_size_m;
    require_range<std::int64_t>("rows", options.rows, 1, 65536);
    require_range<std::int64_t>("columns", options.cols, 1, 65536);
    require_range<std::int64_t>("pixels", options.rows * options.cols, 1, most_pixels);
    require_range("pixel size (m)", options.pixel_size_m, 1e-7, 0.01);
    require_range("energy (keV)", options.energy_keV, 0.1, 1000.0);
    require_range("distance (m)", options.distance_m, 1e-3, 1000.0);
    require_range("beam centre x (pixels)", options.beam_center_x_px, -1e6, 1e6);
    require_range("beam centre y (pixels)", options.beam_center_y_px, -1e6, 1e6);
    check_regions(options);
    check_bins(options);
    return options;
}

QMap make_qmap(const MakeQmapOptions& given) {
    const MakeQmapOptions options = validate(given);
    QMap qmap = with_geometry(options);
    qmap.blemish = good_pixels(options);
    qmap.mask = qmap.blemish;
    apply_regions(options, qmap.mask);
    const Coordinates at = coordinates(options);
    for (std::size_t p = 0; p < qmap.mask.size(); ++p) {
        const bool in_range =
            at.q[p] >= options.q_min_inv_angstrom && at.q[p] <= options.q_max_inv_angstrom;
        if (!in_range) qmap.mask[p] = 0;
    }
    if (std::find(qmap.mask.begin(), qmap.mask.end(), 1) == qmap.mask.end()) {
        throw Error(ExitCode::config, "make-qmap: mask and q range leave no pixel");
    }
    const auto q_axis = [&](std::int64_t n) {
        return make_axis(at.q, qmap.mask, n, options.logarithmic_q);
    };
    const auto phi_axis = [&](std::int64_t n) { return make_axis(at.phi, qmap.mask, n, false); };
    const Axis static_q = q_axis(options.static_q_bins);
    const Axis static_phi = phi_axis(options.static_phi_bins);
    store(make_bins(at,
                    qmap.mask,
                    coarsen(static_q, q_axis(options.dynamic_q_bins)),
                    coarsen(static_phi, phi_axis(options.dynamic_phi_bins))),
          qmap.dynamic_roi_map,
          qmap.dynamic_num_pts,
          qmap.dynamic_v_list,
          qmap.dynamic_index_mapping);
    store(make_bins(at, qmap.mask, static_q, static_phi),
          qmap.static_roi_map,
          qmap.static_num_pts,
          qmap.static_v_list,
          qmap.static_index_mapping);
    qmap.hash = qmap_hash(qmap);
    return qmap;
}

}  // namespace xpcs
