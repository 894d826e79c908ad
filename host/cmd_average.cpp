// SPDX-License-Identifier: BSD-3-Clause
// xpcs-corr average FILE...
#include "host/cmd_average.hpp"

#include "host/arguments.hpp"
#include "host/average.hpp"
#include "host/command_options.hpp"
#include "host/errors.hpp"
#include "host/log.hpp"

#include <iostream>

namespace xpcs {

namespace {

struct Command {
    std::string output = ".";
    AverageWeights weights = AverageWeights::none;
    double shape_limit = RepeatLimits{}.shape;
    double z_limit = RepeatLimits{}.z;
    bool keep_all = false, overwrite = false;
};

const OptionTable<Command>& table() {
    static const OptionTable<Command> options = [] {
        std::vector<Option<Command>> rows;
        rows.push_back(option_row(
            command_option("output", 'o', "DIR", "Directory for the result; created if missing."),
            &Command::output));
        OptionSpec weights =
            command_option("weights",
                           "HOW",
                           "Weights of g2: none, the photons of each result (counts), or 1/error^2 "
                           "of each value (errors).");
        weights.choices = {"none", "counts", "errors"};
        rows.push_back(option_row(weights, &Command::weights));
        OptionSpec shape = command_option(
            "shape-limit",
            "R",
            "Drop results whose g2 correlates with the median curve by less than R times what is "
            "usual among them; 0 = do not look at the shape.");
        shape.minimum = 0;
        shape.maximum = 1;
        rows.push_back(option_row(shape, &Command::shape_limit));
        OptionSpec z = command_option("z-limit",
                                      "Z",
                                      "Drop results whose contrast or offset is further than Z "
                                      "robust standard deviations off; 0 = do not look at them.");
        z.minimum = 0;
        rows.push_back(option_row(z, &Command::z_limit));
        rows.push_back(option_row(command_flag("keep-all", "Drop none."), &Command::keep_all));
        rows.push_back(option_row(overwrite_flag(), &Command::overwrite));
        return OptionTable<Command>(std::move(rows));
    }();
    return options;
}

}  // namespace

int cmd_average(const std::vector<std::string>& args) {
    const Arguments parsed = parse_arguments(args, table().specs(), true);
    if (parsed.help) {
        std::cout
            << "Usage: xpcs-corr average RESULT... [options]\n\n"
               "Mean of repeats of one measurement, without outliers, as a result file\n"
               "Average_<base>_<first>_<last>_results.hdf. The list of what was kept and dropped,\n"
               "with the reason, is printed and stored; the path of the new file comes last.\n\n"
            << options_help(table().specs());
        return 0;
    }
    Command command;
    apply(parsed, table(), command);
    AverageOptions options;
    options.files = parsed.positional;
    options.output = command.output;
    options.weights = command.weights;
    options.overwrite = command.overwrite;
    if (!command.keep_all) options.limits = {command.shape_limit, command.z_limit};
    if (command.keep_all) options.limits = {0, 0};
    const AverageReport report = average(options);
    for (const std::string& note : report.notes) {
        Log::warning("average: " + note);
    }
    std::cout << to_text(report) << report.result << std::endl;
    return 0;
}

}  // namespace xpcs
