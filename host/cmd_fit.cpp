// SPDX-License-Identifier: BSD-3-Clause
// xpcs-corr fit RESULT
#include "host/cmd_fit.hpp"

#include "host/arguments.hpp"
#include "host/atomic_file.hpp"
#include "host/command_options.hpp"
#include "host/errors.hpp"
#include "host/fit_store.hpp"
#include "host/fit_table.hpp"
#include "host/log.hpp"
#include "host/text.hpp"

#include <algorithm>
#include <iostream>
#include <limits>

namespace xpcs {

namespace {

constexpr const char* intro =
    "Usage: xpcs-corr fit RESULT [options]\n"
    "\n"
    "Fits every dynamic bin and tau = a q^b to the relaxation times, prints a table, and stores\n"
    "the fits in the result as /xpcs/fit (a new version of the file, in one step).\n"
    "\n"
    "  single  g2 = contrast exp(-2 (t/tau)^exponent) + baseline\n"
    "  double  g2 = contrast [fraction exp(-(t/tau)^exponent)\n"
    "               + (1 - fraction) exp(-(t/tau2)^exponent2)]^2 + baseline\n"
    "\n"
    "Exit status 0, also when bins could not be fitted: table and file say so.\n\n";

struct Command {
    std::string model = "single", csv, q_range;
    std::vector<std::string> bounds, fixed;
    double diffusion = 0;
    bool stretched = false, no_store = false;
};

const OptionTable<Command>& table() {
    static const OptionTable<Command> options = [] {
        std::vector<Option<Command>> rows;
        OptionSpec model = command_option("model", "MODEL", "Form of the curves.");
        model.choices = {"single", "double"};
        rows.push_back(option_row(model, &Command::model));
        rows.push_back(option_row(
            command_flag("stretched", "Fit the exponents (0.5 ... 2) instead of fixing them to 1."),
            &Command::stretched));
        rows.push_back(option_row(
            command_option(
                "bounds",
                "NAME=LOW:HIGH",
                "Limits of a parameter: contrast (default 1e-4:2), tau and tau2 (s; from "
                "the delays), exponent and exponent2, baseline (0.9:1.1), fraction (0:1)."),
            &Command::bounds));
        rows.push_back(
            option_row(command_option("fix", "NAME=VALUE", "Fix a parameter."), &Command::fixed));
        rows.push_back(option_row(
            command_option("q-range", "LOW:HIGH", "Bins that the power law uses, by their q."),
            &Command::q_range));
        OptionSpec diffusion =
            command_option("expected-D",
                           "VALUE",
                           "Diffusion coefficient: the table shows the relaxation time 1 / (D q^2) "
                           "that it leads to.");
        diffusion.unit = "square angstrom per second";
        diffusion.minimum = 0;
        diffusion.above_minimum = true;
        rows.push_back(option_row(diffusion, &Command::diffusion));
        rows.push_back(
            option_row(command_option("csv", "FILE", "Also write the table, with full precision."),
                       &Command::csv));
        rows.push_back(option_row(command_flag("no-store", "Leave the result file as it is."),
                                  &Command::no_store));
        return OptionTable<Command>(std::move(rows));
    }();
    return options;
}

[[noreturn]] void usage(const std::string& message) {
    throw Error(ExitCode::usage, "fit: " + message);
}

double number(const std::string& option, const std::string& text, const std::string& part) {
    try {
        return option_text::to_real(part, OptionSpec{});
    } catch (const BadValue&) {
        usage(option + " '" + printable(text) + "': '" + printable(part) + "' is no number");
    }
}

/// "LOW:HIGH".
FitBounds range(const std::string& option, const std::string& whole, const std::string& text) {
    const std::size_t colon = text.find(':');
    if (colon == std::string::npos) {
        usage(option + " '" + printable(whole) + "': LOW:HIGH is expected");
    }
    const FitBounds out{number(option, whole, text.substr(0, colon)),
                        number(option, whole, text.substr(colon + 1))};
    if (!(out.lower < out.upper)) {
        usage(option + " '" + printable(whole) + "': the lower end is not below the upper one");
    }
    return out;
}

/// "NAME=VALUE" taken apart.
std::pair<std::string, std::string> assignment(const std::string& option, const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) {
        usage(option + " '" + printable(text) + "': NAME=... is expected");
    }
    return {text.substr(0, equals), text.substr(equals + 1)};
}

FitBounds& bounds_named(const std::string& option, const std::string& name, FitRequest& request) {
    DoubleFitOptions& o = request.options;
    const std::vector<FitBounds*> all{
        &o.contrast, &o.tau_s, &o.exponent, &o.baseline, &o.tau2_s, &o.exponent2, &o.fraction};
    const auto& keys = parameter_keys();
    const std::vector<std::string> known(
        keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(n_parameters(request.model)));
    const auto at = std::find(known.begin(), known.end(), name);
    if (at == known.end()) {
        std::string list;
        for (const std::string& key : known) {
            list.append(list.empty() ? "" : ", ").append(key);
        }
        usage(option + " '" + printable(name) + "': the model has " + list);
    }
    return *all[static_cast<std::size_t>(at - known.begin())];
}

/// Relaxation times are searched on a logarithmic scale; contrasts below 0 mean nothing.
void require_sense(const std::string& option,
                   const std::string& text,
                   const std::string& name,
                   FitBounds bounds) {
    const bool time = name.starts_with("tau");
    if (time ? !(bounds.lower > 0) : bounds.lower < 0) {
        usage(option + " '" + printable(text) + "': " + name + (time ? " > 0" : " >= 0") +
              " is expected");
    }
    if (name == "fraction" && bounds.upper > 1) {
        usage(option + " '" + printable(text) + "': fraction <= 1 is expected");
    }
}

FitRequest request_of(const Command& command) {
    FitRequest request;
    request.model = command.model == "double" ? FitModel::double_ : FitModel::single;
    if (command.stretched) request.options.exponent = request.options.exponent2 = {0.5, 2.0};
    for (const std::string& text : command.bounds) {
        const auto [name, value] = assignment("--bounds", text);
        FitBounds& bounds = bounds_named("--bounds", name, request);
        bounds = range("--bounds", text, value);
        require_sense("--bounds", text, name, bounds);
    }
    for (const std::string& text : command.fixed) {
        const auto [name, value] = assignment("--fix", text);
        FitBounds& bounds = bounds_named("--fix", name, request);
        bounds.lower = bounds.upper = number("--fix", text, value);
        require_sense("--fix", text, name, bounds);
    }
    if (!command.q_range.empty()) {
        const FitBounds q = range("--q-range", command.q_range, command.q_range);
        request.q_low = q.lower;
        request.q_high = q.upper;
    }
    if (command.diffusion > 0) request.diffusion = command.diffusion;
    return request;
}

}  // namespace

int cmd_fit(const std::vector<std::string>& args) {
    const Arguments parsed = parse_arguments(args, table().specs(), true);
    if (parsed.help) {
        std::cout << intro << options_help(table().specs());
        return 0;
    }
    Command command;
    apply(parsed, table(), command);
    if (parsed.positional.size() != 1) {
        usage(std::to_string(parsed.positional.size()) + " results given, one is expected");
    }
    const FitRequest request = request_of(command);
    const std::string& path = parsed.positional.front();
    require_no_input(command.csv, {path});
    const ResultReader reader(path);
    const FitTable fits = fit_result(reader.data(), request);
    std::cout << to_text(fits) << std::flush;
    if (!command.csv.empty()) {
        write_file_atomically(command.csv, to_csv(fits));
    }
    if (command.no_store) return 0;
    if (reader.data().layout != "xpcs") {
        Log::warning("'" + printable(path) +
                     "': fits are not stored in the older /exchange layout; 'xpcs-corr export "
                     "--format xpcs' brings it to the present one");
        return 0;
    }
    store_fit(path, fits, reader.data());
    return 0;
}

}  // namespace xpcs
