// SPDX-License-Identifier: BSD-3-Clause
#include "host/arguments.hpp"
#include "host/commands.hpp"
#include "host/make_qmap.hpp"
#include "host/text.hpp"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <tuple>

namespace xpcs {

namespace {

struct QmapCommand : MakeQmapOptions {
    std::string output = "qmap.hdf";
    bool overwrite = false;
    double q_max = 0;  // 0 = no limit
    std::string mask;  // file[:/dataset]
    std::vector<std::string> mask_rectangles, keep_rectangles, mask_circles, keep_circles;
};

using Rows = std::vector<Option<QmapCommand>>;
using C = QmapCommand;

OptionSpec spec(const std::string& group,
                const std::string& name,
                const std::string& metavar,
                const std::string& help,
                const std::string& unit = "") {
    OptionSpec s;
    s.group = group;
    s.name = name;
    s.metavar = metavar;
    s.help = help;
    s.unit = unit;
    s.kind = metavar.empty() ? ValueKind::flag : ValueKind::text;
    return s;
}

OptionSpec at_least(OptionSpec s, double low, double high) {
    s.minimum = low;
    s.maximum = high;
    return s;
}

void add_geometry(Rows& rows) {
    const std::string g = "Geometry";
    OptionSpec detector = spec(g, "detector", "NAME", "Shape, pixel size and gaps of a detector.");
    detector.choices = detector_presets();
    rows.push_back(option_row<C>(detector, &C::detector));
    rows.push_back(option_row<C>(
        at_least(spec(g, "rows", "N", "Rows; 0 = of the detector.", "px"), 0, 65536), &C::rows));
    rows.push_back(option_row<C>(
        at_least(spec(g, "cols", "N", "Columns; 0 = of the detector.", "px"), 0, 65536), &C::cols));
    rows.push_back(option_row<C>(
        at_least(spec(g, "pixel-size", "M", "Pixel size; 0 = of the detector.", "m"), 0, 0.01),
        &C::pixel_size_m));
    rows.push_back(
        option_row<C>(at_least(spec(g, "energy", "KEV", "Photon energy; needed.", "keV"), 0, 1000),
                      &C::energy_keV));
    rows.push_back(option_row<C>(
        at_least(spec(g, "distance", "M", "Sample to detector; needed.", "m"), 0, 1000),
        &C::distance_m));
    rows.push_back(option_row<C>(spec(g, "beam-x", "COL", "Column of the direct beam.", "px"),
                                 &C::beam_center_x_px));
    rows.push_back(option_row<C>(spec(g, "beam-y", "ROW", "Row of the direct beam.", "px"),
                                 &C::beam_center_y_px));
}

void add_mask(Rows& rows) {
    const std::string g = "Mask";
    const std::string rectangle = "ROW,COL,ROW,COL", circle = "ROW,COL,RADIUS";
    rows.push_back(option_row<C>(spec(g,
                                      "mask",
                                      "FILE[:PATH]",
                                      "HDF5 mask, not 0 = used; PATH is "
                                      "/qmap/mask unless given."),
                                 &C::mask));
    rows.push_back(option_row<C>(spec(g,
                                      "mask-rectangle",
                                      rectangle,
                                      "Leave out first row and column up to, not including, "
                                      "the second; may be repeated."),
                                 &C::mask_rectangles));
    rows.push_back(option_row<C>(
        spec(g, "mask-circle", circle, "Leave out a circle; may be repeated."), &C::mask_circles));
    rows.push_back(
        option_row<C>(spec(g, "keep-rectangle", rectangle, "Use nothing outside; may be repeated."),
                      &C::keep_rectangles));
    rows.push_back(option_row<C>(
        spec(g, "keep-circle", circle, "Use nothing outside; may be repeated."), &C::keep_circles));
    rows.push_back(option_row<C>(
        at_least(spec(g, "q-min", "Q", "Leave out pixels below.", "1/Angstrom"), 0, 1000),
        &C::q_min_inv_angstrom));
    rows.push_back(option_row<C>(
        at_least(spec(g, "q-max", "Q", "Leave out pixels above; 0 = none.", "1/Angstrom"), 0, 1000),
        &C::q_max));
}

void add_bins(Rows& rows) {
    const std::string g = "Bins";
    const auto number =
        [&](const char* name, std::int64_t MakeQmapOptions::*member, const char* help) {
            rows.push_back(option_row<C>(at_least(spec(g, name, "N", help), 1, 1e6), member));
        };
    number("static-q", &C::static_q_bins, "Static bins in q; a multiple of --dynamic-q.");
    number("dynamic-q", &C::dynamic_q_bins, "Dynamic bins in q.");
    number(
        "static-phi", &C::static_phi_bins, "Static bins in azimuth; a multiple of --dynamic-phi.");
    number("dynamic-phi", &C::dynamic_phi_bins, "Dynamic bins in azimuth.");
    rows.push_back(option_row<C>(
        spec(g, "logarithmic", "", "Bins of equal ratio in q instead of equal width."),
        &C::logarithmic_q));
    rows.push_back(option_row<C>(
        at_least(spec(g, "phi-offset", "DEG", "Added to the azimuth.", "deg"), -360, 360),
        &C::phi_offset_deg));
    rows.push_back(
        option_row<C>(at_least(spec(g, "symmetry", "N", "Fold the azimuth N times."), 1, 360),
                      &C::symmetry_fold));
    rows.push_back(option_row<C>(
        spec(
            g, "allow-straddling", "", "Static numbers need not be multiples of the dynamic ones."),
        &C::allow_straddling));
}

const OptionTable<C>& table() {
    static const OptionTable<C> one = [] {
        Rows rows;
        OptionSpec output = spec("Output", "output", "FILE", "q-map file to write.");
        output.short_name = "o";
        OptionSpec overwrite = spec("Output", "overwrite", "", "Replace an existing file.");
        overwrite.short_name = "w";
        rows.push_back(option_row<C>(output, &C::output));
        rows.push_back(option_row<C>(overwrite, &C::overwrite));
        rows.push_back(option_row<C>(
            spec("Output", "source", "TEXT", "Stored as the file that the map was made for."),
            &C::source_file));
        add_geometry(rows);
        add_mask(rows);
        add_bins(rows);
        return OptionTable<C>(std::move(rows));
    }();
    return one;
}

// "1,2.5,3" -> numbers; the option is named in the message.
std::vector<double> numbers(const std::string& option, const std::string& text, std::size_t n) {
    std::vector<double> out;
    OptionSpec any;
    any.kind = ValueKind::real;
    for (std::size_t at = 0; at <= text.size();) {
        const auto comma = std::min(text.find(',', at), text.size());
        try {
            out.push_back(option_text::to_real(text.substr(at, comma - at), any));
        } catch (const BadValue&) {
            out.clear();
            break;
        }
        at = comma + 1;
    }
    if (out.size() != n) {
        throw Error(ExitCode::usage,
                    option + " '" + printable(text, 120) + "': " + std::to_string(n) +
                        " numbers with commas between are expected");
    }
    return out;
}

void add_regions(QmapCommand& c) {
    const auto rectangles = [&](const std::vector<std::string>& texts, bool keep) {
        const std::string option = keep ? "--keep-rectangle" : "--mask-rectangle";
        for (const auto& text : texts) {
            const auto v = numbers(option, text, 4);
            for (const double edge : v) {
                if (edge != std::floor(edge) || std::abs(edge) > 1e6) {
                    throw Error(ExitCode::usage,
                                option + " '" + printable(text, 120) +
                                    "': whole numbers of pixels are expected");
                }
            }
            const auto whole = [&](std::size_t i) { return static_cast<std::int64_t>(v[i]); };
            c.rectangles.push_back({whole(0), whole(1), whole(2), whole(3), keep});
        }
    };
    const auto circles = [&](const std::vector<std::string>& texts, bool keep) {
        for (const auto& text : texts) {
            const auto v = numbers(keep ? "--keep-circle" : "--mask-circle", text, 3);
            c.circles.push_back({v[0], v[1], v[2], keep});
        }
    };
    rectangles(c.mask_rectangles, false);
    rectangles(c.keep_rectangles, true);
    circles(c.mask_circles, false);
    circles(c.keep_circles, true);
}

}  // namespace

int cmd_make_qmap(const CommandArgs& args) {
    const Arguments arguments = parse_arguments(args, table().specs());
    if (arguments.help) {
        std::cout << "Usage: xpcs-corr make-qmap -o FILE --energy KEV --distance M [options]\n\n"
                     "Write a q-map from geometry, mask and bins.\n\n"
                  << options_help(table().specs());
        return 0;
    }
    QmapCommand command;
    apply(arguments, table(), command);
    if (command.q_max > 0) {
        command.q_max_inv_angstrom = command.q_max;
    }
    if (!command.mask.empty()) {
        std::tie(command.mask_file, command.mask_dataset) = split_mask_argument(command.mask);
    }
    add_regions(command);
    const QMap qmap = make_qmap(command);
    save_qmap(qmap, command.output, command.overwrite);
    std::cout << printable(command.output, 4000) << ": " << qmap.rows << " x " << qmap.cols
              << " pixels, " << qmap.n_static() << " static and " << qmap.n_dynamic()
              << " dynamic bins\n";
    return 0;
}

}  // namespace xpcs
