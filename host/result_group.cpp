// SPDX-License-Identifier: BSD-3-Clause
#include "host/result_group.hpp"

#include "host/errors.hpp"
#include "host/nan.hpp"
#include "host/result_paths.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace xpcs {

namespace {

namespace rp = result_path;

constexpr std::size_t most_values = 10'000;
constexpr std::size_t most_members = 100'000;
constexpr std::size_t longest_list = 1000;
constexpr std::uint64_t longest_text = std::uint64_t{1} << 20;
constexpr int deepest = 8;

// --- named values ------------------------------------------------------------------------------

bool is_boolean(const h5::Type& type) {
    return H5Tget_class(type.id()) == H5T_ENUM && H5Tget_nmembers(type.id()) == 2;
}

std::optional<NamedScalar> value_of(hid_t group, const std::string& name) {
    const auto held = h5::lock();
    const h5::Dataset dataset = h5::open_dataset(group, name);
    const h5::Type type = h5::type_of(dataset);
    const std::uint64_t n = h5::n_elements(h5::shape_of(dataset));
    if (n == 0 || n > longest_list) {
        return std::nullopt;
    }
    const H5T_class_t kind = H5Tget_class(type.id());
    if (kind == H5T_STRING) {
        auto texts = h5::read_strings(group, name, longest_list, longest_text);
        return n == 1 ? NamedScalar(std::move(texts.front())) : NamedScalar(std::move(texts));
    }
    if (kind != H5T_INTEGER && kind != H5T_FLOAT && kind != H5T_ENUM) {
        return std::nullopt;
    }
    if (n > 1) {
        return h5::read<double>(dataset);
    }
    if (is_boolean(type)) {
        return h5::read<std::int64_t>(dataset).front() != 0;
    }
    if (kind == H5T_FLOAT) {
        return h5::read<double>(dataset).front();
    }
    return h5::read<std::int64_t>(dataset).front();
}

std::string units_of(hid_t group, const std::string& name) {
    const h5::Dataset dataset = h5::open_dataset(group, name);
    // Files written until 2026 spell it without the s.
    for (const char* spelling : {rp::attribute_units, "unit"}) {
        try {
            if (const auto units = h5::read_string_attribute(dataset.id(), spelling)) {
                return *units;
            }
        } catch (const Error&) {
            continue;
        }
    }
    return "";
}

void collect(hid_t file,
             const std::string& group_path,
             const std::string& prefix,
             int depth,
             std::size_t& visited,
             std::vector<NamedValue>& values) {
    if (depth > deepest) {
        return;
    }
    const h5::Group group = h5::open_group(file, group_path);
    for (const h5::Child& child : h5::children(file, group_path)) {
        // Links that lead back up make endless many members of few.
        if (values.size() >= most_values || ++visited > most_members) {
            return;
        }
        if (child.kind == h5::Kind::group) {
            collect(file,
                    group_path + "/" + child.name,
                    prefix + child.name + "/",
                    depth + 1,
                    visited,
                    values);
        }
        if (child.kind != h5::Kind::dataset) {
            continue;
        }
        try {
            if (auto value = value_of(group.id(), child.name)) {
                values.push_back(
                    {prefix + child.name, units_of(group.id(), child.name), std::move(*value)});
            }
        } catch (const Error&) {
            continue;  // one odd dataset must not hide the others
        }
    }
}

// --- two-time maps -----------------------------------------------------------------------------

/// Rows to read at once: whole chunks where they fit, so that none is unpacked twice.
std::int64_t rows_per_piece(const h5::Dataset& dataset, std::int64_t n) {
    constexpr std::int64_t wanted_bytes = std::int64_t{64} << 20;
    constexpr std::int64_t most_bytes = std::int64_t{1} << 30;
    const std::int64_t row_bytes = n * static_cast<std::int64_t>(sizeof(float));
    std::int64_t rows = std::clamp<std::int64_t>(wanted_bytes / row_bytes, 1, n);
    const h5::Shape chunk = h5::chunk_of(dataset);
    if (!chunk.empty()) {
        const auto chunk_rows =
            static_cast<std::int64_t>(std::min<hsize_t>(chunk[0], static_cast<hsize_t>(n)));
        const std::int64_t whole = (rows + chunk_rows - 1) / chunk_rows * chunk_rows;
        if (whole <= most_bytes / row_bytes) {
            rows = whole;
        }
    }
    return std::min(rows, n);
}

/// Sums of the upper triangle over squares of `step` frames.
struct SquareSums {
    SquareSums(std::int64_t n_frames, std::int64_t frames_per_square)
        : n(n_frames), step(frames_per_square), side((n + step - 1) / step),
          sum(static_cast<std::size_t>(side * side), 0.0),
          count(static_cast<std::size_t>(side * side), 0) {}

