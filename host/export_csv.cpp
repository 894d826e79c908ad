// SPDX-License-Identifier: BSD-3-Clause
#include "host/export_csv.hpp"

#include "host/errors.hpp"
#include "host/fit_store.hpp"
#include "host/result_paths.hpp"
#include "host/stop.hpp"
#include "host/text.hpp"

#include <fmt/format.h>

#include <cmath>
#include <type_traits>
#include <utility>

namespace xpcs {

namespace {

constexpr std::size_t piece_bytes = std::size_t{1} << 20;

struct Column {
    std::string name;
    std::string meaning;  ///< with its unit
};

/// Collects rows and hands them on in pieces: a table against time may be long.
class Rows {
  public:
    explicit Rows(const TextSink& write) : write_(write) {}
    ~Rows() = default;
    Rows(const Rows&) = delete;
    Rows& operator=(const Rows&) = delete;

    template <class... Fields>
    void add(const Fields&... fields) {
        bool first = true;
        const auto one = [&](const std::string& field) {
            text_.append(first ? 0 : 1, ',').append(field);
            first = false;
        };
        const auto each = [&](const auto& field) {
            if constexpr (std::is_same_v<std::decay_t<decltype(field)>, std::vector<double>>) {
                for (const double value : field)
                    one(text(value));
            } else {
                one(text(field));
            }
        };
        (each(fields), ...);
        text_ += '\n';
        if (text_.size() > piece_bytes) flush();
    }
    void flush() {
        throw_if_stopped();
        write_(std::exchange(text_, {}));
    }

  private:
    static std::string text(double value) { return csv_number(value); }
    static std::string text(std::int64_t value) { return std::to_string(value); }
    static std::string text(const std::string& value) { return csv_field(value); }

