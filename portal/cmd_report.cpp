// SPDX-License-Identifier: BSD-3-Clause
// xpcs-portal report RESULT -o DIR
#include "portal/cmd_report.hpp"

#include "portal/command_line.hpp"
#include "portal/report.hpp"

#include <iostream>

namespace xpcs::portal {

namespace {

constexpr const char* help =
    "usage: xpcs-portal report RESULT [-o DIR] [options]\n"
    "\n"
    "Writes a page that opens from disk (DIR/summary.html), pictures under the names that portals\n"
    "look for (DIR/*.png), tables (DIR/data/*.csv) and DIR/metadata.json. Takes results of\n"
    "xpcs-corr, of the production correlator and of the older /exchange layout. The last line of\n"
    "the output is the path of the page.\n"
    "\n"
    "  -o, --output DIR  where to write; made if missing (default: NAME_report beside the result)\n"
    "  --stretched       fit the exponent (0.5 ... 2) instead of fixing it to 1\n"
    "  --no-pictures     leave the PNG pictures out\n"
    "  -h, --help        this text\n";

}  // namespace

int cmd_report(const std::vector<std::string>& args) {
    const CommandLine line("report",
                           args,
                           {{"--output", "-o", true},
                            {"--stretched", "", false},
                            {"--no-pictures", "", false},
                            {"--help", "-h", false}});
    if (line.has("--help")) {
        std::cout << help;
        return 0;
    }
    ReportOptions options;
    options.result = line.only_positional("result");
    options.stretched = line.has("--stretched");
    options.pictures = !line.has("--no-pictures");
    options.directory = line.value("--output", "");
    if (options.directory.empty()) {
        const std::size_t slash = options.result.rfind('/');
        options.directory =
            (slash == std::string::npos ? "" : options.result.substr(0, slash + 1)) +
            dataset_name(options.result) + "_report";
    }
    const ReportFiles files = write_report(options);
    for (const Finding& finding : files.findings) {
        std::cerr << (finding.severity == Severity::note ? "note: " : "warning: ") << finding.title
                  << ": " << finding.text << "\n";
    }
    std::cout << files.page << std::endl;
    return 0;
}

}  // namespace xpcs::portal