    void add_row(std::int64_t t1, const float* row) {
        const std::int64_t first = (t1 / step) * side;
        for (std::int64_t t2 = t1; t2 < n; ++t2) {
            if (std::isfinite(row[t2])) {
                const auto at = static_cast<std::size_t>(first + t2 / step);
                sum[at] += static_cast<double>(row[t2]);
                ++count[at];
            }
        }
    }
    Matrix matrix() const {
        Matrix out{side, side, std::vector<double>(sum.size(), nan)};
        for (std::int64_t i = 0; i < side; ++i) {
            for (std::int64_t j = i; j < side; ++j) {
                const auto at = static_cast<std::size_t>(i * side + j);
                if (count[at] > 0) {
                    out.values[at] = sum[at] / static_cast<double>(count[at]);
                    out.values[static_cast<std::size_t>(j * side + i)] = out.values[at];
                }
            }
        }
        return out;
    }
    std::int64_t n, step, side;
    std::vector<double> sum;
    std::vector<std::int64_t> count;
};

std::int64_t side_of_map(hid_t file, const std::string& path) {
    const h5::Shape shape = h5::shape_of(h5::open_dataset(file, path));
    constexpr hsize_t most_frames = hsize_t{1} << 22;
    if (shape.size() != 2 || shape[0] != shape[1] || shape[0] == 0 || shape[0] > most_frames) {
        throw Error(ExitCode::data,
                    h5::name_of(file, path) + ": shape " + h5::to_string(shape) +
                        ", a square map is expected");
    }
    return static_cast<std::int64_t>(shape[0]);
}

/// Datasets of a group whose name begins with `start`, with the number that follows it.
std::vector<std::pair<std::int64_t, std::string>>
numbered_maps(hid_t file, const std::string& group, const std::string& start) {
    constexpr std::size_t most_maps = 100'000;
    std::vector<std::pair<std::int64_t, std::string>> maps;
    if (!h5::is_group(file, group)) {
        return maps;
    }
    for (const h5::Child& child : h5::children(file, group)) {
        const std::string digits =
            child.name.starts_with(start) ? child.name.substr(start.size()) : "";
        const bool number = !digits.empty() && digits.size() <= 9 &&
                            digits.find_first_not_of("0123456789") == std::string::npos;
        if (number && child.kind == h5::Kind::dataset && maps.size() < most_maps) {
            maps.emplace_back(std::stoll(digits), group + "/" + child.name);
        }
    }
    std::sort(maps.begin(), maps.end());
    return maps;
}

}  // namespace

std::string to_text(const NamedScalar& value) {
    const auto number = [](double v) {
        char text[32];
        std::snprintf(text, sizeof text, "%.9g", v);
        return std::string(text);
    };
    struct Visitor {
        const decltype(number)& format;
        std::string operator()(bool v) const { return v ? "true" : "false"; }
        std::string operator()(std::int64_t v) const { return std::to_string(v); }
        std::string operator()(double v) const { return format(v); }
        std::string operator()(const std::string& v) const { return v; }
        std::string operator()(const std::vector<double>& list) const {
            std::string out;
            for (const double v : list) {
                out += (out.empty() ? "" : ", ") + format(v);
            }
            return out;
        }
        std::string operator()(const std::vector<std::string>& list) const {
            std::string out;
            for (const std::string& v : list) {
                out += (out.empty() ? "" : ", ") + v;
            }
            return out;
        }
    };
    return std::visit(Visitor{number}, value);
}

