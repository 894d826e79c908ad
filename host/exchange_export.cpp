// SPDX-License-Identifier: BSD-3-Clause
// From a result of ours to the /exchange layout.
#include "host/errors.hpp"
#include "host/exchange.hpp"
#include "host/nan.hpp"
#include "host/result_paths.hpp"
#include "host/result_write.hpp"
#include "host/stop.hpp"
#include "host/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace xpcs {

namespace {

namespace rp = result_path;

constexpr std::uint64_t largest_image = std::uint64_t{1} << 31;
/// Blocks of two-time maps: the layout's one chunk per map would be refused from 32768 frames on.
constexpr hsize_t map_chunk = 512;

h5::Storage deflate(const h5::Shape& chunk = {}) {
    h5::Storage storage = result_storage();
    storage.gzip_level = 6;
    storage.chunk = chunk;
    return storage;
}

class ExchangeWriter {
  public:
    ExchangeWriter(const ResultReader& reader, hid_t in, hid_t out)
        : reader_(reader), data_(reader.data()), in_(in), out_(out) {}

    std::vector<std::string> write() {
        n_dynamic_ = n_natural(data_.qmap.dynamic_v_list, data_.qmap.dynamic_index_mapping);
        n_static_ = n_natural(data_.qmap.static_v_list, data_.qmap.static_index_mapping);
        if (!h5::is_group(in_, rp::qmap.path) || n_dynamic_ == 0 || n_static_ == 0) {
            throw Error(ExitCode::data,
                        "'" + printable(data_.path) +
                            "': no q-map in the result, which the "
                            "/exchange layout needs");
        }
        write_curves();
        write_scattering();
        write_unnormalized();
        write_maps();
        write_qmap_lists();
        write_options();
        write_measurement();
        note_losses();
        return notes_;
    }

  private:
    static std::size_t n_natural(const std::array<std::vector<double>, 2>& lists,
                                 const std::vector<std::int64_t>& mapping) {
        constexpr std::int64_t most_bins = 1 << 24;
        std::size_t n = lists[0].size() * lists[1].size();
        for (const std::int64_t natural : mapping) {
            if (natural < 0 || natural >= most_bins) return 0;
            n = std::max(n, static_cast<std::size_t>(natural) + 1);
        }
        return n <= static_cast<std::size_t>(most_bins) ? n : 0;
    }
    template <class T>
    void list(const std::string& path, const std::vector<T>& values) {
        finish(h5::write<T>(out_, path, values, {1, values.size()}));
    }
    void count(const std::string& path, double value) {
        list<std::uint64_t>(path, {static_cast<std::uint64_t>(std::max(value, 0.0))});
    }
    void real(const std::string& path, double value) { list<double>(path, {value}); }
    void text(const std::string& path, const std::string& value) {
        finish(h5::write_string(out_, path, to_utf8(value)));
    }

    /// [rows][columns of ours] to [rows][natural bins], NaN where there is none.
    std::vector<float> spread(const Matrix& values,
                              const std::vector<std::int64_t>& mapping,
                              std::size_t n,
                              bool whole = false) const {
        std::vector<float> out(static_cast<std::size_t>(values.rows) * n, static_cast<float>(nan));
        // g2 of boost_corr ends with the largest label that occurs; scattering of it may lack any.
        const auto n_bins = static_cast<std::int64_t>(mapping.size());
        if (values.cols > n_bins || (whole && values.cols != n_bins)) {
            throw Error(ExitCode::data,
                        fmt::format("'{}': {} columns for {} bins of the q-map",
                                    printable(data_.path),
                                    values.cols,
                                    mapping.size()));
        }
        for (std::int64_t r = 0; r < values.rows; ++r) {
            for (std::int64_t c = 0; c < values.cols; ++c) {
                const auto natural = static_cast<std::size_t>(mapping[static_cast<std::size_t>(c)]);
                out[static_cast<std::size_t>(r) * n + natural] =
                    static_cast<float>(values.at(r, c));
            }
        }
        return out;
    }
    void table(const std::string& path,
               const Matrix& values,
               const std::vector<std::int64_t>& mapping,
               std::size_t n,
               const std::string& about) {
        if (values.empty()) return;
        finish(h5::write(out_,
                         path,
                         spread(values, mapping, n, &mapping == &data_.qmap.static_index_mapping),
                         {static_cast<hsize_t>(values.rows), n},
                         deflate()),
               "",
               about);
    }

