// SPDX-License-Identifier: BSD-3-Clause
// xpcs-corr fit RESULT
#include "host/cmd_fit.hpp"

#include "host/errors.hpp"
#include "host/fit_table.hpp"
#include "host/text.hpp"

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>

namespace xpcs {

namespace {

constexpr const char* help =
    "usage: xpcs-corr fit RESULT [options]\n"
    "\n"
    "Fits g2 = a exp(-2 (t/b)^c) + d to every dynamic bin and tau = a q^b to the relaxation\n"
    "times, and prints a table. The result file is not changed.\n"
    "\n"
    "  --stretched         fit the exponent c (0.5 ... 2) instead of fixing it to 1\n"
    "  --expected-D VALUE  diffusion coefficient in square angstrom per second: the table shows\n"
    "                      the relaxation time 1 / (D q^2) that it leads to\n"
    "  --csv FILE          also write the table, with full precision\n"
    "  -h, --help          this text\n"
    "\n"
    "Exit status 0, also when bins could not be fitted: the table says so.\n";

struct Arguments {
    std::string result;
    std::string csv;
    std::optional<double> diffusion;
    bool stretched = false;
    bool help = false;
};

[[noreturn]] void usage(const std::string& message) {
    throw Error(ExitCode::usage, "fit: " + message);
}

double positive(const std::string& option, const std::string& text) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || !(value > 0) || !std::isfinite(value)) {
        usage(option + " '" + printable(text) + "': a number > 0 is expected");
    }
    return value;
}

Arguments parse(const std::vector<std::string>& args) {
    Arguments parsed;
    for (std::size_t i = 0; i < args.size(); ++i) {
        std::string name = args[i], value;
        const std::size_t equals = name.find('=');
        const bool joined = name.starts_with("--") && equals != std::string::npos;
        if (joined) {
            value = name.substr(equals + 1);
            name.erase(equals);
        }
        const auto take = [&]() -> std::string {
            if (joined) {
                return value;
            }
            if (i + 1 >= args.size()) {
                usage(name + ": a value is missing");
            }
            return args[++i];
        };
        if (!name.starts_with("-")) {
            if (!parsed.result.empty()) {
                usage("one result is expected, '" + printable(name) + "' is a second");
            }
            parsed.result = args[i];
        } else if (name == "--csv") {
            parsed.csv = take();
        } else if (name == "--expected-D") {
            parsed.diffusion = positive(name, take());
        } else if (name == "--stretched") {
            parsed.stretched = true;
        } else if (name == "--help" || name == "-h") {
            parsed.help = true;
        } else {
            usage("unknown option '" + printable(name) + "'" +
                  did_you_mean(name, {"--csv", "--expected-D", "--stretched", "--help"}));
        }
    }
    if (parsed.result.empty() && !parsed.help) {
        usage("no result given");
    }
    return parsed;
}

void write_csv(const std::string& path, const std::string& text) {
    std::ofstream out(path, std::ios::binary);
    if (!out) {
        throw Error(ExitCode::cannot_create,
                    "'" + printable(path) + "': cannot be created: " + std::strerror(errno));
    }
    out << text;
    out.close();
    if (!out) {
        throw Error(ExitCode::io,
                    "'" + printable(path) + "': cannot write: " + std::strerror(errno));
    }
}

}  // namespace

int cmd_fit(const std::vector<std::string>& args) {
    const Arguments arguments = parse(args);
    if (arguments.help) {
        std::cout << help;
        return 0;
    }
    const ResultReader reader(arguments.result);
    const FitTable table = fit_result(reader.data(), arguments.diffusion, arguments.stretched);
    std::cout << to_text(table) << std::flush;
    if (!arguments.csv.empty()) {
        write_csv(arguments.csv, to_csv(table));
    }
    return 0;
}

}  // namespace xpcs