    const TextSink& write_;
    std::string text_;
};

std::string unit_text(const std::string& unit) {
    return unit.empty() ? "no unit" : unit;
}

Column axis_column(const ResultData& data, std::size_t axis, const char* of) {
    const std::string name = data.qmap.map_names[axis];
    return {name.empty() ? "axis" + std::to_string(axis) : name,
            std::string("centre of the ") + of + " bin, " + unit_text(data.qmap.map_units[axis])};
}

std::vector<Column> curve_columns(const ResultData& data) {
    return {{"bin", "dynamic label, from 1"},
            axis_column(data, 0, "dynamic"),
            axis_column(data, 1, "dynamic"),
            {"delay_frames", "lag in frames after stride and average"},
            {"delay_s", "lag in s; empty if the frame time is not known"}};
}

void write_head(const ResultData& data,
                const std::string& title,
                const std::vector<Column>& columns,
                const TextSink& write) {
    std::string head = "# table " + title + "\n# result: " + printable(data.path, 4000) + "\n";
    if (!data.rawdata_path.empty())
        head += "# raw data: " + printable(data.rawdata_path, 4000) + "\n";
    if (!data.start_time.empty()) head += "# start: " + printable(data.start_time) + "\n";
    head +=
        "# frame time: " +
        (data.frame_time_known ? csv_number(data.frame_time_s) + " s" : std::string("not known")) +
        fmt::format(", stride {}, average {}\n", data.stride_frame, data.avg_frame);
    std::string names;
    for (const Column& column : columns) {
        head += "# " + printable(column.name) + ": " + printable(column.meaning) + "\n";
        names.append(names.empty() ? 0 : 1, ',').append(csv_field(column.name));
    }
    write(head + names + "\n");
}

/// Errors that a run stores on request, as long as g2.
std::vector<std::pair<const ResultPath*, std::vector<double>>> more_errors(const ResultData& data) {
    static constexpr const ResultPath* paths[] = {
        &result_path::g2_err_static, &result_path::g2_err_delta, &result_path::g2_err_shot};
    std::vector<std::pair<const ResultPath*, std::vector<double>>> found;
    const h5::File file = h5::open_file(data.path);
    for (const ResultPath* path : paths) {
        if (!h5::is_dataset(file.id(), path->path)) continue;
        auto values = h5::read<double>(file.id(), path->path);
        if (values.size() == data.one_time.g2.values.size()) {
            found.emplace_back(path, std::move(values));
        }
    }
    return found;
}

void write_g2(const ResultData& data, const TextSink& write) {
    std::vector<Column> columns = curve_columns(data);
    columns.push_back({"n_pairs", "pairs of blocks averaged over; empty if not known"});
    columns.push_back({"g2", "normalised correlation, no unit; empty without signal"});
    columns.push_back({"g2_err", "its standard error, no unit"});
    const auto errors = more_errors(data);
    for (const auto& [path, values] : errors)
        columns.push_back({leaf(path->path), path->description});
    write_head(data, "g2: one-time correlation of every dynamic bin", columns, write);
    const OneTimeData& one = data.one_time;
    Rows rows(write);
    for (std::int64_t bin = 0; bin < one.g2.cols; ++bin) {
        const double q = data.dynamic_centre(bin + 1, 0), phi = data.dynamic_centre(bin + 1, 1);
        for (std::int64_t k = 0; k < one.g2.rows; ++k) {
            const auto i = static_cast<std::size_t>(k);
            std::vector<double> more;
            more.reserve(errors.size());
            for (const auto& [path, values] : errors)
                more.push_back(values[static_cast<std::size_t>(k * one.g2.cols + bin)]);
            rows.add(bin + 1,
                     q,
                     phi,
                     one.delay_list[i],
                     one.delay_s[i],
                     i < one.n_pairs.size() ? std::to_string(one.n_pairs[i]) : std::string(),
                     one.g2.at(k, bin),
                     one.g2_err.empty() ? NAN : one.g2_err.at(k, bin),
                     more);
        }
    }
    rows.flush();
}

void write_partial(const ResultData& data, const TextSink& write) {
    std::vector<Column> columns = curve_columns(data);
    columns.insert(columns.begin(), {"segment", "slice of the run, from 1"});
    columns.insert(columns.begin() + 1,
                   {"label", "frame after its last one, as the result has it"});
    columns.push_back({"g2", "normalised correlation of the slice, no unit"});
    columns.push_back({"g2_err", "its standard error, no unit"});
    write_head(data, "g2_partial: one-time correlation of slices of the run", columns, write);
    const OneTimeData& one = data.one_time;
    Rows rows(write);
    for (std::size_t s = 0; s < one.partial.size(); ++s) {
        const Matrix& g2 = one.partial[s];
        for (std::int64_t bin = 0; bin < g2.cols; ++bin) {
            const double q = data.dynamic_centre(bin + 1, 0), phi = data.dynamic_centre(bin + 1, 1);
            for (std::int64_t k = 0; k < g2.rows; ++k) {
                const auto i = static_cast<std::size_t>(k);
                rows.add(static_cast<std::int64_t>(s + 1),
                         s < one.partial_labels.size() ? one.partial_labels[s] : NAN,
                         bin + 1,
                         q,
                         phi,
                         one.delay_list[i],
                         one.delay_s[i],
                         g2.at(k, bin),
                         s < one.partial_err.size() ? one.partial_err[s].at(k, bin) : NAN);
            }
        }
    }
    rows.flush();
}

void write_twotime_g2(const ResultData& data, const TextSink& write) {
    std::vector<Column> columns = curve_columns(data);
    columns.push_back({"g2",
                       "mean of the diagonal of the two-time map, no unit; delay 0 holds the "
                       "shot noise"});
    write_head(data, "twotime_g2: means of the diagonals of the two-time maps", columns, write);
    const TwoTimeData& two = data.two_time;
    Rows rows(write);
    for (std::int64_t c = 0; c < two.g2.cols; ++c) {
        const std::int64_t label = two.processed_bins[static_cast<std::size_t>(c)];
        const double q = data.dynamic_centre(label, 0), phi = data.dynamic_centre(label, 1);
        for (std::int64_t lag = 0; lag < two.g2.rows; ++lag) {
            rows.add(
                label, q, phi, lag, two.delay_s[static_cast<std::size_t>(lag)], two.g2.at(lag, c));
        }
    }
    rows.flush();
}

/// Rows of a matrix of static bins.
void write_static(const ResultData& data,
                  const Matrix& values,
                  bool segments,
                  const std::string& title,
                  const TextSink& write) {
    std::vector<Column> columns{{"bin", "static label, from 1"},
                                axis_column(data, 0, "static"),
                                axis_column(data, 1, "static"),
                                {"intensity", "counts per frame and pixel"}};
    if (segments) columns.insert(columns.begin(), {"segment", "span of frames, from 1"});
    write_head(data, title, columns, write);
    Rows rows(write);
    const std::int64_t n = segments ? values.rows : std::min<std::int64_t>(values.rows, 1);
    for (std::int64_t row = 0; row < n; ++row) {
        for (std::int64_t col = 0; col < values.cols; ++col) {
            const bool known = col < static_cast<std::int64_t>(data.qmap.n_static());
            const auto label = static_cast<std::uint32_t>(col + 1);
            const double q = known ? data.qmap.static_centre(label, 0) : NAN;
            const double phi = known ? data.qmap.static_centre(label, 1) : NAN;
            if (segments) {
                rows.add(row + 1, col + 1, q, phi, values.at(row, col));
            } else {
                rows.add(col + 1, q, phi, values.at(row, col));
            }
        }
    }
    rows.flush();
}

void write_intensity(const ResultData& data, const TextSink& write) {
    write_head(data,
               "intensity: mean counts against time",
               {{"frame", "frame after stride and average, from 0"},
                {"time_s", "its time in s; empty if the frame time is not known"},
                {"intensity", "counts per frame and used pixel"}},
               write);
    Rows rows(write);
    for (std::size_t t = 0; t < data.intensity.size(); ++t) {
        // Numbered here: the float32 numbers of the file end being exact at 2^24.
        rows.add(static_cast<std::int64_t>(t),
                 static_cast<double>(t) * data.step_s(),
                 data.intensity[t]);
    }
    rows.flush();
}

void write_fit_table(const ResultData& data, FitModel model, const TextSink& write) {
    const auto fits = read_fit(data, model);
    const std::string name = to_text(model);
    write_head(data,
               "fit_" + name + ": stored fits of g2, model " + name + " (docs/results.md)",
               {},
               [&](std::string_view head) { write(head.substr(0, head.size() - 1)); });
    write(to_csv(*fits));
}

struct Table {
    const char* name;
    bool (*there)(const ResultData&);
    void (*write)(const ResultData&, const TextSink&);
};

constexpr Table tables[] = {
    {"g2", [](const ResultData& d) { return d.has_multitau(); }, write_g2},
    {"g2_partial", [](const ResultData& d) { return !d.one_time.partial.empty(); }, write_partial},
    {"twotime_g2", [](const ResultData& d) { return !d.two_time.g2.empty(); }, write_twotime_g2},
    {"saxs_1d",
     [](const ResultData& d) { return !d.scattering_1d.empty(); },
     [](const ResultData& d, const TextSink& write) {
         write_static(d, d.scattering_1d, false, "saxs_1d: mean of every static bin", write);
     }},
    {"saxs_1d_segments",
     [](const ResultData& d) { return !d.scattering_1d_segments.empty(); },
     [](const ResultData& d, const TextSink& write) {
         write_static(d,
                      d.scattering_1d_segments,
                      true,
                      "saxs_1d_segments: the same of consecutive spans of frames",
                      write);
     }},
    {"intensity", [](const ResultData& d) { return !d.intensity.empty(); }, write_intensity},
    {"fit_single",
     [](const ResultData& d) { return read_fit(d, FitModel::single).has_value(); },
     [](const ResultData& d, const TextSink& write) {
         write_fit_table(d, FitModel::single, write);
     }},
    {"fit_double",
     [](const ResultData& d) { return read_fit(d, FitModel::double_).has_value(); },
     [](const ResultData& d, const TextSink& write) {
         write_fit_table(d, FitModel::double_, write);
     }},
};

}  // namespace

std::string csv_field(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string out = "\"";
    for (const char c : text) {
        out += c == '"' ? std::string("\"\"") : std::string(1, c);
    }
    return out + "\"";
}

std::string csv_number(double value) {
    if (std::isnan(value)) return "";
    const auto narrow = static_cast<float>(value);
    return static_cast<double>(narrow) == value ? fmt::format("{}", narrow)
                                                : fmt::format("{}", value);
}

std::vector<std::string> csv_tables(const ResultData& data) {
    std::vector<std::string> names;
    for (const Table& table : tables) {
        if (table.there(data)) names.emplace_back(table.name);
    }
    return names;
}

void write_csv_table(const ResultData& data, const std::string& name, const TextSink& write) {
    for (const Table& table : tables) {
        if (name != table.name) continue;
        table.write(data, write);
        return;
    }
    throw Error(ExitCode::internal, "no table '" + printable(name) + "'");
}

}  // namespace xpcs
