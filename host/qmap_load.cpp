// SPDX-License-Identifier: BSD-3-Clause
// Reading a q-map file that somebody else made: nothing in it is believed.
#include "host/errors.hpp"
#include "host/qmap_file.hpp"
#include "host/qmap_older.hpp"
#include "host/text.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>

namespace xpcs {

namespace {

constexpr std::uint64_t most_map_pixels = std::uint64_t{1} << 28;

class QmapLoader {
  public:
    explicit QmapLoader(const std::string& path) : path_(path), file_(h5::open_file(path)) {}
    QMap load();
    QMap load_and_check_hash() {
        QMap qmap = load();
        check_hash(qmap);
        return qmap;
    }

  private:
    [[noreturn]] void fail(const std::string& what) const {
        throw Error(ExitCode::data, "q-map " + printable(path_) + ": " + what);
    }
    void warn(const std::string& what) {
        qmap_.warnings.push_back("q-map " + printable(path_) + ": " + what);
    }

    void require_layout();
    std::string older_layout() const;
    bool has(const std::string& name) const { return h5::exists(file_.id(), "/qmap/" + name); }
    h5::Dataset required(const std::string& name) const;
    void take_shape(const h5::Dataset& dataset, const std::string& name);
    std::vector<std::uint8_t> load_flags(const std::string& name);
    std::vector<std::uint32_t> load_labels(const std::string& name);
    std::vector<std::int64_t> load_integers(const std::string& name) const;
    std::string position(std::size_t pixel) const;

    void load_num_pts(const std::string& kind, std::array<std::int64_t, 2>& num_pts);
    void load_mapping(const std::string& kind,
                      const std::array<std::int64_t, 2>& num_pts,
                      std::vector<std::uint32_t>& labels,
                      std::vector<std::int64_t>& mapping);
    void
    close_holes(const std::string& kind, std::size_t n_bins, std::vector<std::uint32_t>& labels);
    void load_centres(const std::string& kind,
                      const std::array<std::int64_t, 2>& num_pts,
                      std::array<std::vector<double>, 2>& v_list);
    void load_blemish();
    void load_texts();
    double geometry(const std::string& name);
    void check_hash(QMap& qmap) const;

