// SPDX-License-Identifier: BSD-3-Clause
#include "host/result_reader.hpp"

#include "host/errors.hpp"
#include "host/nan.hpp"
#include "host/result_group.hpp"
#include "host/result_paths.hpp"
#include "host/text.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace xpcs {

namespace {

namespace rp = result_path;

constexpr std::uint64_t small_bytes = std::uint64_t{1} << 26;  ///< curves and lists
constexpr std::uint64_t table_bytes = std::uint64_t{1} << 29;  ///< tables against time
constexpr std::uint64_t image_bytes = std::uint64_t{1} << 31;
constexpr std::int64_t most_maps = 100'000;

/// The last two axes as a matrix; those before must have extent 1.
Matrix read_matrix(hid_t file, const std::string& path, std::uint64_t limit) {
    const h5::Dataset dataset = h5::open_dataset(file, path);
    h5::Shape shape = h5::shape_of(dataset);
    while (shape.size() > 2 && shape.front() == 1) {
        shape.erase(shape.begin());
    }
    if (shape.empty() || shape.size() > 2) {
        throw Error(ExitCode::data,
                    h5::name_of(file, path) + ": shape " + h5::to_string(shape) +
                        ", a table is expected");
    }
    Matrix matrix;
    matrix.rows = shape.size() == 2 ? static_cast<std::int64_t>(shape[0]) : 1;
    matrix.cols = static_cast<std::int64_t>(shape.back());
    matrix.values = h5::read<double>(dataset, limit);
    return matrix;
}

/// Rows and columns swapped where the file came from MATLAB.
Matrix turned(Matrix matrix, bool transposed) {
    if (!transposed) return matrix;
    Matrix out{matrix.cols, matrix.rows, std::vector<double>(matrix.values.size())};
    for (std::int64_t r = 0; r < matrix.rows; ++r) {
        for (std::int64_t c = 0; c < matrix.cols; ++c) {
            out.values[static_cast<std::size_t>(c * matrix.rows + r)] = matrix.at(r, c);
        }
    }
    return out;
}

/// A list of delays that stands upright can only be MATLAB's.
bool is_transposed(hid_t file, const std::string& tau) {
    if (!h5::is_dataset(file, tau)) return false;
    const h5::Shape shape = h5::shape_of(h5::open_dataset(file, tau));
    return shape.size() == 2 && shape[0] > 1 && shape[1] == 1;
}

Matrix read_matrix_if(hid_t file, const ResultPath& path, std::uint64_t limit) {
    return h5::is_dataset(file, path.path) ? read_matrix(file, path.path, limit) : Matrix{};
}

template <class T>
std::vector<T> read_if(hid_t file, const std::string& path, std::uint64_t limit = small_bytes) {
    return h5::is_dataset(file, path) ? h5::read<T>(file, path, limit) : std::vector<T>{};
}

double number_if(hid_t file, const std::string& path, double otherwise) {
    try {
        return h5::is_dataset(file, path) ? h5::read_number(file, path) : otherwise;
    } catch (const Error&) {
        return otherwise;  // an array or text where a number belongs: as good as missing
    }
}

std::string string_if(hid_t file, const std::string& path) {
    try {
        return h5::is_dataset(file, path) ? h5::read_string(file, path) : "";
    } catch (const Error&) {
        return "";
    }
}

std::int64_t positive_integer_if(hid_t file, const std::string& path, std::int64_t otherwise) {
    const double value = number_if(file, path, 0);
    return value >= 1 && value < 9e15 ? static_cast<std::int64_t>(value) : otherwise;
}

void require_columns(const ResultData& data, const Matrix& matrix, const char* what) {
    const auto lags = static_cast<std::int64_t>(data.one_time.delay_list.size());
    if (matrix.rows != lags || matrix.cols != data.one_time.g2.cols) {
        throw Error(ExitCode::data,
                    data.path + ": " + what + " has shape (" + std::to_string(matrix.rows) + ", " +
                        std::to_string(matrix.cols) + "), (" + std::to_string(lags) + ", " +
                        std::to_string(data.one_time.g2.cols) + ") is expected");
    }
}

std::vector<Matrix> read_segments(hid_t file, const ResultPath& path, const ResultData& data) {
    std::vector<Matrix> segments;
    if (!h5::is_dataset(file, path.path)) {
        return segments;
    }
    const h5::Dataset dataset = h5::open_dataset(file, path.path);
    const h5::Shape shape = h5::shape_of(dataset);
    if (shape.size() != 3) {
        throw Error(ExitCode::data,
                    h5::name_of(file, path.path) + ": shape " + h5::to_string(shape) +
                        ", three axes are expected");
    }
    const std::vector<double> values = h5::read<double>(dataset, table_bytes);
    const std::size_t size = static_cast<std::size_t>(shape[1] * shape[2]);
    for (std::size_t k = 0; k < shape[0]; ++k) {
        Matrix matrix;
        matrix.rows = static_cast<std::int64_t>(shape[1]);
        matrix.cols = static_cast<std::int64_t>(shape[2]);
        const auto first = values.begin() + static_cast<std::ptrdiff_t>(k * size);
        matrix.values.assign(first, first + static_cast<std::ptrdiff_t>(size));
        require_columns(data, matrix, path.path);
        segments.push_back(std::move(matrix));
    }
    return segments;
}

/// Index lists and bin centres of a q-map group; the maps stay in the file.
QMap read_bins(hid_t file, const std::string& group) {
    QMap qmap;
    const auto path = [&](const char* name) { return group + "/" + name; };
    qmap.dynamic_index_mapping = read_if<std::int64_t>(file, path("dynamic_index_mapping"));
    qmap.static_index_mapping = read_if<std::int64_t>(file, path("static_index_mapping"));
    for (const int axis : {0, 1}) {
        const auto at = static_cast<std::size_t>(axis);
        const std::string dim = std::to_string(axis);
        qmap.dynamic_v_list[at] = read_if<double>(file, group + "/dynamic_v_list_dim" + dim);
        qmap.static_v_list[at] = read_if<double>(file, group + "/static_v_list_dim" + dim);
        qmap.dynamic_num_pts[at] = static_cast<std::int64_t>(qmap.dynamic_v_list[at].size());
        qmap.static_num_pts[at] = static_cast<std::int64_t>(qmap.static_v_list[at].size());
    }
    const auto names = [&](const char* name, std::array<std::string, 2>& to) {
        if (h5::is_dataset(file, path(name))) {
            const auto found = h5::read_strings(file, path(name), 16);
            std::copy_n(found.begin(), std::min<std::size_t>(found.size(), 2), to.begin());
        }
    };
    names("map_names", qmap.map_names);
    names("map_units", qmap.map_units);
    qmap.beam_center_x = number_if(file, path("beam_center_x"), 0);
    qmap.beam_center_y = number_if(file, path("beam_center_y"), 0);
    qmap.pixel_size_m = number_if(file, path("pixel_size"), 0);
    qmap.detector_distance_m = number_if(file, path("detector_distance"), 0);
    qmap.energy_keV = number_if(file, path("energy"), 0);
    qmap.source_file = string_if(file, path("source_file"));
    if (h5::is_group(file, group)) {
        const h5::Group opened = h5::open_group(file, group);
        qmap.hash = h5::read_string_attribute(opened.id(), "hash").value_or("");
        qmap.version = h5::read_string_attribute(opened.id(), "version").value_or("");
    }
    return qmap;
}

/// Label k is natural bin k - 1.
void number_naturally(const std::array<std::vector<double>, 2>& lists,
                      std::vector<std::int64_t>& mapping) {
    constexpr std::size_t most_bins = 1 << 24;
    const std::size_t n = lists[0].size() * lists[1].size();
    mapping.assign(std::min(n, most_bins), 0);
    std::iota(mapping.begin(), mapping.end(), std::int64_t{0});
}

double centre(const std::vector<std::int64_t>& mapping,
              const std::array<std::vector<double>, 2>& lists,
              std::int64_t label,
              int axis) {
    const auto n1 = static_cast<std::int64_t>(lists[1].size());
    if (label < 1 || label > static_cast<std::int64_t>(mapping.size()) || n1 == 0) {
        return nan;
    }
    const std::int64_t natural = mapping[static_cast<std::size_t>(label - 1)];
    const std::int64_t index = axis == 0 ? natural / n1 : natural % n1;
    const auto& list = lists[static_cast<std::size_t>(axis)];
    return natural >= 0 && index < static_cast<std::int64_t>(list.size())
               ? list[static_cast<std::size_t>(index)]
               : nan;
}

/// Intensity against time, some columns of its two rows after the other: runs have tens of
/// millions.
void read_intensity(
    hid_t file, const std::string& path, double first_frame, bool keep, ResultData& data) {
    if (!h5::is_dataset(file, path)) return;
    const h5::Dataset dataset = h5::open_dataset(file, path);
    const h5::Shape shape = h5::shape_of(dataset);
    const bool upright = data.transposed;  // a row per frame
    if (shape.size() != 2 || shape[upright ? 1 : 0] != 2) {
        throw Error(ExitCode::data,
                    h5::name_of(file, path) + ": shape " + h5::to_string(shape) +
                        ", two rows are expected");
    }
    h5::checked_size(dataset, sizeof(double), image_bytes);
    const hsize_t n_frames = shape[upright ? 0 : 1];
    data.intensity_frame.resize(keep ? n_frames : 0);
    data.intensity.resize(keep ? n_frames : 0);
    constexpr hsize_t most = 1 << 17;
    std::vector<double> part(2 * std::min(most, n_frames));
    for (hsize_t first = 0; first < n_frames; first += most) {
        const hsize_t n = std::min(most, n_frames - first);
        const h5::Shape offset = upright ? h5::Shape{first, 0} : h5::Shape{0, first};
        const h5::Shape count = upright ? h5::Shape{n, 2} : h5::Shape{2, n};
        h5::read_slab(dataset, h5::native_type<double>(), offset, count, part.data());
        for (hsize_t k = 0; keep && k < n; ++k) {
            data.intensity_frame[first + k] = part[upright ? 2 * k : k] - first_frame;
            data.intensity[first + k] = part[upright ? 2 * k + 1 : n + k];
        }
    }
}

std::vector<double> times(const std::vector<std::int64_t>& frames, double step) {
    std::vector<double> seconds;
    seconds.reserve(frames.size());
    for (const std::int64_t lag : frames) {
        seconds.push_back(static_cast<double>(lag) * step);
    }
    return seconds;
}

void read_shape(hid_t file, const std::string& path, ResultData& data) {
    if (h5::is_dataset(file, path)) {
        const h5::Shape shape = h5::shape_of(h5::open_dataset(file, path));
        if (shape.size() >= 2) {
            data.rows = static_cast<std::int64_t>(shape[shape.size() - 2]);
            data.cols = static_cast<std::int64_t>(shape[shape.size() - 1]);
            if (data.transposed) std::swap(data.rows, data.cols);
        }
    }
}

void read_one_time(hid_t file, ResultData& data) {
    OneTimeData& one = data.one_time;
    one.delay_list = h5::read<std::int64_t>(file, rp::delay_list.path, small_bytes);
    one.g2 = read_matrix(file, rp::g2.path, table_bytes);
    require_columns(data, one.g2, rp::g2.path);
    one.g2_err = read_matrix_if(file, rp::g2_err, table_bytes);
    if (!one.g2_err.empty()) {
        require_columns(data, one.g2_err, rp::g2_err.path);
    }
    one.n_pairs = read_if<std::int64_t>(file, rp::n_pairs.path);
    one.partial = read_segments(file, rp::g2_partial, data);
    one.partial_err = read_segments(file, rp::g2_partial_err, data);
    one.partial_labels = read_if<double>(file, rp::g2_partial_labels.path);
    one.unnormalized = find_unnormalized(file, data.path);
    one.has_unnormalized = !one.unnormalized.path.empty();
    one.delay_s = times(one.delay_list, data.step_s());
    const auto bins = static_cast<std::int64_t>(data.qmap.dynamic_index_mapping.size());
    if (bins != one.g2.cols) {
        data.warnings.push_back("g2 has " + std::to_string(one.g2.cols) + " columns, the q-map " +
                                std::to_string(bins) + " dynamic bins");
    }
}

}  // namespace

