// SPDX-License-Identifier: BSD-3-Clause
#include "host/arguments.hpp"
#include "host/commands.hpp"
#include "host/log.hpp"
#include "host/progress.hpp"
#include "host/simulate.hpp"
#include "host/stop.hpp"
#include "host/text.hpp"

#include <iostream>
#include <limits>

namespace xpcs {

namespace {

struct SimulateCommand : SimulateOptions {
    std::int64_t seed_value = 1;
    std::string sample = "2";  // bytes
    std::string bits = "2";
    std::string beam_x = "auto", beam_y = "auto";  // auto = centre of the detector
    std::vector<std::string> hot_pixels;
    std::string show_progress = "auto";
};

using Rows = std::vector<Option<SimulateCommand>>;
using C = SimulateCommand;

struct Range {
    double low = -std::numeric_limits<double>::infinity();
    double high = std::numeric_limits<double>::infinity();
    bool above = false;
};
constexpr Range any{};
constexpr double no_limit = std::numeric_limits<double>::infinity();

OptionSpec spec(const std::string& group,
                const std::string& name,
                const std::string& metavar,
                const std::string& help,
                const std::string& unit = "",
                Range range = any) {
    OptionSpec s;
    s.group = group;
    s.name = name;
    s.metavar = metavar;
    s.help = help;
    s.unit = unit;
    s.minimum = range.low;
    s.maximum = range.high;
    s.above_minimum = range.above;
    s.kind = metavar.empty() ? ValueKind::flag : ValueKind::text;
    return s;
}

OptionSpec choice(OptionSpec s, std::vector<std::string> names) {
    s.choices = std::move(names);
    return s;
}

OptionSpec with_short(OptionSpec s, const std::string& name) {
    s.short_name = name;
    return s;
}

void add_output(Rows& rows) {
    const std::string g = "Output";
    rows.push_back(option_row<C>(
        with_short(spec(g,
                        "output",
                        "FILE",
                        "Raw file to write: .bin, .imm, .ufxc, .tpx or .h5, as the format has it; "
                        "NAME_metadata.hdf and NAME_truth.json appear beside it."),
                   "o"),
        &C::output));
    rows.push_back(option_row<C>(
        with_short(spec(g, "overwrite", "", "Replace earlier files."), "w"), &C::overwrite));
    rows.push_back(
        option_row<C, SimulateFormat>(choice(spec(g, "format", "FORMAT", "Layout of the raw file."),
                                             {"rigaku",
                                              "rigaku3m",
                                              "hdf5",
                                              "imm",
                                              "imm-dense",
                                              "ftf",
                                              "ufxc",
                                              "hdf5-sparse",
                                              "dectris",
                                              "dectris4d",
                                              "timepix4"}),
                                      &C::format));
    rows.push_back(option_row<C>(
        choice(spec(g, "sample-bytes", "N", "Bytes of a sample (hdf5, dectris)."), {"1", "2", "4"}),
        &C::sample));
    rows.push_back(option_row<C>(
        choice(spec(g, "ftf-bits", "N", "Bits of a count (ftf)."), {"2", "4", "8"}), &C::bits));
    rows.push_back(option_row<C, SimulateCompression>(
        choice(spec(g, "compression", "FILTER", "Compression (hdf5, dectris)."),
               {"none", "gzip", "lzf", "bslz4"}),
        &C::compression));
    rows.push_back(option_row<C>(spec(g, "contiguous", "", "Without chunks (hdf5, dectris)."),
                                 &C::contiguous));
}

void add_run(Rows& rows) {
    const std::string g = "Run";
    rows.push_back(
        option_row<C>(spec(g, "frames", "N", "Frames.", "", {1, 1099511627776.0}), &C::n_frames));
    rows.push_back(option_row<C>(
        spec(g, "frame-time", "S", "Frame time.", "s", {0, no_limit, true}), &C::frame_time_s));
    rows.push_back(option_row<C>(
        spec(g, "occupancy", "P", "Mean counts per lit pixel and frame.", "", {0, 1e6, true}),
        &C::occupancy));
    rows.push_back(option_row<C>(
        spec(g, "seed", "S", "The same seed and options give the same bytes.", "", {0}),
        &C::seed_value));
    rows.push_back(
        option_row<C>(spec(g, "threads", "N", "Threads; 0 = all.", "", {0}), &C::threads));
    rows.push_back(option_row<C>(
        choice(spec(g, "progress", "WHEN", "Progress bar."), {"auto", "always", "never"}),
        &C::show_progress));
}

void add_geometry(Rows& rows) {
    const std::string g = "Geometry";
    const Range positive{0, no_limit, true};
    rows.push_back(option_row<C>(spec(g,
                                      "rows",
                                      "N",
                                      "Rows; rigaku3m, ftf, ufxc and timepix4 have their own.",
                                      "px",
                                      {1, 67108864}),
                                 &C::rows));
    rows.push_back(
        option_row<C>(spec(g, "cols", "N", "Columns; as --rows.", "px", {1, 67108864}), &C::cols));
    rows.push_back(
        option_row<C>(spec(g, "pixel-size", "M", "Pixel size.", "m", positive), &C::pixel_size_m));
    rows.push_back(
        option_row<C>(spec(g, "energy", "KEV", "Photon energy.", "keV", positive), &C::energy_keV));
    rows.push_back(option_row<C>(spec(g, "distance", "M", "Sample to detector.", "m", positive),
                                 &C::distance_m));
    rows.push_back(option_row<C>(
        spec(g, "beam-x", "COL", "Column of the direct beam (px); auto = the middle."),
        &C::beam_x));
    rows.push_back(option_row<C>(
        spec(g, "beam-y", "ROW", "Row of the direct beam (px); auto = the middle."), &C::beam_y));
}

void add_sample(Rows& rows) {
    const std::string g = "Sample and detector";
    const Range positive{0, no_limit, true}, not_negative{0};
    rows.push_back(option_row<C>(spec(g,
                                      "diffusion",
                                      "D",
                                      "Diffusion coefficient; 0 = from --tau and --tau-q.",
                                      "Angstrom^2/s",
                                      not_negative),
                                 &C::diffusion));
    rows.push_back(option_row<C>(
        spec(g, "tau", "S", "Relaxation time of the field at --tau-q.", "s", positive), &C::tau_s));
    rows.push_back(
        option_row<C>(spec(g, "tau-q", "Q", "q of the relaxation time.", "1/Angstrom", positive),
                      &C::tau_at_q_inv_angstrom));
    rows.push_back(option_row<C>(spec(g, "contrast", "B", "Speckle contrast.", "", {0, 1, true}),
                                 &C::contrast));
    rows.push_back(option_row<C>(spec(g,
                                      "falloff-q",
                                      "Q",
                                      "Intensity falls as (1 + (q/Q)^2)^-2; 0 = flat.",
                                      "1/Angstrom",
                                      not_negative),
                                 &C::falloff_q_inv_angstrom));
    rows.push_back(
        option_row<C>(spec(g, "temperature", "K", "Temperature in the metadata.", "K", positive),
                      &C::temperature_K));
    rows.push_back(option_row<C>(spec(g,
                                      "start-after",
                                      "S",
                                      "Start in the metadata, after 2026-01-01 09:00:00.",
                                      "s",
                                      not_negative),
                                 &C::start_after_s));
    rows.push_back(
        option_row<C>(spec(g, "beamstop", "R", "Radius without photons.", "px", not_negative),
                      &C::beamstop_radius_px));
    rows.push_back(option_row<C>(
        spec(g, "hot", "N", "Hot pixels, chosen by the seed.", "", not_negative), &C::n_hot));
    rows.push_back(option_row<C>(
        spec(g, "hot-rate", "P", "Probability that a hot pixel fires in a frame.", "", {0, 1}),
        &C::hot_rate));
    rows.push_back(option_row<C>(
        spec(
            g, "hot-pixel", "INDEX", "This hot pixel (row * cols + col) instead; may be repeated."),
        &C::hot_pixels));
}

const OptionTable<C>& table() {
    static const OptionTable<C> one = [] {
        Rows rows;
        add_output(rows);
        add_run(rows);
        add_geometry(rows);
        add_sample(rows);
        return OptionTable<C>(std::move(rows));
    }();
    return one;
}

// A number that is written in an option of another kind.
template <class Convert>
auto number(const char* option, const std::string& text, ValueKind kind, Convert convert) {
    OptionSpec plain;
    plain.kind = kind;
    try {
        return convert(text, plain);
    } catch (const BadValue& e) {
        throw Error(ExitCode::usage, std::string(option) + " " + e.what());
    }
}

void resolve(SimulateCommand& c) {
    c.seed = static_cast<std::uint64_t>(c.seed_value);
    c.sample_bytes = c.sample.front() - '0';
    c.ftf_bits = c.bits.front() - '0';
    if (c.beam_x != "auto") {
        c.beam_center_x = number("--beam-x", c.beam_x, ValueKind::real, option_text::to_real);
    }
    if (c.beam_y != "auto") {
        c.beam_center_y = number("--beam-y", c.beam_y, ValueKind::real, option_text::to_real);
    }
    for (const auto& text : c.hot_pixels) {
        c.hot_given.push_back(
            number("--hot-pixel", text, ValueKind::integer, option_text::to_integer));
    }
}

void report_on(const SimulateReport& report) {
    std::cout << "events  " << report.n_events << "\nphotons " << report.n_photons << "\nD       "
              << report.diffusion << " Angstrom^2/s\n";
    for (const auto& file : report.raw_files) {
        std::cout << printable(file, 4000) << '\n';
    }
    std::cout << printable(report.metadata_file, 4000) << '\n'
              << printable(report.truth_file, 4000) << '\n';
}

}  // namespace

int cmd_simulate(const CommandArgs& args) {
    const Arguments arguments = parse_arguments(args, table().specs());
    if (arguments.help) {
        std::cout << "Usage: xpcs-corr simulate -o FILE [options]\n\n"
                     "Write a run of diffusing particles with known relaxation times.\n\n"
                  << options_help(table().specs());
        return 0;
    }
    SimulateCommand command;
    apply(arguments, table(), command);
    if (command.output.empty()) {
        throw Error(ExitCode::usage, "no output file: give one with -o FILE");
    }
    resolve(command);
    SimulateReport report;
    {
        Progress progress("simulating", command.show_progress);
        command.progress = [&](double fraction) {
            progress.set_fraction(fraction);
            throw_if_stopped();
        };
        report = simulate(command);
    }
    if (report.n_clipped > 0) {
        Log::warning(printable(report.raw_files.front()) + ": " + std::to_string(report.n_clipped) +
                     " counts are larger than the file can hold and are its largest; they do not "
                     "have the dynamics of the truth file (lower --occupancy, or more bits)");
    }
    report_on(report);
    return 0;
}

}  // namespace xpcs
