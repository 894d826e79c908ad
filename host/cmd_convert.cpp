// SPDX-License-Identifier: BSD-3-Clause
// xpcs-corr convert IN -o OUT
#include "host/cmd_convert.hpp"

#include "host/arguments.hpp"
#include "host/command_options.hpp"
#include "host/convert.hpp"
#include "host/errors.hpp"
#include "host/log.hpp"

#include <iostream>

namespace xpcs {

namespace {

struct Command {
    std::string output, dataset, channel;
    std::string ftf_bit_order = "low-first";
    std::string run_config_path;
    double bin_time_s = 1e-6;
    std::int64_t rows = 0, cols = 0, n_frames = 0;
    bool series = false, drop_no_data = false, drop_bad_index = false, allow_truncated = false,
         allow_missing_module = false, overwrite = false;
};

const OptionTable<Command>& table() {
    static const OptionTable<Command> options = [] {
        std::vector<Option<Command>> rows;
        rows.push_back(option_row(
            command_option("output", 'o', "FILE", "Name of the new file: .bin, .h5 or .imm."),
            &Command::output));
        rows.push_back(option_row(overwrite_flag(), &Command::overwrite));
        OptionSpec n =
            command_option("rows", "N", "Rows of a detector whose file does not say; 0 = 512.");
        n.minimum = 0;
        rows.push_back(option_row(n, &Command::rows));
        n.name = "cols";
        n.help = "Columns of a detector whose file does not say; 0 = 1024.";
        rows.push_back(option_row(n, &Command::cols));
        n.name = "n-frames";
        n.help = "Frames of the acquisition, also those without photons; 0 = as the file says.";
        rows.push_back(option_row(n, &Command::n_frames));
        rows.push_back(option_row(command_option("dataset", "PATH", "Dataset in an HDF5 file."),
                                  &Command::dataset));
        rows.push_back(option_row(command_option("channel", "NAME", "Channel of a 4-D dataset."),
                                  &Command::channel));
        OptionSpec order = command_option(
            "ftf-bit-order", "ORDER", "Rigaku fast transfer: place of the first pixel.");
        order.choices = {"low-first", "high-first"};
        rows.push_back(option_row(order, &Command::ftf_bit_order));
        rows.push_back(
            option_row(command_flag("series", "The HDF5 files given are one run, in this order."),
                       &Command::series));
        OptionSpec bin =
            command_option("bin-time-s", "SECONDS", "Time bin of a raw Timepix4 stream.");
        bin.unit = "s";
        bin.minimum = 0;
        bin.above_minimum = true;
        rows.push_back(option_row(bin, &Command::bin_time_s));
        rows.push_back(option_row(
            command_option("run-config-path", "FILE", "Run configuration of a Timepix4 stream."),
            &Command::run_config_path));
        rows.push_back(option_row(
            command_flag("drop-no-data", "Leave samples without data (all bits set) out."),
            &Command::drop_no_data));
        rows.push_back(
            option_row(command_flag("drop-bad-index", "Drop records beyond the last pixel."),
                       &Command::drop_bad_index));
        rows.push_back(
            option_row(command_flag("allow-truncated", "Use the complete frames of a cut file."),
                       &Command::allow_truncated));
        rows.push_back(option_row(
            command_flag("allow-missing-module", "Go on without missing modules of a 3M run."),
            &Command::allow_missing_module));
        return OptionTable<Command>(std::move(rows));
    }();
    return options;
}

}  // namespace

int cmd_convert(const std::vector<std::string>& args) {
    const Arguments parsed = parse_arguments(args, table().specs(), true);
    if (parsed.help) {
        std::cout << "Usage: xpcs-corr convert FILE... -o OUT [options]\n\n"
                     "Writes the events of a raw file as Rigaku 64-bit words (.bin), sparse HDF5 "
                     "(.h5) or\nsparse IMM (.imm), reads them back and compares.\n\n"
                  << options_help(table().specs());
        return 0;
    }
    Command command;
    apply(parsed, table(), command);
    if (parsed.positional.empty()) throw Error(ExitCode::usage, "convert: no input file");
    if (parsed.positional.size() > 1 && !command.series) {
        throw Error(ExitCode::usage,
                    "convert: " + std::to_string(parsed.positional.size()) +
                        " input files; one expected, or --series");
    }
    if (command.output.empty()) throw Error(ExitCode::usage, "convert: no output: -o FILE");
    ConvertOptions options;
    options.input = parsed.positional.front();
    options.output = command.output;
    options.overwrite = command.overwrite;
    options.rows = command.rows;
    options.cols = command.cols;
    options.drop_no_data = command.drop_no_data;
    options.source.dataset = command.dataset;
    options.source.channel = command.channel;
    options.source.ftf_high_first = command.ftf_bit_order == "high-first";
    options.source.bin_time_s = command.bin_time_s;
    options.source.run_config_path = command.run_config_path;
    options.source.n_frames = command.n_frames;
    options.source.drop_bad_index = command.drop_bad_index;
    options.source.allow_truncated = command.allow_truncated;
    options.source.allow_missing_module = command.allow_missing_module;
    options.source.more_files.assign(parsed.positional.begin() + 1, parsed.positional.end());
    const ConvertReport report = convert(options);
    for (const std::string& warning : report.warnings)
        Log::warning(warning);
    if (report.no_data > 0) {
        Log::warning(options.input + ": " + std::to_string(report.no_data) +
                     " samples without data left out; mask their pixels in the q-map");
    }
    if (report.duplicates > 0) {
        Log::warning(options.input + ": " + std::to_string(report.duplicates) +
                     " records of a pixel that came twice in a frame summed into one");
    }
    if (report.late > 0) {
        Log::warning(options.input + ": " + std::to_string(report.late) + " events beyond the " +
                     std::to_string(report.n_frames) + " frames of --n-frames left out");
    }
    Log::info(options.input + " (" + report.format + "): " + std::to_string(report.n_events) +
              " events, " + std::to_string(report.n_photons) + " photons in " +
              std::to_string(report.n_frames) + " frames of " + std::to_string(report.rows) +
              " x " + std::to_string(report.cols) + "; " + std::to_string(report.bytes_in) +
              " to " + std::to_string(report.bytes_out) + " bytes; read back and equal");
    std::cout << options.output << std::endl;
    return 0;
}

}  // namespace xpcs