std::vector<NamedValue> read_group(hid_t file, const std::string& path) {
    std::vector<NamedValue> values;
    if (h5::is_group(file, path)) {
        std::size_t visited = 0;
        collect(file, path, "", 0, visited, values);
    }
    return values;
}

Matrix read_averaged_map(hid_t file, const std::string& path, std::int64_t largest_side) {
    const std::int64_t n = side_of_map(file, path);
    constexpr std::int64_t most_side = 1 << 14;
    const std::int64_t side = std::clamp<std::int64_t>(largest_side, 1, most_side);
    SquareSums sums(n, (n + side - 1) / side);
    const h5::Dataset dataset = h5::open_dataset(file, path);
    h5::checked_size(dataset, 1, std::numeric_limits<std::uint64_t>::max());  // type and filters
    const std::int64_t piece = rows_per_piece(dataset, n);
    std::vector<float> rows(static_cast<std::size_t>(piece * n));
    for (std::int64_t first = 0; first < n; first += piece) {
        const std::int64_t count = std::min(piece, n - first);
        h5::read_slab(dataset,
                      H5T_NATIVE_FLOAT,
                      {static_cast<hsize_t>(first), 0},
                      {static_cast<hsize_t>(count), static_cast<hsize_t>(n)},
                      rows.data());
        for (std::int64_t i = 0; i < count; ++i) {
            sums.add_row(first + i, rows.data() + i * n);
        }
    }
    return sums.matrix();
}

void read_two_time(hid_t file, ResultData& data, std::vector<std::string>& map_paths) {
    TwoTimeData& two = data.two_time;
    if (h5::is_dataset(file, rp::processed_bins.path)) {
        two.processed_bins = h5::read<std::int64_t>(file, rp::processed_bins.path, longest_text);
    }
    const auto n_bins = static_cast<std::int64_t>(two.processed_bins.size());
    for (auto& [number, path] :
         numbered_maps(file, rp::twotime_maps.path, leaf(rp::twotime_map.path))) {
        if (number < 1 || number > n_bins) {
            throw Error(ExitCode::data,
                        h5::name_of(file, path) + ": " + std::to_string(n_bins) + " bins in " +
                            rp::processed_bins.path);
        }
        map_paths.push_back(path);
        two.map_bins.push_back(two.processed_bins[static_cast<std::size_t>(number - 1)]);
    }
    two.n_maps = map_paths.size();
    if (two.n_maps > 0) {
        two.n_frames = side_of_map(file, map_paths.front());
    }
    if (h5::is_dataset(file, rp::twotime_g2.path)) {
        const h5::Dataset dataset = h5::open_dataset(file, rp::twotime_g2.path);
        const h5::Shape shape = h5::shape_of(dataset);
        if (two.n_maps == 0 && shape.size() == 2) {
            two.n_frames = static_cast<std::int64_t>(shape[0]);
        }
        const h5::Shape expected{static_cast<hsize_t>(two.n_frames), two.processed_bins.size()};
        if (shape != expected) {
            throw Error(ExitCode::data,
                        h5::name_of(file, rp::twotime_g2.path) + ": shape " + h5::to_string(shape) +
                            ", " + h5::to_string(expected) + " is expected");
        }
        two.g2.values = h5::read<double>(dataset, std::uint64_t{1} << 30);
        two.g2.rows = two.n_frames;
        two.g2.cols = n_bins;
    }
    for (std::int64_t lag = 0; lag < two.n_frames; ++lag) {
        two.delay_s.push_back(static_cast<double>(lag) * data.step_s());
    }
}

// --- the older layout --------------------------------------------------------------------------

