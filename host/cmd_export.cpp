// SPDX-License-Identifier: BSD-3-Clause
// xpcs-corr export RESULT --format F -o FILE
#include "host/cmd_export.hpp"

#include "host/arguments.hpp"
#include "host/command_options.hpp"
#include "host/errors.hpp"
#include "host/export.hpp"
#include "host/log.hpp"
#include "host/text.hpp"

#include <iostream>

namespace xpcs {

namespace {

constexpr const char* intro =
    "Usage: xpcs-corr export RESULT --format FORMAT -o FILE [options]\n"
    "\n"
    "Writes a result (ours, boost_corr's, or one of the older /exchange layout) for others:\n"
    "\n"
    "  csv       tables of numbers: g2 with errors, scattering, intensity, stored fits\n"
    "  exchange  the /exchange layout used until 2024\n"
    "  nxxpcs    one entry after the NeXus application definition NXxpcs\n"
    "  xpcs      our own layout, from an /exchange file\n"
    "\n"
    "What does not fit into the format is named in warnings.\n\n";

struct Command {
    std::string format, output, table;
    bool overwrite = false;
};

const std::vector<std::string>& format_names() {
    static const std::vector<std::string> names{"csv", "exchange", "nxxpcs", "xpcs"};
    return names;
}

const OptionTable<Command>& table() {
    static const OptionTable<Command> options = [] {
        std::vector<Option<Command>> rows;
        rows.push_back(
            option_row(command_option("format", "FORMAT", "csv, exchange, nxxpcs or xpcs."),
                       &Command::format));
        rows.push_back(option_row(command_option("output", 'o', "FILE", "Name of the new file."),
                                  &Command::output));
        rows.push_back(
            option_row(command_option("table",
                                      "NAME",
                                      "csv: only this table of g2, g2_partial, twotime_g2, "
                                      "saxs_1d, saxs_1d_segments, intensity, fit_single, "
                                      "fit_double."),
                       &Command::table));
        rows.push_back(option_row(overwrite_flag(), &Command::overwrite));
        return OptionTable<Command>(std::move(rows));
    }();
    return options;
}

[[noreturn]] void usage(const std::string& message) {
    throw Error(ExitCode::usage, "export: " + message);
}

ExportOptions options_of(const Command& command, const std::vector<std::string>& inputs) {
    if (inputs.size() != 1) {
        usage(std::to_string(inputs.size()) + " results given, one is expected");
    }
    if (command.format.empty()) usage("no format: --format csv, exchange, nxxpcs or xpcs");
    if (command.output.empty()) usage("no output: -o FILE");
    ExportOptions options{inputs.front(), command.output, {}, command.table, command.overwrite};
    OptionSpec spec;
    spec.name = "format";
    spec.kind = ValueKind::choice;
    spec.choices = format_names();
    std::string format;
    try {
        format = option_text::to_choice(command.format, spec);
    } catch (const BadValue& error) {
        usage(std::string("--format ") + error.what());
    }
    for (std::size_t i = 0; i < spec.choices.size(); ++i) {
        if (spec.choices[i] == format) options.format = static_cast<ExportFormat>(i);
    }
    if (!command.table.empty() && options.format != ExportFormat::csv) {
        usage("--table " + printable(command.table) + " belongs to --format csv, not to " + format);
    }
    return options;
}

}  // namespace

int cmd_export(const std::vector<std::string>& args) {
    const Arguments parsed = parse_arguments(args, table().specs(), true);
    if (parsed.help) {
        std::cout << intro << options_help(table().specs());
        return 0;
    }
    Command command;
    apply(parsed, table(), command);
    const ExportOptions options = options_of(command, parsed.positional);
    for (const std::string& note : export_result(options)) {
        Log::warning("'" + printable(options.input) + "': " + note);
    }
    std::cout << options.output << std::endl;
    return 0;
}

}  // namespace xpcs