std::vector<double> Matrix::column(std::int64_t col) const {
    std::vector<double> out;
    for (std::int64_t r = 0; r < rows; ++r) {
        out.push_back(at(r, col));
    }
    return out;
}

std::vector<double> Matrix::row(std::int64_t row_index) const {
    const auto first = values.begin() + row_index * cols;
    return {first, first + cols};
}

double ResultData::dynamic_centre(std::int64_t label, int axis) const {
    return centre(qmap.dynamic_index_mapping, qmap.dynamic_v_list, label, axis);
}

double ResultData::step_s() const {
    return frame_time_known ? frame_time_s * static_cast<double>(stride_frame * avg_frame) : nan;
}

ResultReader::ResultReader(const std::string& path, bool keep_intensity)
    : file_(h5::open_file(path)), keep_intensity_(keep_intensity) {
    data_.path = path;
    if (!looks_like_result(file_)) {
        throw Error(ExitCode::data,
                    "'" + printable(path) + "': no result: neither " + rp::g2.path + " nor " +
                        rp::twotime_maps.path + " nor an older layout");
    }
    const bool current = h5::is_dataset(file_.id(), rp::g2.path) || has_twotime_group(file_) ||
                         h5::is_group(file_.id(), rp::band.path);
    current ? read_xpcs() : read_exchange();
}

