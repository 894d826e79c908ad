// SPDX-License-Identifier: BSD-3-Clause
#include "portal/report_data.hpp"

#include "host/errors.hpp"
#include "host/fit_store.hpp"
#include "host/nan.hpp"
#include "host/text.hpp"
#include "portal/stopping.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <numeric>

namespace xpcs::portal {

namespace {

constexpr double most_pixels = 1.3e6;  ///< of an image in a page

bool used(const QMap& maps, std::size_t i) {
    return (maps.mask.empty() || maps.mask[i] != 0) &&
           (maps.blemish.empty() || maps.blemish[i] != 0);
}

std::uint16_t label_at(const std::vector<std::uint32_t>& map, std::size_t i) {
    return map.empty() ? std::uint16_t{0}
                       : static_cast<std::uint16_t>(std::min<std::uint32_t>(map[i], 65535));
}

/// Mean over the used pixels of one square.
double
square_mean(const Matrix& image, const QMap& maps, std::int64_t r, std::int64_t c, std::int64_t f) {
    double sum = 0;
    std::int64_t n = 0;
    for (std::int64_t y = r; y < std::min(r + f, image.rows); ++y) {
        for (std::int64_t x = c; x < std::min(c + f, image.cols); ++x) {
            const auto i = static_cast<std::size_t>(y * image.cols + x);
            if (used(maps, i) && std::isfinite(image.values[i])) {
                sum += image.values[i];
                ++n;
            }
        }
    }
    return n > 0 ? sum / static_cast<double>(n) : nan;
}

ReportImage image_of(const Matrix& image, const QMap& maps) {
    ReportImage out;
    if (image.empty()) {
        return out;
    }
    const double pixels = static_cast<double>(image.rows) * static_cast<double>(image.cols);
    out.factor = std::max<std::int64_t>(
        1, static_cast<std::int64_t>(std::ceil(std::sqrt(pixels / most_pixels))));
    const std::int64_t f = out.factor;
    out.rows = (image.rows + f - 1) / f;
    out.cols = (image.cols + f - 1) / f;
    for (std::int64_t r = 0; r < image.rows; r += f) {
        for (std::int64_t c = 0; c < image.cols; c += f) {
            const auto i = static_cast<std::size_t>(r * image.cols + c);
            out.values.push_back(square_mean(image, maps, r, c, f));
            out.dynamic_labels.push_back(label_at(maps.dynamic_roi_map, i));
            out.static_labels.push_back(label_at(maps.static_roi_map, i));
        }
    }
    return out;
}

/// Drops the maps of a q-map whose shape is not that of the image.
QMap maps_of(const ResultReader& reader, std::size_t pixels, std::vector<std::string>& warnings) {
    QMap maps;
    try {
        maps = reader.load_maps();
    } catch (const Error& error) {
        warnings.emplace_back(std::string("no q-map: ") + error.what());
        maps = reader.data().qmap;
    }
    const auto keep = [&](auto& map) {
        if (map.size() != pixels) {
            map.clear();
        }
    };
    keep(maps.mask);
    keep(maps.blemish);
    keep(maps.dynamic_roi_map);
    keep(maps.static_roi_map);
    return maps;
}

/// A frame with itself counts each photon with itself: the diagonal would swamp every colour.
void replace_diagonal(Matrix& map) {
    for (std::int64_t i = 0; i < map.rows; ++i) {
        double sum = 0;
        int n = 0;
        for (const std::int64_t j : {i - 1, i + 1}) {
            if (j >= 0 && j < map.cols && std::isfinite(map.at(i, j))) {
                sum += map.at(i, j);
                ++n;
            }
        }
        map.values[static_cast<std::size_t>(i * map.cols + i)] = n > 0 ? sum / n : nan;
    }
}

void read_maps(const ResultReader& reader, ReportData& out, std::size_t most, std::int64_t side) {
    const TwoTimeData& two = out.result.two_time;
    const std::size_t n = std::min(two.n_maps, most);
    out.n_maps_left_out = two.n_maps - n;
    for (std::size_t k = 0; k < n; ++k) {
        heed_signals();
        ReportMap map;
        map.index = n < two.n_maps ? k * two.n_maps / n : k;
        map.label = map.index < two.map_bins.size() ? two.map_bins[map.index]
                                                    : static_cast<std::int64_t>(map.index) + 1;
        map.values = reader.twotime_map(map.index, n > 12 ? side / 2 : side);
        replace_diagonal(map.values);
        out.two_time.push_back(std::move(map));
    }
}

/// The production correlator writes the segments as parts of the whole run's mean. They are shown
/// on its scale: each then says how the run was at that time.
void scale_segments(ResultData& result) {
    const Matrix& whole = result.scattering_1d;
    Matrix& parts = result.scattering_1d_segments;
    if (whole.empty() || parts.cols != whole.cols) {
        return;
    }
    std::vector<double> ratios;
    for (std::int64_t column = 0; column < whole.cols; ++column) {
        const std::vector<double> values = parts.column(column);
        const double sum = std::accumulate(values.begin(), values.end(), 0.0);
        const double ratio = whole.at(0, column) * static_cast<double>(parts.rows) / sum;
        if (std::isfinite(ratio) && ratio > 0) {
            ratios.push_back(ratio);
        }
    }
    if (ratios.empty()) {
        return;
    }
    const auto middle = ratios.begin() + static_cast<std::ptrdiff_t>(ratios.size() / 2);
    std::nth_element(ratios.begin(), middle, ratios.end());
    // Means of the segments differ from the mean of the run by the frames that were left over.
    if (*middle > 1.5 || *middle < 0.67) {
        for (double& value : parts.values) {
            value *= *middle;
        }
    }
}

void set_times(ReportData& out) {
    const ResultData& result = out.result;
    const double known = result.frame_time_known ? result.frame_time_s : 1;
    out.time_unit = result.frame_time_known ? "s" : "frames";
    const OneTimeData& one = result.one_time;
    out.delay = one.delay_s;
    if (!result.frame_time_known) {
        out.delay.assign(one.delay_list.begin(), one.delay_list.end());
    }
    out.step = result.frame_time_known ? result.step_s() : 1;
    // Frame numbers count the frames after stride and averaging.
    out.frame_step =
        known *
        static_cast<double>(result.frame_time_known ? result.stride_frame * result.avg_frame : 1);
}

std::string axis_text(const std::string& name, const std::string& unit, double value) {
    if (name == "q") {
        return fmt::format("q = {:.5g} {}", value, unit);
    }
    if (name == "phi") {
        return fmt::format("φ = {:.1f}{}", value, unit == "deg" ? "°" : " " + unit);
    }
    return fmt::format("{} = {:.5g} {}", printable(name, 20), value, printable(unit, 20));
}

}  // namespace

std::string ReportData::bin_text(std::int64_t label) const {
    const double first = result.dynamic_centre(label, 0), second = result.dynamic_centre(label, 1);
    if (!std::isfinite(first)) {
        return fmt::format("bin {}", label);
    }
    std::string text = axis_text(result.qmap.map_names[0], result.qmap.map_units[0], first);
    if (result.qmap.dynamic_num_pts[1] > 1 && std::isfinite(second)) {
        text += ", " + axis_text(result.qmap.map_names[1], result.qmap.map_units[1], second);
    }
    return text;
}

Box used_box(const ReportImage& image) {
    Box box{image.rows, 0, image.cols, 0};
    for (std::int64_t r = 0; r < image.rows; ++r) {
        for (std::int64_t c = 0; c < image.cols; ++c) {
            if (std::isfinite(image.values[static_cast<std::size_t>(r * image.cols + c)])) {
                box.row0 = std::min(box.row0, r);
                box.row1 = std::max(box.row1, r + 1);
                box.col0 = std::min(box.col0, c);
                box.col1 = std::max(box.col1, c + 1);
            }
        }
    }
    return box.row0 < box.row1 ? box : Box{0, image.rows, 0, image.cols};
}

namespace {

ReportData curves_from(const ResultReader& reader, const std::string& path, bool stretched) {
    ReportData out;
    out.name = dataset_name(path);
    out.file = std::filesystem::path(path).filename().string();
    out.result = reader.data();
    if (out.result.has_multitau()) {
        // Fits that somebody stored, with bounds of their own, are the ones to show.
        out.fits = stretched ? std::nullopt : read_fit(out.result, FitModel::single);
        if (!out.fits) out.fits = fit_result(out.result, std::nullopt, stretched);
    }
    set_times(out);
    return out;
}

}  // namespace

ReportData gather_curves(const std::string& path, bool stretched) {
    return curves_from(ResultReader(path), path, stretched);
}

ReportData
gather(const std::string& path, bool stretched, std::size_t most_maps, std::int64_t side) {
    const ResultReader reader(path);
    ReportData out = curves_from(reader, path, stretched);
    const Matrix image = reader.scattering_2d();
    out.maps = maps_of(reader, image.values.size(), out.result.warnings);
    out.image = image_of(image, out.maps);
    out.entry = reader.entry();
    out.config = reader.config();
    for (const char* group :
         {"/xpcs/multitau/config", "/xpcs/twotime/config", "/xpcs/twotime_multitau/config"}) {
        if (auto values = reader.group(group); !values.empty()) {
            out.configs.emplace_back(group, std::move(values));
        }
    }
    out.provenance = reader.provenance();
    scale_segments(out.result);
    read_maps(reader, out, most_maps, side);
    if (out.result.has_band && most_maps > 0) {
        out.band = read_band(path, most_maps, side);
    }
    out.outliers = outlier_frames(out.result);
    out.hot = hot_pixels(image, out.maps, out.result, 200);
    out.findings = diagnose(out.result, image, out.maps, out.fits, out.provenance);
    return out;
}

std::string dataset_name(const std::string& path) {
    std::string name = std::filesystem::path(path).filename().string();
    for (const char* ending : {".hdf", ".h5", ".hdf5", "_results"}) {
        if (name.ends_with(ending) && name.size() > std::string(ending).size()) {
            name.resize(name.size() - std::string(ending).size());
        }
    }
    return name;
}

std::string utc_now() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

}  // namespace xpcs::portal