    std::string path_;
    h5::File file_;
    QMap qmap_;
};

std::string QmapLoader::older_layout() const {
    const hid_t file = file_.id();
    if (h5::exists(file, "/qmap/dqmap")) return "the /qmap/dqmap layout of 17 to 24 February 2025";
    if (h5::exists(file, "/data/dynamicMap")) return "the /data layout used until February 2025";
    if (h5::exists(file, "/xpcs/dqmap")) return "the /xpcs layout of metadata files until 2024";
    if (h5::exists(file, "/xpcs/qmap/dynamic_roi_map")) return "a result file with /xpcs/qmap";
    return "";
}

void QmapLoader::require_layout() {
    const bool current = h5::is_group(file_.id(), "/qmap") && has("dynamic_roi_map");
    if (current) return;
    if (auto translated = translate_older_qmap(file_)) {
        warn("is " + translated->layout + ", read as the present one");
        file_ = std::move(translated->file);
        return;
    }
    const std::string older = older_layout();
    if (!older.empty()) {
        fail("is " + older + "; the layout with /qmap/dynamic_roi_map is expected");
    }
    if (!h5::is_group(file_.id(), "/qmap")) {
        fail("no group /qmap (a q-map of pySimpleMask or xpcs-corr make-qmap is expected)");
    }
    fail("no dataset /qmap/dynamic_roi_map");
}

h5::Dataset QmapLoader::required(const std::string& name) const {
    if (!h5::is_dataset(file_.id(), "/qmap/" + name)) fail("no dataset /qmap/" + name);
    return h5::open_dataset(file_.id(), "/qmap/" + name);
}

void QmapLoader::take_shape(const h5::Dataset& dataset, const std::string& name) {
    const h5::Shape shape = h5::shape_of(dataset);
    if (shape.size() != 2 || shape[0] == 0 || shape[1] == 0) {
        fail("/qmap/" + name + " has shape " + h5::to_string(shape) +
             ", (rows, columns) is expected");
    }
    if (h5::n_elements(shape) > most_map_pixels) {
        fail("/qmap/" + name + " has shape " + h5::to_string(shape) + ", at most " +
             std::to_string(most_map_pixels) + " pixels are possible");
    }
    const auto rows = static_cast<std::int64_t>(shape[0]);
    const auto cols = static_cast<std::int64_t>(shape[1]);
    if (qmap_.rows == 0) {
        qmap_.rows = rows;
        qmap_.cols = cols;
    }
    if (qmap_.rows != rows || qmap_.cols != cols) {
        fail("/qmap/" + name + " has shape " + h5::to_string(shape) + ", /qmap/mask (" +
             std::to_string(qmap_.rows) + ", " + std::to_string(qmap_.cols) + ")");
    }
}

std::string QmapLoader::position(std::size_t pixel) const {
    const auto cols = static_cast<std::size_t>(qmap_.cols);
    return "row " + std::to_string(pixel / cols) + ", column " + std::to_string(pixel % cols);
}

std::vector<std::uint8_t> QmapLoader::load_flags(const std::string& name) {
    const h5::Dataset dataset = required(name);
    take_shape(dataset, name);
    std::vector<std::uint8_t> flags(static_cast<std::size_t>(qmap_.rows * qmap_.cols));
    if (H5Tget_class(h5::type_of(dataset).id()) != H5T_FLOAT) {
        const auto values = h5::read<std::int8_t>(dataset);  // clipped, so only 0 becomes 0
        std::transform(values.begin(), values.end(), flags.begin(), [](std::int8_t value) {
            return static_cast<std::uint8_t>(value != 0);
        });
        return flags;
    }
    const auto values = h5::read<double>(dataset);
    for (std::size_t p = 0; p < values.size(); ++p) {
        if (std::isnan(values[p])) fail("/qmap/" + name + " is NaN, first at " + position(p));
        flags[p] = values[p] != 0;
    }
    return flags;
}

std::vector<std::uint32_t> QmapLoader::load_labels(const std::string& name) {
    const h5::Dataset dataset = required(name);
    take_shape(dataset, name);
    const h5::Type type = h5::type_of(dataset);
    const bool small_unsigned = H5Tget_class(type.id()) == H5T_INTEGER &&
                                H5Tget_sign(type.id()) == H5T_SGN_NONE &&
                                H5Tget_size(type.id()) <= sizeof(std::uint32_t);
    if (small_unsigned) return h5::read<std::uint32_t>(dataset);

    const auto values = h5::read<double>(dataset);
    constexpr double most = std::numeric_limits<std::uint32_t>::max();
    std::vector<std::uint32_t> labels(values.size());
    std::size_t n_wrong = 0, first = 0;
    for (std::size_t p = 0; p < values.size(); ++p) {
        const double value = values[p];
        if (value >= 0 && value <= most && value == std::floor(value)) {
            labels[p] = static_cast<std::uint32_t>(value);
        } else if (n_wrong++ == 0) {
            first = p;
        }
    }
    if (n_wrong == 0) return labels;
    const double value = values[first];
    const std::string kind = std::isnan(value) ? "NaN"
                             : value < 0       ? "negative"
                             : value > most    ? "too large"
                                               : "fractional";
    fail("/qmap/" + name + " has " + std::to_string(n_wrong) +
         " labels that are not whole numbers from 0 on; the first is " + kind + " (" +
         std::to_string(value) + ") at " + position(first));
}

std::vector<std::int64_t> QmapLoader::load_integers(const std::string& name) const {
    const h5::Dataset dataset = required(name);
    const auto values = h5::read<double>(dataset, most_map_pixels * sizeof(double));
    std::vector<std::int64_t> integers;
    integers.reserve(values.size());
    constexpr double most = 9007199254740992.0;
    for (const double value : values) {
        if (!(value >= 0 && value <= most) || value != std::floor(value)) {
            fail("/qmap/" + name + "[" + std::to_string(integers.size()) + "] is " +
                 std::to_string(value) + ", a whole number from 0 on is expected");
        }
        integers.push_back(static_cast<std::int64_t>(value));
    }
    return integers;
}

void QmapLoader::load_num_pts(const std::string& kind, std::array<std::int64_t, 2>& num_pts) {
    const std::string name = kind + "_num_pts";
    num_pts = {0, 0};
    if (!has(name)) {
        warn("no dataset /qmap/" + name + "; bins have no centres");
        return;
    }
    const auto values = load_integers(name);
    if (values.empty() || values.size() > 2) {
        fail("/qmap/" + name + " has " + std::to_string(values.size()) + " values, 2 are expected");
    }
    num_pts = {values[0], values.size() == 2 ? values[1] : 1};
    for (const std::int64_t n : num_pts) {
        if (n < 1 || n > static_cast<std::int64_t>(most_map_pixels)) {
            fail("/qmap/" + name + " says " + std::to_string(n) + " bins, 1 to " +
                 std::to_string(most_map_pixels) + " are possible");
        }
    }
}

/// Some files number the natural bins in the map and list only the bins with pixels in the mapping:
/// the k-th label that occurs is then entry k. Anything else has no one reading.
void QmapLoader::close_holes(const std::string& kind,
                             std::size_t n_bins,
                             std::vector<std::uint32_t>& labels) {
    std::map<std::uint32_t, std::uint32_t> new_label;
    for (const std::uint32_t label : labels) {
        if (label != 0 && new_label.size() <= n_bins) new_label.try_emplace(label, 0);
    }
    if (new_label.size() != n_bins) {
        const auto largest = std::max_element(labels.begin(), labels.end());
        fail(kind + " label " + std::to_string(*largest) + " at " +
             position(static_cast<std::size_t>(largest - labels.begin())) + ", but /qmap/" + kind +
             "_index_mapping has " + std::to_string(n_bins) + " bins");
    }
    std::string holes;
    std::uint32_t next = 0, expected = 1;
    for (auto& [label, number] : new_label) {
        number = ++next;
        if (label != expected) {
            holes += (holes.empty() ? "" : ", ") + std::to_string(expected);
            if (label - 1 > expected) holes += " to " + std::to_string(label - 1);
        }
        expected = label + 1;
    }
    for (std::uint32_t& label : labels) {
        if (label != 0) label = new_label[label];
    }
    warn(kind + " labels without pixel and without entry in /qmap/" + kind +
         "_index_mapping: " + printable(holes) + "; labels above them are counted down");
}

void QmapLoader::load_mapping(const std::string& kind,
                              const std::array<std::int64_t, 2>& num_pts,
                              std::vector<std::uint32_t>& labels,
                              std::vector<std::int64_t>& mapping) {
    const std::string name = kind + "_index_mapping";
    const std::uint32_t largest = *std::max_element(labels.begin(), labels.end());
    const bool known = num_pts[0] > 0;
    const std::int64_t n_natural = num_pts[0] * num_pts[1];
    if (!has(name)) {
        // Without a mapping the only reading is that no natural bin is empty.
        if (largest > labels.size() || (known && largest > n_natural)) {
            fail("no dataset /qmap/" + name + ", and " + kind + " label " +
                 std::to_string(largest) + " is beyond " +
                 (known ? std::to_string(n_natural) + " bins"
                        : "the number of pixels, " + std::to_string(labels.size())));
        }
        warn("no dataset /qmap/" + name + "; label k is taken as natural bin k - 1");
        for (std::int64_t i = 0; i < largest; ++i)
            mapping.push_back(i);
        return;
    }
    mapping = load_integers(name);
    if (mapping.size() > labels.size()) {
        fail("/qmap/" + name + " has " + std::to_string(mapping.size()) + " bins for " +
             std::to_string(labels.size()) + " pixels");
    }
    if (largest > mapping.size()) close_holes(kind, mapping.size(), labels);
    for (std::size_t k = 0; known && k < mapping.size(); ++k) {
        if (mapping[k] < n_natural) continue;
        fail("/qmap/" + name + "[" + std::to_string(k) + "] is " + std::to_string(mapping[k]) +
             ", but /qmap/" + kind + "_num_pts makes " + std::to_string(n_natural) + " bins");
    }
}

void QmapLoader::load_centres(const std::string& kind,
                              const std::array<std::int64_t, 2>& num_pts,
                              std::array<std::vector<double>, 2>& v_list) {
    for (std::size_t axis = 0; axis < 2; ++axis) {
        const std::string name = kind + "_v_list_dim" + std::to_string(axis);
        if (!has(name)) {
            warn("no dataset /qmap/" + name + "; bins have no centre on that axis");
            continue;
        }
        v_list[axis] = h5::read<double>(required(name), most_map_pixels * sizeof(double));
        const auto n = static_cast<std::int64_t>(v_list[axis].size());
        if (num_pts[axis] > 0 && n != num_pts[axis]) {
            fail("/qmap/" + name + " has " + std::to_string(n) + " centres, /qmap/" + kind +
                 "_num_pts says " + std::to_string(num_pts[axis]));
        }
    }
}

void QmapLoader::load_texts() {
    const auto pair = [&](const std::string& name, std::array<std::string, 2>& texts) {
        if (!has(name)) {
            warn("no dataset /qmap/" + name + "; '" + texts[0] + "', '" + texts[1] +
                 "' are assumed");
            return;
        }
        const auto found = h5::read_strings(file_.id(), "/qmap/" + name, 1000, 1 << 16);
        if (found.size() != 2) {
            fail("/qmap/" + name + " has " + std::to_string(found.size()) +
                 " strings, 2 are expected");
        }
        texts = {found[0], found[1]};
    };
    pair("map_names", qmap_.map_names);
    pair("map_units", qmap_.map_units);
    if (!has("source_file")) return;
    try {
        qmap_.source_file = h5::read_string(file_.id(), "/qmap/source_file");
    } catch (const Error& error) {  // not needed for anything but the hash
        qmap_.warnings.push_back(error.what());
    }
}

double QmapLoader::geometry(const std::string& name) {
    if (!has(name)) {
        warn("no dataset /qmap/" + name);
        return 0;
    }
    return h5::read_number(file_.id(), "/qmap/" + name);
}

void QmapLoader::check_hash(QMap& qmap) const {
    const auto warn = [&](const std::string& what) {
        qmap.warnings.push_back("q-map " + printable(path_) + ": " + what);
    };
    const h5::Group group = h5::open_group(file_.id(), "/qmap");
    try {
        qmap.version = h5::read_string_attribute(group.id(), "version").value_or("");
        qmap.hash = h5::read_string_attribute(group.id(), "hash").value_or("");
    } catch (const Error& error) {
        qmap.warnings.push_back(error.what());
    }
    if (qmap.hash.empty()) {
        warn("no hash attribute; viewers that keep q-maps by hash may show another map");
        return;
    }
    try {
        const std::string now = qmap_group_hash(file_.id(), "/qmap");
        if (now == qmap.hash) return;
        warn("stale hash: the attribute says " + printable(qmap.hash, 80) + ", the contents give " +
             now + "; viewers that keep q-maps by hash may show another map");
    } catch (const Error& error) {
        warn(std::string("the hash cannot be checked: ") + error.what());
    }
}

/// The mask alone says which pixels are used; the programs that draw it leave out bad ones.
void QmapLoader::load_blemish() {
    qmap_.blemish = load_flags("blemish");
    std::int64_t bad = 0;
    for (std::size_t p = 0; p < qmap_.mask.size(); ++p)
        bad += qmap_.mask[p] != 0 && qmap_.blemish[p] == 0;
    if (bad == 0) return;
    warn("/qmap/blemish calls " + std::to_string(bad) +
         " pixels bad that are in /qmap/mask; they are used");
}

QMap QmapLoader::load() {
    qmap_.file = path_;
    require_layout();
    qmap_.mask = load_flags("mask");
    if (has("blemish")) load_blemish();
    qmap_.dynamic_roi_map = load_labels("dynamic_roi_map");
    qmap_.static_roi_map = load_labels("static_roi_map");
    load_num_pts("dynamic", qmap_.dynamic_num_pts);
    load_num_pts("static", qmap_.static_num_pts);
    load_mapping(
        "dynamic", qmap_.dynamic_num_pts, qmap_.dynamic_roi_map, qmap_.dynamic_index_mapping);
    load_mapping("static", qmap_.static_num_pts, qmap_.static_roi_map, qmap_.static_index_mapping);
    load_centres("dynamic", qmap_.dynamic_num_pts, qmap_.dynamic_v_list);
    load_centres("static", qmap_.static_num_pts, qmap_.static_v_list);
    load_texts();
    qmap_.beam_center_x = geometry("beam_center_x");
    qmap_.beam_center_y = geometry("beam_center_y");
    qmap_.pixel_size_m = geometry("pixel_size");
    qmap_.detector_distance_m = geometry("detector_distance");
    qmap_.energy_keV = geometry("energy");
    return std::move(qmap_);
}

}  // namespace

QMap load_qmap(const std::string& path) {
    const auto held = h5::lock();
    return QmapLoader(path).load_and_check_hash();
}

bool file_still_has(const QMap& qmap) {
    const auto held = h5::lock();
    const auto values = [](const QMap& q) {
        return std::tie(q.rows,
                        q.cols,
                        q.mask,
                        q.blemish,
                        q.dynamic_roi_map,
                        q.static_roi_map,
                        q.dynamic_num_pts,
                        q.static_num_pts,
                        q.dynamic_v_list,
                        q.static_v_list,
                        q.dynamic_index_mapping,
                        q.static_index_mapping,
                        q.map_names,
                        q.map_units,
                        q.beam_center_x,
                        q.beam_center_y,
                        q.pixel_size_m,
                        q.detector_distance_m,
                        q.energy_keV,
                        q.source_file);
    };
    try {
        const QMap now = QmapLoader(qmap.file).load();
        return values(now) == values(qmap);
    } catch (const Error&) {
        return false;
    }
}

}  // namespace xpcs