void ResultReader::read_xpcs() {
    const hid_t file = file_.id();
    data_.layout = "xpcs";
    const h5::Group group = h5::open_group(file, rp::xpcs.path);
    data_.program = h5::read_string_attribute(group.id(), rp::attribute_program).value_or("");
    data_.version = h5::read_string_attribute(group.id(), rp::attribute_version).value_or("");
    data_.rawdata_path = string_if(file, rp::rawdata_path.path);
    data_.start_time = string_if(file, rp::start_time.path);
    data_.qmap = read_bins(file, rp::qmap.path);
    data_.qmap.file = data_.path;
    const bool multitau = h5::is_dataset(file, rp::g2.path);
    data_.has_band = h5::is_group(file, rp::band.path);
    const bool maps = has_twotime_group(file_);
    data_.stride_frame = positive_integer_if(file,
                                             multitau ? rp::multitau_stride_frame.path
                                             : maps   ? rp::twotime_stride_frame.path
                                                      : rp::band_stride_frame.path,
                                             1);
    data_.avg_frame = positive_integer_if(file,
                                          multitau ? rp::multitau_avg_frame.path
                                          : maps   ? rp::twotime_avg_frame.path
                                                   : rp::band_avg_frame.path,
                                          1);
    data_.frame_time_s = number_if(file, rp::frame_time.path, 0);
    // This program marks a frame time that nobody knew by a delay_time that is not a number.
    const auto delay_time =
        read_if<double>(file, multitau ? rp::delay_time.path : rp::band_delay_time.path);
    data_.frame_time_known = data_.frame_time_s > 0 && std::isfinite(data_.frame_time_s) &&
                             (delay_time.empty() || std::isfinite(delay_time.front()));
    if (multitau) {
        data_.analysis_types.emplace_back("Multitau");
        read_one_time(file, data_);
    }
    data_.scattering_1d = read_matrix_if(file, rp::scattering_1d, small_bytes);
    data_.scattering_1d_segments = read_matrix_if(file, rp::scattering_1d_segments, table_bytes);
    read_intensity(file, rp::intensity.path, 0, keep_intensity_, data_);
    image_path_ = rp::scattering_2d.path;
    read_shape(file, image_path_, data_);
    if (has_twotime_group(file_)) {
        data_.analysis_types.emplace_back("Twotime");
        read_two_time(file, data_, map_paths_);
    }
    if (data_.has_band) data_.analysis_types.emplace_back("TwotimeMultitau");
}

