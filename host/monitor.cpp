// SPDX-License-Identifier: BSD-3-Clause
#include "host/monitor.hpp"

#include "host/errors.hpp"
#include "host/h5.hpp"
#include "host/readers/raw_file.hpp"
#include "host/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <string_view>

namespace xpcs {

namespace {

constexpr std::uint64_t largest_text_bytes = std::uint64_t{1} << 30;

[[noreturn]] void wrong(const std::string& name, const std::string& text) {
    throw Error(ExitCode::data, "monitor '" + printable(name) + "'" + text);
}

std::string_view trimmed(std::string_view line) {
    const auto blank = " \t\r";
    const auto first = line.find_first_not_of(blank);
    if (first == std::string_view::npos) return {};
    return line.substr(first, line.find_last_not_of(blank) - first + 1);
}

Monitor from_text(const std::string& path) {
    std::error_code ignored;
    if (!file_exists(path)) {
        throw Error(ExitCode::no_input, "monitor '" + printable(path) + "': no such file");
    }
    if (!std::filesystem::is_regular_file(path, ignored)) wrong(path, ": is not a plain text file");
    const RawFile file(path);
    if (file.size() > largest_text_bytes) {
        wrong(path,
              fmt::format(": {} bytes; a text file of at most {} expected",
                          file.size(),
                          largest_text_bytes));
    }
    std::string text(file.size(), '\0');
    file.read(0, reinterpret_cast<std::byte*>(text.data()), text.size());
    if (text.starts_with("\x89HDF")) {
        wrong(path, ": is HDF5; name the dataset, FILE:/PATH");
    }
    Monitor monitor{path, path, {}};
    std::int64_t number = 0;
    for (std::string_view rest = text; !rest.empty();) {
        const auto end = rest.find('\n');
        const std::string_view line = trimmed(rest.substr(0, end));
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
        ++number;
        if (line.empty() || line.front() == '#') continue;
        double value = 0;
        const auto [stop, error] = std::from_chars(line.data(), line.data() + line.size(), value);
        if (error != std::errc() || stop != line.data() + line.size()) {
            wrong(path,
                  fmt::format(", line {}: '{}'; one number expected", number, printable(line, 60)));
        }
        monitor.values.push_back(value);
    }
    return monitor;
}

Monitor from_hdf5(const std::string& file, const std::string& path) {
    Monitor monitor{file + ":" + path, file, {}};
    const h5::File opened = h5::open_file(file);
    if (!h5::is_dataset(opened.id(), path)) wrong(monitor.name, ": there is no such dataset");
    const h5::Dataset dataset = h5::open_dataset(opened.id(), path);
    const h5::Shape shape = h5::shape_of(dataset);
    const auto longer = std::count_if(shape.begin(), shape.end(), [](auto n) { return n > 1; });
    if (longer > 1) wrong(monitor.name, ": shape " + h5::to_string(shape) + "; one axis expected");
    monitor.values = h5::read<double>(dataset);
    return monitor;
}

Monitor load(const std::string& given, const std::string& metadata_file) {
    if (const auto colon = given.rfind(":/"); colon != std::string::npos && colon > 0) {
        return from_hdf5(given.substr(0, colon), given.substr(colon + 1));
    }
    if (given.front() != '/' || file_exists(given)) return from_text(given);
    if (metadata_file.empty()) {
        throw Error(ExitCode::config,
                    "monitor '" + printable(given) +
                        "': no such file, and there is no metadata file with such a dataset");
    }
    if (!h5::is_dataset(h5::open_file(metadata_file).id(), given)) {
        throw Error(ExitCode::no_input,
                    "monitor '" + printable(given) + "': no such file, and no such dataset in '" +
                        printable(metadata_file) + "'");
    }
    return from_hdf5(metadata_file, given);
}

}  // namespace

Monitor load_monitor(const std::string& given, const std::string& metadata_file) {
    Monitor monitor = load(given, metadata_file);
    if (monitor.values.empty()) wrong(monitor.name, ": holds no number; one per frame expected");
    for (std::size_t k = 0; k < monitor.values.size(); ++k) {
        const double value = monitor.values[k];
        if (std::isfinite(value) && value >= 0) continue;
        wrong(monitor.name,
              fmt::format(": value {} (frame {}) is {}; finite and at least 0 expected, 0 for a "
                          "frame to be left out",
                          k + 1,
                          k,
                          value));
    }
    return monitor;
}

void require_length(const Monitor& monitor, std::int64_t n_frames, const std::string& raw) {
    const auto n = static_cast<std::int64_t>(monitor.values.size());
    if (n == n_frames) return;
    wrong(monitor.name,
          fmt::format(": {} values, but {} has {} frames; one value per frame expected",
                      n,
                      printable(raw),
                      n_frames));
}

FrameWeights monitor_weights(const Monitor& monitor, const FrameSelection& frames) {
    FrameWeights out;
    std::vector<double>& m = out.weight;
    m.assign(static_cast<std::size_t>(frames.n_frames), 0.0);
    double sum = 0;
    std::int64_t kept = 0;
    for (std::size_t t = 0; t < m.size(); ++t) {
        std::int64_t raw =
            frames.begin + static_cast<std::int64_t>(t) * frames.stride * frames.average;
        for (std::int64_t k = 0; k < frames.average; ++k, raw += frames.stride) {
            const double value = monitor.values[static_cast<std::size_t>(raw)];
            if (value == 0) {
                m[t] = 0;
                break;
            }
            m[t] += value;
        }
        sum += m[t];
        kept += m[t] > 0;
    }
    if (kept < 2) {
        wrong(monitor.name,
              fmt::format(": {} of {} frames have a value above 0; at least 2 needed",
                          kept,
                          frames.n_frames));
    }
    const double mean = sum / static_cast<double>(kept);
    for (double& value : m)
        value = value > 0 ? mean / value : 0;
    out.any_left_out = kept < frames.n_frames;
    return out;
}

}  // namespace xpcs