    void write_curves();
    void write_scattering();
    void write_unnormalized();
    void write_maps();
    void write_twotime_tables(const std::vector<std::int64_t>& natural);
    void write_qmap_lists();
    void write_bins(const std::string& kind,
                    const std::array<std::vector<double>, 2>& centres,
                    std::size_t n);
    void write_options();
    void write_measurement();
    void note_losses();

    const ResultReader& reader_;
    const ResultData& data_;
    hid_t in_, out_;
    std::size_t n_dynamic_ = 0, n_static_ = 0;
    std::vector<std::string> notes_;
};

void ExchangeWriter::write_curves() {
    const OneTimeData& one = data_.one_time;
    if (!data_.has_multitau()) return;
    list<float>("/exchange/tau", {one.delay_list.begin(), one.delay_list.end()});
    const auto& natural = data_.qmap.dynamic_index_mapping;
    table("/exchange/norm-0-g2", one.g2, natural, n_dynamic_, "lags x natural bins");
    table("/exchange/norm-0-stderr", one.g2_err, natural, n_dynamic_, "standard errors");
}

void ExchangeWriter::write_scattering() {
    const Matrix image = reader_.scattering_2d();
    if (!image.empty()) {
        finish(
            h5::write<float>(out_,
                             "/exchange/pixelSum",
                             {image.values.begin(), image.values.end()},
                             {static_cast<hsize_t>(image.rows), static_cast<hsize_t>(image.cols)},
                             deflate()),
            "counts/frame",
            "mean counts per frame");
    }
    const auto& natural = data_.qmap.static_index_mapping;
    Matrix total = data_.scattering_1d;
    if (total.rows > 1) {
        total.values.resize(static_cast<std::size_t>(total.cols));
        total.rows = 1;
        notes_.emplace_back("only the first row of scattering_1d fits in");
    }
    table("/exchange/partition-mean-total", total, natural, n_static_, "mean of static bins");
    table("/exchange/partition-mean-partial",
          data_.scattering_1d_segments,
          natural,
          n_static_,
          "the same of spans of frames");
    real("/exchange/partition_norm_factor", 1);
    const std::size_t T = data_.intensity.size();
    std::vector<float> frames(2 * T);
    for (std::size_t t = 0; t < T; ++t) {
        frames[t] = static_cast<float>(t + 1);
        frames[T + t] = static_cast<float>(data_.intensity[t]);
    }
    finish(h5::write(out_, "/exchange/frameSum", frames, {2, T}, deflate()),
           "",
           "frame number from 1; mean counts per used pixel (not per pixel of the detector)");
    for (const auto& [from, to] : {std::pair{rp::timestamp_clock, "/exchange/timestamp_clock"},
                                   std::pair{rp::timestamp_tick, "/exchange/timestamp_tick"}}) {
        if (!h5::is_dataset(in_, from.path)) continue;
        const h5::Dataset times = h5::open_dataset(in_, from.path);
        finish(h5::write(out_, to, h5::read<double>(times), h5::shape_of(times), deflate()));
    }
}

/// Three datasets of [lags][pixels] from one of [lags][3][rows][cols], image by image.
void ExchangeWriter::write_unnormalized() {
    if (!data_.one_time.has_unnormalized) return;
    const DatasetPlace& place = data_.one_time.unnormalized;
    const h5::File file = h5::open_file(place.file);
    const h5::Dataset from = h5::open_dataset(file.id(), place.path);
    h5::require_filters(from);
    const h5::Shape shape = h5::shape_of(from);
    if (shape.size() != 4 || shape[1] != 3 || shape[2] * shape[3] > largest_image / sizeof(float)) {
        throw Error(ExitCode::data,
                    h5::name_of(from.id()) + ": shape " + h5::to_string(shape) +
                        ", (lags, 3, rows, columns) is expected");
    }
    const hsize_t pixels = shape[2] * shape[3];
    // Slot 1 of ours holds the later frames; the older layout calls the earlier ones IP.
    const std::pair<const char*, hsize_t> slots[] = {{"G2", 0}, {"IF", 1}, {"IP", 2}};
    std::vector<float> values(pixels);
    for (const auto& [name, slot] : slots) {
        h5::Dataset to =
            h5::create_dataset(out_,
                               std::string("/exchange/") + name,
                               H5T_NATIVE_FLOAT,
                               {shape[0], pixels},
                               deflate({1, std::min<hsize_t>(pixels, hsize_t{1} << 18)}));
        for (hsize_t lag = 0; lag < shape[0]; ++lag) {
            throw_if_stopped();
            h5::read_slab(from,
                          H5T_NATIVE_FLOAT,
                          {lag, slot, 0, 0},
                          {1, 1, shape[2], shape[3]},
                          values.data());
            h5::write_slab(to, H5T_NATIVE_FLOAT, {lag, 0}, {1, pixels}, values.data());
        }
        finish(std::move(to));
    }
}

void ExchangeWriter::write_twotime_tables(const std::vector<std::int64_t>& natural) {
    table("/exchange/g2full", data_.two_time.g2, natural, n_dynamic_, "lags from 0 x natural bins");
    if (!h5::is_dataset(in_, rp::twotime_g2_segments.path)) return;
    const h5::Dataset from = h5::open_dataset(in_, rp::twotime_g2_segments.path);
    const h5::Shape shape = h5::shape_of(from);
    if (shape.size() != 3 || shape[2] != natural.size()) return;
    Matrix segments{static_cast<std::int64_t>(shape[0] * shape[1]),
                    static_cast<std::int64_t>(shape[2]),
                    h5::read<double>(from, largest_image)};
    finish(h5::write(out_,
                     "/exchange/g2partials",
                     spread(segments, natural, n_dynamic_),
                     {shape[0], shape[1], n_dynamic_},
                     deflate()),
           "",
           "lags x blocks of frames x natural bins");
    count("/xpcs/twotime2onetime_window_size", static_cast<double>(shape[0]));
    count("/xpcs/num_g2partials", static_cast<double>(shape[1]));
}

void ExchangeWriter::write_maps() {
    if (!data_.has_twotime()) return;
    const auto& mapping = data_.qmap.dynamic_index_mapping;
    const auto natural_of = [&](std::int64_t label) {
        if (label < 1 || label > static_cast<std::int64_t>(mapping.size())) {
            throw Error(ExitCode::data,
                        fmt::format("'{}': two-time bin {}, the q-map has {}",
                                    printable(data_.path),
                                    label,
                                    mapping.size()));
        }
        return mapping[static_cast<std::size_t>(label - 1)];
    };
    std::vector<std::int64_t> processed;
    for (const std::int64_t label : data_.two_time.processed_bins) {
        processed.push_back(natural_of(label));
    }
    write_twotime_tables(processed);
    std::vector<double> selected;
    for (std::size_t k = 0; k < data_.two_time.n_maps; ++k) {
        const std::int64_t number = natural_of(data_.two_time.map_bins[k]) + 1;
        const h5::Dataset from = h5::open_dataset(in_, reader_.map_paths()[k]);
        const h5::Shape shape = h5::shape_of(from);
        if (shape != h5::Shape(2, static_cast<hsize_t>(data_.two_time.n_frames))) {
            throw Error(ExitCode::data,
                        h5::name_of(from.id()) + ": shape " + h5::to_string(shape) + ", " +
                            std::to_string(data_.two_time.n_frames) + " squared is expected");
        }
        const hsize_t side = std::min(shape[0], map_chunk);
        h5::Dataset to = h5::create_dataset(out_,
                                            fmt::format("/exchange/C2T_all/g2_{:05d}", number),
                                            H5T_NATIVE_FLOAT,
                                            shape,
                                            deflate({side, side}));
        for_each_band(from, side, [&](hsize_t first, hsize_t n, float* values) {
            h5::write_slab(to, H5T_NATIVE_FLOAT, {first, 0}, {n, shape[1]}, values);
        });
        finish(std::move(to));
        selected.push_back(static_cast<double>(number));
    }
    if (!selected.empty()) list("/xpcs/qphi_bin_to_process", selected);
}

void ExchangeWriter::write_bins(const std::string& kind,
                                const std::array<std::vector<double>, 2>& centres,
                                std::size_t n) {
    const std::size_t n_phi = std::max<std::size_t>(centres[1].size(), 1);
    count("/xpcs/" + kind + "noq", static_cast<double>(centres[0].size()));
    count("/xpcs/" + kind + "nophi", static_cast<double>(n_phi));
    std::vector<double> q, phi;
    for (std::size_t i = 0; i < n; ++i) {
        q.push_back(i / n_phi < centres[0].size() ? centres[0][i / n_phi] : nan);
        phi.push_back(i % n_phi < centres[1].size() ? centres[1][i % n_phi] : nan);
    }
    list("/xpcs/" + kind + "qlist", q);
    list("/xpcs/" + kind + "philist", phi);
}

void ExchangeWriter::write_qmap_lists() {
    const QMap maps = reader_.load_maps();
    const h5::Shape shape{static_cast<hsize_t>(maps.rows), static_cast<hsize_t>(maps.cols)};
    const auto natural = [](std::vector<std::uint32_t> labels,
                            const std::vector<std::int64_t>& mapping) {
        for (std::uint32_t& label : labels) {
            const bool known = label >= 1 && label <= mapping.size();
            label = known ? static_cast<std::uint32_t>(mapping[label - 1] + 1) : 0;
        }
        return labels;
    };
    const auto map = [&](const char* name, const auto& values) {
        if (!values.empty()) finish(h5::write(out_, name, values, shape, deflate()));
    };
    map("/xpcs/dqmap", natural(maps.dynamic_roi_map, maps.dynamic_index_mapping));
    map("/xpcs/sqmap", natural(maps.static_roi_map, maps.static_index_mapping));
    map("/xpcs/mask", maps.mask);
    write_bins("d", data_.qmap.dynamic_v_list, n_dynamic_);
    write_bins("s", data_.qmap.static_v_list, n_static_);
    // Readers of the older layout do not look here; it makes the way back exact.
    copy_recompressed(in_, rp::qmap.path, out_, rp::qmap.path);
}

void ExchangeWriter::write_options() {
    const std::string config =
        data_.has_multitau() ? rp::multitau_config.path : rp::twotime_config.path;
    const auto option = [&](const char* name, double otherwise) {
        return h5::find_number(in_, config + "/" + name).value_or(otherwise);
    };
    const std::size_t T = data_.intensity.size();
    const auto raw_frames = static_cast<double>(T) * static_cast<double>(data_.stride_frame) *
                            static_cast<double>(data_.avg_frame);
    const double begin = option("begin_frame_used", std::max(option("begin_frame", 0), 0.0));
    const double end = option("end_frame_used", begin + raw_frames);
    text("/xpcs/Version", "1.0");
    text("/xpcs/output_data", "/exchange");
    text("/xpcs/compression", "ENABLED");
    text("/xpcs/transposed", "DISABLED");
    text("/xpcs/flatfield_enabled", "DISABLED");
    const bool both = data_.has_multitau() && data_.has_twotime();
    text("/xpcs/analysis_type", both ? "Both" : data_.has_multitau() ? "Multitau" : "Twotime");
    text("/xpcs/input_file_local", data_.rawdata_path);
    text("/xpcs/qmap_hdf5_filename", data_.qmap.source_file);
    count("/xpcs/data_begin", 1);  // frames count from 1 there, the last one included
    count("/xpcs/data_end", option("n_frames_file", end));
    count("/xpcs/data_begin_todo", begin + 1);
    count("/xpcs/data_end_todo", end);
    count("/xpcs/stride_frames", static_cast<double>(data_.stride_frame));
    count("/xpcs/avg_frames", static_cast<double>(data_.avg_frame));
    count("/xpcs/delays_per_level", 4);
    count("/xpcs/static_mean_window_size", std::max(std::floor(static_cast<double>(T) / 10), 2.0));
    count("/xpcs/normalize_by_framesum", option("normalize_frame", 0));
    for (const char* none : {"dark_begin_todo", "dark_end_todo", "lld", "sigma", "kinetics"}) {
        count(std::string("/xpcs/") + none, 0);
    }
    for (const char* one : {"swbinX", "swbinY", "batches"}) {
        count(std::string("/xpcs/") + one, 1);
    }
    if (data_.has_twotime()) {
        const std::string smooth =
            h5::find_string(in_, std::string(rp::twotime_config.path) + "/smooth");
        text("/xpcs/smoothing_method", "StaticMap");
        text("/xpcs/smoothing_filter", smooth == "none" ? "None" : "Average");
        if (smooth != "sqmap" && smooth != "none" && !smooth.empty()) {
            notes_.push_back("smoothing '" + printable(smooth) +
                             "' of the two-time maps has no name there");
        }
    }
}

void ExchangeWriter::write_measurement() {
    const std::string detector = "/measurement/instrument/detector/";
    const std::string source = "/measurement/instrument/source_begin/";
    const std::string from = "/entry/instrument/detector_1/";
    const auto copy = [&](const std::string& entry, const std::string& to, double factor) {
        if (const auto value = h5::find_number(in_, entry)) real(to, *value * factor);
    };
    count(detector + "x_dimension", static_cast<double>(data_.cols));
    count(detector + "y_dimension", static_cast<double>(data_.rows));
    copy(rp::x_pixel_size.path, detector + "x_pixel_size", 1e3);
    copy(rp::y_pixel_size.path, detector + "y_pixel_size", 1e3);
    copy(from + "distance", detector + "distance", 1e3);
    copy(rp::count_time.path, detector + "exposure_time", 1);
    if (data_.frame_time_known) real(detector + "exposure_period", data_.frame_time_s);
    real(detector + "adu_per_photon", 1);
    real(detector + "efficiency", 1);
    const std::string name = h5::find_string(in_, from + "detector_name");
    if (!name.empty()) text(detector + "manufacturer", name);
    copy(rp::incident_energy.path, source + "energy", 1);
    copy("/entry/instrument/incident_beam/incident_beam_intensity",
         source + "beam_intensity_incident",
         1);
    copy("/entry/instrument/incident_beam/transmitted_beam_intensity",
         source + "beam_intensity_transmitted",
         1);
    copy("/entry/instrument/incident_beam/ring_current", source + "current", 1);
    text(source + "datetime", data_.start_time);
    real("/measurement/instrument/acquisition/beam_center_x", data_.qmap.beam_center_x);
    real("/measurement/instrument/acquisition/beam_center_y", data_.qmap.beam_center_y);
    text("/measurement/instrument/acquisition/datafilename", data_.rawdata_path);
    real("/measurement/sample/thickness", 1);
}

void ExchangeWriter::note_losses() {
    const auto lost = [&](const char* path, const char* what) {
        if (h5::exists(in_, path)) notes_.push_back(std::string(what) + " (" + path + ")");
    };
    lost(rp::g2_partial.path, "no place for partial g2");
    lost(rp::g2_err_static.path, "no place for other errors of g2");
    lost(rp::band.path, "no place for multi-tau two-time");
    lost(rp::fit.path, "fits are left out");
    lost(rp::average.path, "the list of averaged results is left out");
    lost(rp::n_pairs.path, "numbers of pairs, levels and pixels are left out");
    lost(rp::provenance.path, "options and provenance are left out but for what the layout names");
    if (data_.qmap.map_names[0] != "q" || data_.qmap.map_names[1] != "phi") {
        notes_.push_back("axes '" + printable(data_.qmap.map_names[0]) + "' and '" +
                         printable(data_.qmap.map_names[1]) + "' are called q and phi there");
    }
}

}  // namespace

void for_each_band(const h5::Dataset& from,
                   hsize_t step,
                   const std::function<void(hsize_t, hsize_t, float*)>& visit) {
    constexpr hsize_t wanted_bytes = hsize_t{64} << 20;
    h5::require_filters(from);
    const h5::Shape shape = h5::shape_of(from);
    hsize_t band =
        std::max<hsize_t>(wanted_bytes / sizeof(float) / std::max<hsize_t>(shape[1], 1), 1);
    band = std::clamp<hsize_t>(band / step * step, std::min(step, shape[0]), shape[0]);
    std::vector<float> values(band * shape[1]);
    for (hsize_t first = 0; first < shape[0]; first += band) {
        throw_if_stopped();
        const hsize_t n = std::min(band, shape[0] - first);
        h5::read_slab(from, H5T_NATIVE_FLOAT, {first, 0}, {n, shape[1]}, values.data());
        visit(first, n, values.data());
    }
}

std::vector<std::string> write_exchange(const ResultReader& reader, hid_t in, hid_t out) {
    return ExchangeWriter(reader, in, out).write();
}

}  // namespace xpcs
