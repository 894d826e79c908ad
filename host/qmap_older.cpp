// SPDX-License-Identifier: BSD-3-Clause
#include "host/qmap_older.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace xpcs {

namespace {

constexpr std::uint64_t most_bytes = std::uint64_t{1} << 31;
constexpr std::size_t most_older_bins = 1 << 24;

struct OldNames {
    const char* group;
    const char* layout;
    const char *dynamic_map, *static_map;
    const char *dynamic_q, *dynamic_phi, *static_q, *static_phi;
};

constexpr OldNames layouts[] = {
    {"/qmap/",
     "the /qmap/dqmap layout of 17 to 24 February 2025",
     "dqmap",
     "sqmap",
     "dqlist",
     "dphilist",
     "sqlist",
     "sphilist"},
    {"/data/",
     "the /data layout used until February 2025",
     "dynamicMap",
     "staticMap",
     "dqval",
     "dphival",
     "sqval",
     "sphival"},
    {"/xpcs/",
     "the /xpcs layout of metadata files until 2024",
     "dqmap",
     "sqmap",
     "dqlist",
     "dphilist",
     "sqlist",
     "sphilist"},
};

class Translator {
  public:
    Translator(const h5::File& from, const h5::File& to, const OldNames& names)
        : from_(from), to_(to), names_(names) {}

    void translate() {
        map(names_.dynamic_map, "dynamic_roi_map");
        map(names_.static_map, "static_roi_map");
        if (has("mask")) {
            map("mask", "mask");
        } else {
            mask_from_labels();
        }
        centres("dynamic", "dno", names_.dynamic_q, names_.dynamic_phi);
        centres("static", "sno", names_.static_q, names_.static_phi);
        h5::write_strings(to_.id(), "/qmap/map_names", {"q", "phi"});
        h5::write_strings(to_.id(), "/qmap/map_units", {"\xC3\x85\xE2\x81\xBB\xC2\xB9", "deg"});
        number("x0", "beam_center_x");
        number("y0", "beam_center_y");
    }

  private:
    std::string path(const std::string& name) const { return names_.group + name; }
    bool has(const std::string& name) const { return h5::is_dataset(from_.id(), path(name)); }

    void map(const std::string& old_name, const std::string& name) {
        const h5::Dataset dataset = h5::open_dataset(from_.id(), path(old_name));
        h5::write(to_.id(),
                  "/qmap/" + name,
                  h5::read<double>(dataset, most_bytes),
                  h5::shape_of(dataset));
    }
    void mask_from_labels() {
        const h5::Dataset dataset = h5::open_dataset(from_.id(), path(names_.dynamic_map));
        std::vector<double> mask = h5::read<double>(dataset, most_bytes);
        for (double& value : mask)
            value = value > 0 ? 1 : 0;
        h5::write(to_.id(), "/qmap/mask", mask, h5::shape_of(dataset));
    }
    void number(const std::string& old_name, const std::string& name) {
        if (!has(old_name)) return;
        h5::write_scalar(to_.id(), "/qmap/" + name, h5::read_number(from_.id(), path(old_name)));
    }
    std::vector<double> list(const std::string& name) const {
        if (!has(name)) return {};
        return h5::read<double>(from_.id(), path(name), most_older_bins * sizeof(double));
    }
    /// A number of bins, 0 if the file does not say.
    std::size_t count(const std::string& name) const {
        if (!has(name)) return 0;
        const double value = h5::read_number(from_.id(), path(name));
        const bool sane = value >= 1 && value <= static_cast<double>(most_older_bins);
        return sane && value == std::floor(value) ? static_cast<std::size_t>(value) : 0;
    }

    /// Centres along the axes, from lists per axis or per bin (then their mean over the other
    /// axis).
    void centres(const std::string& kind,
                 const std::string& prefix,
                 const std::string& q_name,
                 const std::string& phi_name) {
        const std::vector<double> q = list(q_name), phi = list(phi_name);
        std::size_t n_q = count(prefix + "q"), n_phi = count(prefix + "phi");
        if (n_q == 0) n_q = q.size();
        if (n_phi == 0) n_phi = n_q == q.size() ? std::max<std::size_t>(1, phi.size()) : 1;
        // Lists of the same length without the numbers of bins: one entry per bin, nothing tells
        // how they lie on the axes.
        if (count(prefix + "phi") == 0 && q.size() == phi.size()) n_phi = 1;
        if (n_q == 0 || n_q * n_phi > most_older_bins) return;
        const std::vector<std::int64_t> sizes = {static_cast<std::int64_t>(n_q),
                                                 static_cast<std::int64_t>(n_phi)};
        h5::write(to_.id(), "/qmap/" + kind + "_num_pts", sizes);
        const auto put = [&](const std::vector<double>& values, int axis) {
            const std::size_t n = axis == 0 ? n_q : n_phi;
            std::vector<double> centre(n, 0);
            if (values.size() == n) {
                centre = values;
            } else if (values.size() == n_q * n_phi) {
                // From the first of the bins, so that equal entries give exactly that number.
                const auto at = [&](std::size_t i) { return axis == 0 ? i / n_phi : i % n_phi; };
                const auto first = [&](std::size_t i) {
                    return values[axis == 0 ? i - i % n_phi : i % n_phi];
                };
                for (std::size_t i = 0; i < values.size(); ++i) {
                    centre[at(i)] +=
                        (values[i] - first(i)) / static_cast<double>(axis == 0 ? n_phi : n_q);
                }
                for (std::size_t c = 0; c < n; ++c) {
                    centre[c] += values[axis == 0 ? c * n_phi : c];
                }
            } else {
                return;  // the loader says that there are none
            }
            h5::write(to_.id(), "/qmap/" + kind + "_v_list_dim" + std::to_string(axis), centre);
        };
        put(q, 0);
        put(phi, 1);
    }

    const h5::File& from_;
    const h5::File& to_;
    const OldNames& names_;
};

}  // namespace

std::optional<TranslatedQMap> translate_older_qmap(const h5::File& file) {
    for (const OldNames& names : layouts) {
        const auto is_map = [&](const char* name) {
            const std::string path = std::string(names.group) + name;
            return h5::is_dataset(file.id(), path) &&
                   h5::shape_of(h5::open_dataset(file.id(), path)).size() == 2;
        };
        if (!is_map(names.dynamic_map) || !is_map(names.static_map)) continue;
        TranslatedQMap out;
        out.file = h5::create_memory_file("older q-map");
        out.layout = names.layout;
        Translator(file, out.file, names).translate();
        return out;
    }
    return std::nullopt;
}

}  // namespace xpcs