void ResultReader::read_exchange() {
    data_.layout = "exchange";
    const hid_t file = file_.id();
    const ExchangePaths paths = exchange_paths(file);
    const auto positive = [&](const char* path) { return positive_integer_if(file, path, 1); };
    data_.stride_frame = positive("/xpcs/stride_frames");
    data_.avg_frame = positive("/xpcs/avg_frames");
    data_.frame_time_s = number_if(file, paths.frame_time, 0);
    data_.frame_time_known = data_.frame_time_s > 0;
    data_.start_time = string_if(file, paths.start_time);
    data_.rawdata_path = string_if(file, "/xpcs/input_file_local");
    data_.qmap = exchange_bins(file);
    if (h5::is_dataset(file, std::string(rp::qmap.path) + "/dynamic_index_mapping")) {
        // Written by `export`: bins as ours, but columns and labels number the natural bins there.
        data_.qmap = read_bins(file, rp::qmap.path);
        number_naturally(data_.qmap.dynamic_v_list, data_.qmap.dynamic_index_mapping);
        number_naturally(data_.qmap.static_v_list, data_.qmap.static_index_mapping);
    }
    OneTimeData& one = data_.one_time;
    data_.transposed = is_transposed(file, paths.tau);
    if (data_.transposed) data_.warnings.emplace_back("the axes are in the order of MATLAB");
    const auto matrix = [&](const std::string& path, std::uint64_t limit) {
        return turned(read_matrix(file, path, limit), data_.transposed);
    };
    if (h5::is_dataset(file, paths.g2)) {
        data_.analysis_types.emplace_back("Multitau");
        for (const double lag : h5::read<double>(file, paths.tau, small_bytes)) {
            one.delay_list.push_back(static_cast<std::int64_t>(std::llround(lag)));
        }
        one.g2 = matrix(paths.g2, table_bytes);
        require_columns(data_, one.g2, "g2");
        if (h5::is_dataset(file, paths.g2_err)) {
            one.g2_err = matrix(paths.g2_err, table_bytes);
            require_columns(data_, one.g2_err, "g2 error");
        }
        one.delay_s = times(one.delay_list, data_.step_s());
        one.unnormalized = find_unnormalized(file, data_.path);
        one.has_unnormalized = !one.unnormalized.path.empty();
    }
    if (h5::is_dataset(file, paths.mean_total)) {
        data_.scattering_1d = matrix(paths.mean_total, small_bytes);
    }
    if (h5::is_dataset(file, paths.mean_partial)) {
        data_.scattering_1d_segments = matrix(paths.mean_partial, table_bytes);
    }
    // That layout counts frames from 1.
    read_intensity(file, paths.frame_sum, 1, keep_intensity_, data_);
    image_path_ = paths.pixel_sum;
    read_shape(file, image_path_, data_);
    if (!data_.transposed) {
        read_exchange_maps(file, paths, data_, map_paths_);
    } else if (h5::is_group(file, paths.maps)) {
        data_.warnings.emplace_back("two-time maps of MATLAB files are not read");
    }
}