ExchangePaths exchange_paths(hid_t file) {
    std::string group = "/exchange";
    try {
        if (h5::is_dataset(file, "/xpcs/output_data")) {
            group = h5::read_string(file, "/xpcs/output_data");
        }
    } catch (const Error&) {
        group = "/exchange";
    }
    if (group.empty() || group.front() != '/' || !h5::is_group(file, group)) {
        group = "/exchange";
    }
    const std::string detector = "/measurement/instrument/detector/";
    return {group + "/tau",
            group + "/norm-0-g2",
            group + "/norm-0-stderr",
            group + "/pixelSum",
            group + "/frameSum",
            group + "/partition-mean-total",
            group + "/partition-mean-partial",
            group + "/C2T_all",
            detector + "exposure_period",
            "/measurement/instrument/source_begin/datetime"};
}

/// Whether bin i has the q of bins i div n_phi and the phi of bins i mod n_phi.
static bool
on_grid(const std::vector<double>& q, const std::vector<double>& phi, std::size_t n_phi) {
    for (std::size_t i = 0; i < q.size(); ++i) {
        if (q[i] != q[i - i % n_phi] || phi[i] != phi[i % n_phi]) return false;
    }
    return true;
}

QMap exchange_bins(hid_t file) {
    QMap qmap;
    const auto list = [&](const std::string& path) {
        return h5::is_dataset(file, path) ? h5::read<double>(file, path, longest_text)
                                          : std::vector<double>{};
    };
    const auto count = [&](const std::string& path) -> std::size_t {
        const std::vector<double> found = list(path);
        return found.size() == 1 && found[0] >= 1 && found[0] < 1e7
                   ? static_cast<std::size_t>(found[0])
                   : 0;
    };
    // One entry per bin there: q and phi of a bin stand at the same place of two lists. On a grid,
    // where the numbers of bins tell it, both have their axis; else told as a natural grid of n
    // bins by 1, which keeps q; phi goes with it only if all bins share it.
    const auto fill = [&](const std::string& kind,
                          std::array<std::vector<double>, 2>& lists,
                          std::vector<std::int64_t>& mapping) {
        const std::vector<double> q = list("/xpcs/" + kind + "qlist"),
                                  phi = list("/xpcs/" + kind + "philist");
        for (std::size_t i = 0; i < q.size(); ++i) {
            mapping.push_back(static_cast<std::int64_t>(i));
        }
        const std::size_t n_phi = count("/xpcs/" + kind + "nophi");
        if (n_phi > 0 && q.size() == phi.size() && q.size() % n_phi == 0 &&
            on_grid(q, phi, n_phi)) {
            for (std::size_t i = 0; i < q.size(); i += n_phi) {
                lists[0].push_back(q[i]);
            }
            lists[1].assign(phi.begin(), phi.begin() + static_cast<std::ptrdiff_t>(n_phi));
            return;
        }
        lists[0] = q;
        const bool one_phi = !phi.empty() && std::all_of(phi.begin(), phi.end(), [&](double v) {
            return v == phi.front();
        });
        lists[1] = {one_phi ? phi.front() : nan};
    };
    fill("d", qmap.dynamic_v_list, qmap.dynamic_index_mapping);
    fill("s", qmap.static_v_list, qmap.static_index_mapping);
    return qmap;
}

void read_exchange_maps(hid_t file,
                        const ExchangePaths& paths,
                        ResultData& data,
                        std::vector<std::string>& map_paths) {
    if (!h5::is_group(file, paths.maps)) {
        return;
    }
    for (auto& [number, path] : numbered_maps(file, paths.maps, "g2_")) {
        data.two_time.processed_bins.push_back(number);
        data.two_time.map_bins.push_back(number);
        map_paths.push_back(path);
    }
    data.two_time.n_maps = map_paths.size();
    if (!map_paths.empty()) {
        data.two_time.n_frames = side_of_map(file, map_paths.front());
        data.analysis_types.emplace_back("Twotime");
    }
}

}  // namespace xpcs
