// SPDX-License-Identifier: BSD-3-Clause
// xpcs-corr benchmark
#include "host/arguments.hpp"
#include "host/atomic_file.hpp"
#include "host/benchmark.hpp"
#include "host/commands.hpp"
#include "host/log.hpp"

#include <iostream>

namespace xpcs {

namespace {

struct BenchmarkCommand : BenchmarkOptions {
    std::string json_file;
};
using C = BenchmarkCommand;

OptionSpec spec(const std::string& name, const std::string& metavar, const std::string& help) {
    OptionSpec s;
    s.group = "Options";
    s.name = name;
    s.metavar = metavar;
    s.help = help;
    return s;
}

OptionSpec at_least(OptionSpec s, double minimum) {
    s.minimum = minimum;
    return s;
}

const OptionTable<C>& table() {
    static const OptionTable<C> one = [] {
        std::vector<Option<C>> rows;
        OptionSpec suite = spec("suite",
                                "SUITE",
                                "quick: under a minute on two cores; full: the sizes of a "
                                "beamline, up to 2 GB of files at a time; gpu: full, on a GPU.");
        suite.choices = {"quick", "full", "gpu"};
        rows.push_back(option_row<C>(suite, &C::suite));
        rows.push_back(
            option_row<C>(spec("only", "TEXT", "Only sets with TEXT in their name."), &C::only));
        rows.push_back(option_row<C>(
            spec("json", "FILE", "Write everything to a JSON file as well."), &C::json_file));
        rows.push_back(
            option_row<C>(spec("dir",
                               "DIR",
                               "Where the data are made (and removed again); best in memory. "
                               "Without it the directory for temporary files."),
                          &C::directory));
        rows.push_back(option_row<C>(
            spec("device", "cpu|gpu:N|gpu:all", "Where to compute; without it as the suite says."),
            &C::device));
        rows.push_back(
            option_row<C>(at_least(spec("threads", "N", "CPU threads; 0 = all."), 0), &C::threads));
        rows.push_back(option_row<C>(
            at_least(spec("repeat",
                          "N",
                          "Timed runs of each set, of which the fastest counts; 0 = 1 for quick, "
                          "else 3."),
                     0),
            &C::repeat));
        rows.push_back(
            option_row<C>(at_least(spec("seed", "S", "Seed of the data."), 0), &C::seed));
        return OptionTable<C>(std::move(rows));
    }();
    return one;
}

}  // namespace

int cmd_benchmark(const CommandArgs& args) {
    const Arguments arguments = parse_arguments(args, table().specs());
    if (arguments.help) {
        std::cout << "Usage: xpcs-corr benchmark [options]\n\n"
                     "Make data, check every result against a direct computation, time the runs "
                     "and hold\nthem against what this machine can do.\n\n"
                  << options_help(table().specs());
        return 0;
    }
    BenchmarkCommand command;
    apply(arguments, table(), command);
    if (!command.json_file.empty()) check_can_write(command.json_file);
    BenchmarkReport report = run_benchmark(command);
    report.command = "xpcs-corr benchmark";
    for (const std::string& arg : args)
        report.command += " " + arg;
    std::cout << to_text(report);
    if (!command.json_file.empty()) write_file_atomically(command.json_file, to_json(report));
    return 0;
}

}  // namespace xpcs
