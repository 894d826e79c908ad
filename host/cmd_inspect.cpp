// SPDX-License-Identifier: BSD-3-Clause
// xpcs-corr inspect FILE...
#include "host/cmd_inspect.hpp"

#include "host/errors.hpp"
#include "host/inspect.hpp"
#include "host/text.hpp"

#include <algorithm>
#include <charconv>
#include <iostream>

namespace xpcs {

namespace {

constexpr const char* help =
    "usage: xpcs-corr inspect FILE... [options]\n"
    "\n"
    "Says what each file is, by its content, and what is in it: raw data, q-map, metadata or\n"
    "result. Raw files are read once from end to end.\n"
    "\n"
    "  --json              machine-readable: an array with one object per file\n"
    "  --require-result    exit 65 unless every file is a complete result\n"
    "  --shape ROWSxCOLS   detector shape of raw files that do not carry it (512x1024)\n"
    "  --dataset PATH      HDF5 dataset with the frames\n"
    "  --bin-time-s S      time bin of a raw Timepix4 stream (1e-6 s)\n"
    "  -h, --help          this text\n"
    "\n"
    "Exit status: 0, or the largest of the files' (65 input wrong, 66 file missing).\n";

struct Arguments {
    std::vector<std::string> files;
    InspectOptions options;
    bool json = false;
    bool help = false;
};

[[noreturn]] void usage(const std::string& message) {
    throw Error(ExitCode::usage, "inspect: " + message);
}

void parse_shape(const std::string& text, InspectOptions& options) {
    const char* const end = text.data() + text.size();
    const auto rows = std::from_chars(text.data(), end, options.rows);
    const bool cross = rows.ec == std::errc() && rows.ptr < end && *rows.ptr == 'x';
    const auto cols = cross ? std::from_chars(rows.ptr + 1, end, options.cols)
                            : std::from_chars_result{end, std::errc::invalid_argument};
    constexpr std::int64_t most = 1 << 16;
    if (cols.ec != std::errc() || cols.ptr != end || options.rows < 1 || options.cols < 1 ||
        options.rows > most || options.cols > most) {
        usage("--shape '" + printable(text) + "': ROWSxCOLS is expected, e.g. 512x1024");
    }
}

double parse_bin_time(const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !(value > 0)) {
        usage("--bin-time-s '" + printable(text) + "': seconds above 0 expected");
    }
    return value;
}

Arguments parse(const std::vector<std::string>& args) {
    Arguments parsed;
    bool only_files = false;
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
        if (only_files || !name.starts_with("-") || name == "-") {
            parsed.files.push_back(args[i]);
        } else if (name == "--") {
            only_files = true;
        } else if (name == "--json") {
            parsed.json = true;
        } else if (name == "--require-result") {
            parsed.options.require_result = true;
        } else if (name == "--shape") {
            parse_shape(take(), parsed.options);
        } else if (name == "--dataset") {
            parsed.options.dataset = take();
        } else if (name == "--bin-time-s") {
            parsed.options.bin_time_s = parse_bin_time(take());
        } else if (name == "--help" || name == "-h") {
            parsed.help = true;
        } else {
            usage("unknown option '" + printable(name) + "'" +
                  did_you_mean(name,
                               {"--json",
                                "--require-result",
                                "--shape",
                                "--dataset",
                                "--bin-time-s",
                                "--help"}));
        }
    }
    if (parsed.files.empty() && !parsed.help) {
        usage("no file given");
    }
    return parsed;
}

}  // namespace

int cmd_inspect(const std::vector<std::string>& args) {
    const Arguments arguments = parse(args);
    if (arguments.help) {
        std::cout << help;
        return 0;
    }
    std::vector<Inspection> inspections;
    int worst = 0;
    for (const std::string& file : arguments.files) {
        Inspection inspection = inspect_file(file, arguments.options);
        worst = std::max(worst, inspection.code);
        if (!inspection.error.empty()) {
            std::cerr << "error: " << printable(inspection.error) << '\n';
        }
        if (!arguments.json) {
            std::cout << to_text(inspection) << std::flush;
        }
        inspections.push_back(std::move(inspection));
    }
    if (arguments.json) {
        std::cout << to_json(inspections) << std::flush;
    }
    return worst;
}

}  // namespace xpcs
