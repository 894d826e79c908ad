// SPDX-License-Identifier: BSD-3-Clause
#include "portal/diagnosis.hpp"

#include "host/nan.hpp"
#include "host/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace xpcs::portal {

double median(std::vector<double> values) {
    std::erase_if(values, [](double v) { return !std::isfinite(v); });
    if (values.empty()) {
        return nan;
    }
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

namespace {

/// Mean of the first (or last) `n` finite values.
double mean_of_ends(const std::vector<double>& values, std::size_t n, bool last) {
    double sum = 0;
    std::size_t found = 0;
    for (std::size_t i = 0; i < values.size() && found < n; ++i) {
        const double value = values[last ? values.size() - 1 - i : i];
        if (std::isfinite(value)) {
            sum += value;
            ++found;
        }
    }
    return found > 0 ? sum / static_cast<double>(found) : nan;
}

/// "3, 4, 5 and 9 more"
std::string list_of(const std::vector<std::int64_t>& labels) {
    constexpr std::size_t shown = 8;
    std::string out;
    for (std::size_t i = 0; i < std::min(labels.size(), shown); ++i) {
        out += (i == 0 ? "" : ", ") + std::to_string(labels[i]);
    }
    if (labels.size() > shown) {
        out += fmt::format(" and {} more", labels.size() - shown);
    }
    return out;
}

std::string bins_of(const std::vector<std::int64_t>& labels, std::int64_t all) {
    return fmt::format("{} of {} bins ({})", labels.size(), all, list_of(labels));
}

void add_intensity(const ResultData& data, std::vector<Finding>& out) {
    if (data.intensity.size() < 10) {
        return;
    }
    const double middle = median(data.intensity);
    if (!(middle > 0)) {
        out.push_back({Severity::serious,
                       "No intensity",
                       "More than half of the frames have no photon in any used pixel."});
        return;
    }
    const Stretch dark = longest_dark_stretch(data.intensity);
    if (dark.length >= std::max<std::size_t>(3, data.intensity.size() / 1000)) {
        out.push_back({Severity::serious,
                       "Beam lost",
                       fmt::format("Intensity below a fifth of its median for {} frames from frame "
                                   "{} on.",
                                   dark.length,
                                   dark.first)});
    }
    const std::size_t n = outlier_frames(data).size();
    if (n > 0) {
        out.push_back({n > data.intensity.size() / 100 ? Severity::warning : Severity::note,
                       "Intensity outliers",
                       fmt::format("{} of {} frames stand out of the intensity around them; they "
                                   "are marked in the chart.",
                                   n,
                                   data.intensity.size())});
    }
    const std::size_t tenth = std::max<std::size_t>(1, data.intensity.size() / 10);
    const double first = mean_of_ends(data.intensity, tenth, false);
    const double last = mean_of_ends(data.intensity, tenth, true);
    if (first > 0 && std::abs(last / first - 1) > 0.1) {
        out.push_back({Severity::warning,
                       "Intensity drifts",
                       fmt::format("The last tenth of the run has {:.0f} % of the intensity of the "
                                   "first.",
                                   100 * last / first)});
    }
}

void add_bins(const ResultData& data,
              const std::optional<FitTable>& fits,
              std::vector<Finding>& out) {
    const std::int64_t all = data.one_time.g2.cols;
    const BinStates states = bin_states(data);
    if (!states.empty.empty()) {
        out.push_back({Severity::warning,
                       "Empty bins",
                       bins_of(states.empty, all) + " have no value at any delay."});
    }
    if (!states.noisy.empty()) {
        const bool most = 2 * static_cast<std::int64_t>(states.noisy.size()) > all;
        out.push_back({most ? Severity::serious : Severity::warning,
                       "Low counts",
                       "In " + bins_of(states.noisy, all) +
                           " the error at the shortest delays exceeds a third of the contrast."});
    }
    if (!states.not_decayed.empty()) {
        out.push_back({Severity::warning,
                       "No decorrelation",
                       "In " + bins_of(states.not_decayed, all) +
                           " more than a third of the contrast is left at the longest delays: the "
                           "run is too short, or something stands still."});
    }
    std::map<std::string, std::vector<std::int64_t>> reasons;
    for (const BinFit& bin : fits ? fits->bins : std::vector<BinFit>{}) {
        if (!bin.fit.ok) {
            reasons[bin.fit.reason].push_back(bin.label);
        }
    }
    for (const auto& [reason, labels] : reasons) {
        out.push_back({Severity::note, "Not fitted", bins_of(labels, all) + ": " + reason + "."});
    }
}

double number_in(const std::vector<NamedValue>& values, const std::string& path) {
    for (const NamedValue& value : values) {
        if (value.path == path) {
            if (const auto* whole = std::get_if<std::int64_t>(&value.value)) {
                return static_cast<double>(*whole);
            }
            if (const auto* real = std::get_if<double>(&value.value)) {
                return *real;
            }
        }
    }
    return 0;
}

void add_dropped(const std::vector<NamedValue>& provenance, std::vector<Finding>& out) {
    const double records = number_in(provenance, "counts/records");
    for (const char* name : {"dropped_bad_index", "dropped_events_outside_frames"}) {
        const double dropped = number_in(provenance, std::string("counts/") + name);
        if (dropped > 0) {
            out.push_back(
                {records > 0 && dropped > 0.01 * records ? Severity::serious : Severity::warning,
                 "Records dropped",
                 fmt::format("{}: {:.0f} of {:.0f} records.", name, dropped, records)});
        }
    }
}

void add_own(const ResultData& data,
             const std::vector<NamedValue>& provenance,
             std::vector<Finding>& out) {
    std::vector<std::string> texts = data.warnings;
    for (const NamedValue& value : provenance) {
        const auto* list = std::get_if<std::vector<std::string>>(&value.value);
        if (value.path == "warnings" && list != nullptr) {
            texts.insert(texts.end(), list->begin(), list->end());
        }
    }
    for (const std::string& text : texts) {
        out.push_back({Severity::warning, "From the run", printable(text)});
    }
}

}  // namespace

std::vector<std::size_t> outlier_frames(const ResultData& data) {
    const std::vector<double>& all = data.intensity;
    const std::size_t length = std::max<std::size_t>(50, all.size() / 50);
    std::vector<std::size_t> found;
    for (std::size_t begin = 0; begin < all.size(); begin += length) {
        const std::size_t end = std::min(all.size(), begin + length);
        const std::vector<double> block(all.begin() + static_cast<std::ptrdiff_t>(begin),
                                        all.begin() + static_cast<std::ptrdiff_t>(end));
        const double middle = median(block);
        std::vector<double> away(block.size());
        std::transform(block.begin(), block.end(), away.begin(), [&](double v) {
            return std::abs(v - middle);
        });
        const double limit = std::max(6 * 1.4826 * median(away), 0.1 * std::abs(middle));
        for (std::size_t i = 0; i < block.size(); ++i) {
            if (away[i] > limit) {
                found.push_back(begin + i);
            }
        }
    }
    return found;
}

Stretch longest_dark_stretch(const std::vector<double>& intensity) {
    const double limit = 0.2 * median(intensity);
    Stretch longest, current;
    for (std::size_t i = 0; i < intensity.size(); ++i) {
        if (!(intensity[i] < limit)) {
            current = {i + 1, 0};
            continue;
        }
        ++current.length;
        if (current.length > longest.length) {
            longest = current;
        }
    }
    return longest;
}

BinStates bin_states(const ResultData& data) {
    BinStates states;
    const OneTimeData& one = data.one_time;
    constexpr std::size_t few = 4;
    for (std::int64_t column = 0; column < one.g2.cols; ++column) {
        const std::vector<double> g2 = one.g2.column(column);
        const double first = mean_of_ends(g2, few, false), last = mean_of_ends(g2, few, true);
        if (std::isnan(first)) {
            states.empty.push_back(column + 1);
            continue;
        }
        const double error =
            one.g2_err.empty() ? nan : mean_of_ends(one.g2_err.column(column), few, false);
        if (error > std::abs(first - 1) / 3) {
            states.noisy.push_back(column + 1);
        } else if (first - 1 > 0.01 && last - 1 > (first - 1) / 3) {
            states.not_decayed.push_back(column + 1);
        }
    }
    return states;
}

std::vector<HotPixel>
hot_pixels(const Matrix& image, const QMap& maps, const ResultData& data, std::size_t limit) {
    std::vector<HotPixel> found;
    const Matrix& means = data.scattering_1d;
    if (image.empty() || maps.static_roi_map.size() != image.values.size() || means.empty()) {
        return found;
    }
    const double frames = static_cast<double>(std::max<std::size_t>(1, data.intensity.size()));
    for (std::int64_t i = 0; i < image.rows * image.cols; ++i) {
        const auto label = maps.static_roi_map[static_cast<std::size_t>(i)];
        if (label == 0 || label > static_cast<std::uint32_t>(means.cols)) {
            continue;
        }
        const double value = image.values[static_cast<std::size_t>(i)];
        const double mean = means.values[label - 1];
        if (mean > 0 && value > 10 * mean && value * frames > 100) {
            found.push_back({i / image.cols, i % image.cols, value / mean});
        }
    }
    std::sort(found.begin(), found.end(), [](const HotPixel& a, const HotPixel& b) {
        return a.times > b.times;
    });
    if (found.size() > limit) {
        found.resize(limit);
    }
    return found;
}

std::vector<Finding> diagnose(const ResultData& data,
                              const Matrix& image,
                              const QMap& maps,
                              const std::optional<FitTable>& fits,
                              const std::vector<NamedValue>& provenance) {
    std::vector<Finding> out;
    add_intensity(data, out);
    const auto hot = hot_pixels(image, maps, data, 1000);
    if (!hot.empty()) {
        out.push_back({Severity::warning,
                       "Hot pixels",
                       fmt::format("{} pixels have more than ten times the mean of their static "
                                   "bin; the hottest is row {}, column {} with {:.0f} times.",
                                   hot.size(),
                                   hot.front().row,
                                   hot.front().col,
                                   hot.front().times)});
    }
    add_bins(data, fits, out);
    add_dropped(provenance, out);
    if (!data.frame_time_known) {
        out.push_back({Severity::warning,
                       "Frame time unknown",
                       "The result does not say how long a frame is: delays are in frames."});
    }
    add_own(data, provenance, out);
    std::stable_sort(out.begin(), out.end(), [](const Finding& a, const Finding& b) {
        return a.severity > b.severity;
    });
    return out;
}

}  // namespace xpcs::portal