Matrix ResultReader::scattering_2d() const {
    if (!h5::is_dataset(file_.id(), image_path_)) {
        return {};
    }
    return turned(read_matrix(file_.id(), image_path_, image_bytes), data_.transposed);
}

QMap ResultReader::load_maps() const {
    QMap qmap = data_.qmap;
    const hid_t file = file_.id();
    const std::string group = data_.layout == "xpcs" ? rp::qmap.path : rp::xpcs.path;
    const bool current = data_.layout == "xpcs";
    const auto image = [&](const std::string& path) {
        return turned(read_matrix(file, path, image_bytes), data_.transposed);
    };
    const Matrix labels = image(group + (current ? "/dynamic_roi_map" : "/dqmap"));
    qmap.rows = labels.rows;
    qmap.cols = labels.cols;
    const auto to_labels = [&](const std::string& path, std::vector<std::uint32_t>& to) {
        const Matrix map = image(path);
        if (map.rows != qmap.rows || map.cols != qmap.cols) {
            throw Error(ExitCode::data, h5::name_of(file, path) + ": the maps differ in shape");
        }
        for (const double value : map.values) {
            const bool label = value >= 0 && value < 4294967296.0;
            to.push_back(label ? static_cast<std::uint32_t>(value) : 0U);
        }
    };
    const auto to_flags = [&](const std::string& path, std::vector<std::uint8_t>& to) {
        if (!h5::is_dataset(file, path)) {
            return;
        }
        std::vector<std::uint32_t> values;
        to_labels(path, values);
        to.assign(values.begin(), values.end());
        for (std::uint8_t& flag : to) {
            flag = flag != 0;
        }
    };
    to_labels(group + (current ? "/dynamic_roi_map" : "/dqmap"), qmap.dynamic_roi_map);
    to_labels(group + (current ? "/static_roi_map" : "/sqmap"), qmap.static_roi_map);
    to_flags(group + "/mask", qmap.mask);
    to_flags(group + "/blemish", qmap.blemish);
    return qmap;
}

Matrix ResultReader::twotime_map(std::size_t k, std::int64_t largest_side) const {
    if (k >= map_paths_.size()) {
        throw Error(ExitCode::data,
                    "'" + data_.path + "': two-time map " + std::to_string(k) + ", the file has " +
                        std::to_string(map_paths_.size()));
    }
    return read_averaged_map(file_.id(), map_paths_[k], largest_side);
}

std::vector<NamedValue> ResultReader::group(const std::string& path) const {
    return read_group(file_.id(), path);
}

std::vector<NamedValue> ResultReader::entry() const {
    return group(data_.layout == "xpcs" ? rp::entry.path : "/measurement");
}

std::vector<NamedValue> ResultReader::config() const {
    if (data_.layout != "xpcs") {
        return group(rp::xpcs.path);
    }
    if (data_.has_multitau()) return group(rp::multitau_config.path);
    return group(data_.has_twotime() ? rp::twotime_config.path : rp::band_config.path);
}

std::vector<NamedValue> ResultReader::provenance() const {
    return group(rp::provenance.path);
}

}  // namespace xpcs
