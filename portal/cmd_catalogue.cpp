// SPDX-License-Identifier: BSD-3-Clause
#include "portal/cmd_catalogue.hpp"

#include "host/atomic_file.hpp"
#include "host/errors.hpp"
#include "host/text.hpp"
#include "portal/catalogue.hpp"
#include "portal/command_line.hpp"
#include "portal/report_json.hpp"
#include "portal/stopping.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <iterator>

namespace xpcs::portal {

namespace {

namespace fs = std::filesystem;

constexpr const char* ingest_help =
    "usage: xpcs-portal ingest WHAT... --catalogue FILE [options]\n"
    "\n"
    "Puts records into the catalogue, which is made if missing. WHAT is a JSON document as the\n"
    "publish step sends it (GMetaEntry, GMetaList, a list, or one per line; - reads standard\n"
    "input), or a directory with a result (*_results.hdf) and what `report` wrote (metadata.json,\n"
    "pictures). A record that is there already unchanged stays; a changed one gets a new version.\n"
    "\n"
    "  --catalogue FILE     the catalogue\n"
    "  --visible-to NAME    who sees the record of a directory; may be repeated (default: public)\n"
    "  --subject TEXT       subject of the record of a directory (default: file://PATH)\n"
    "  --experiment NAME, --cycle NAME, --organisation NAME\n"
    "                       of directories, where the metadata do not say so\n"
    "  -h, --help           this text\n";

constexpr const char* search_help =
    "usage: xpcs-portal search [WORDS...] --catalogue FILE [options]\n"
    "\n"
    "  --facet NAME=VALUE   only these; may be repeated (experiment, cycle, detector, analysis,\n"
    "                       qmap, sample, date, energy, user, organisation)\n"
    "  --from DATE, --to DATE   of the measurement, as 2026-01-31, both included\n"
    "  --sort ORDER         newest (default), oldest, title, relevance\n"
    "  --limit N, --offset N    24 and 0; at most 1000 at once\n"
    "  --as NAME            only what NAME may see; may be repeated\n"
    "  --json               documents for programs\n"
    "  -h, --help           this text\n";

std::string read_all(const std::string& path) {
    if (path == "-") {
        return read_input(0, Input::all);
    }
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        throw Error(ExitCode::no_input, "'" + printable(path) + "': cannot be read");
    }
    return {std::istreambuf_iterator<char>(in), {}};
}

Viewer viewer_of(const CommandLine& line) {
    Viewer viewer;
    viewer.everything = !line.has("--as");
    for (const std::string& name : line.values("--as")) {
        viewer.names.insert(name);
        viewer.authenticated = true;
    }
    return viewer;
}

/// The day that `option` names, as the catalogue has it; "" without the option.
std::string date_of(const CommandLine& line, const std::string& option) {
    std::string text = line.value(option, "");
    if (text.empty()) return text;
    int year = 0, month = 0, day = 0, end = 0;
    const int read = std::sscanf(text.c_str(), "%4d-%2d-%2d%n", &year, &month, &day, &end);
    const std::chrono::year_month_day date{std::chrono::year(year),
                                           std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (read != 3 || text.size() != 10 || end != 10 || !date.ok()) {
        throw Error(ExitCode::usage,
                    "search: " + option + " '" + printable(text) +
                        "': a date such as 2026-01-31 is expected");
    }
    return text;
}

Query query_of(const CommandLine& line) {
    Query query;
    for (const std::string& word : line.positional()) {
        query.words += (query.words.empty() ? "" : " ") + word;
    }
    for (const std::string& text : line.values("--facet")) {
        const std::size_t equals = text.find('=');
        const std::string name = text.substr(0, equals);
        const auto* found = std::find(facet_names.begin(), facet_names.end(), name);
        if (equals == std::string::npos || found == facet_names.end()) {
            throw Error(ExitCode::usage,
                        "search: --facet '" + printable(text) +
                            "': NAME=VALUE is expected, NAME one of " +
                            fmt::format("{}", fmt::join(facet_names, ", ")) +
                            did_you_mean(name, {facet_names.begin(), facet_names.end()}));
        }
        query.facets[static_cast<std::size_t>(found - facet_names.begin())].insert(
            text.substr(equals + 1));
    }
    query.from = date_of(line, "--from");
    query.to = date_of(line, "--to");
    query.sort = line.value("--sort", query.words.empty() ? "newest" : "relevance");
    if (query.sort != "newest" && query.sort != "oldest" && query.sort != "title" &&
        query.sort != "relevance") {
        throw Error(ExitCode::usage,
                    "search: --sort '" + printable(query.sort) +
                        "': newest, oldest, title or relevance is expected");
    }
    query.limit = line.number("--limit", 24, 0, 1000);
    query.offset = line.number("--offset", 0, 0, 1'000'000'000);
    return query;
}

}  // namespace

int cmd_ingest(const std::vector<std::string>& args) {
    const CommandLine line("ingest",
                           args,
                           {{"--catalogue", "", true},
                            {"--visible-to", "", true},
                            {"--subject", "", true},
                            {"--experiment", "", true},
                            {"--cycle", "", true},
                            {"--organisation", "", true},
                            {"--help", "-h", false}});
    if (line.has("--help")) {
        std::cout << ingest_help;
        return 0;
    }
    if (line.positional().empty()) {
        throw Error(ExitCode::usage, "ingest: nothing to ingest given");
    }
    DirectoryOptions options;
    options.subject = line.value("--subject", "");
    options.experiment = line.value("--experiment", "");
    options.cycle = line.value("--cycle", "");
    options.organisation = line.value("--organisation", "");
    if (line.has("--visible-to")) {
        options.visible_to = line.values("--visible-to");
    }
    if (!options.subject.empty() && line.positional().size() > 1) {
        throw Error(ExitCode::usage, "ingest: --subject is for one directory");
    }
    // Everything is read before anything is written: a bad file leaves the catalogue as it was.
    std::vector<json> documents;
    for (const std::string& path : line.positional()) {
        if (path != "-" && fs::is_directory(path)) {
            documents.push_back(document_of(path, options));
            continue;
        }
        for (json& document : documents_in(read_all(path), path)) {
            documents.push_back(std::move(document));
        }
    }
    Catalogue catalogue(line.required("--catalogue"), true);
    auto counts = catalogue.ingest_all(documents);
    std::cout << "added " << counts[Ingested::added] << ", new versions "
              << counts[Ingested::new_version] << ", unchanged " << counts[Ingested::unchanged]
              << "\n";
    return 0;
}

int cmd_search(const std::vector<std::string>& args) {
    const CommandLine line("search",
                           args,
                           {{"--catalogue", "", true},
                            {"--facet", "", true},
                            {"--from", "", true},
                            {"--to", "", true},
                            {"--sort", "", true},
                            {"--limit", "", true},
                            {"--offset", "", true},
                            {"--as", "", true},
                            {"--json", "", false},
                            {"--help", "-h", false}});
    if (line.has("--help")) {
        std::cout << search_help;
        return 0;
    }
    const Catalogue catalogue(line.required("--catalogue"));
    const Viewer viewer = viewer_of(line);
    const Answer answer = catalogue.search(query_of(line), viewer);
    if (line.has("--json")) {
        json list = json::array();
        for (const Hit& hit : answer.hits) {
            list.push_back(catalogue.get(hit.id, viewer)->document);
        }
        std::cout << dump_text({{"total", answer.total}, {"gmeta", list}}, 2) << "\n";
        return 0;
    }
    for (const Hit& hit : answer.hits) {
        std::cout << hit.facets[facet_date] << "  " << hit.title << "  v" << hit.version << "  "
                  << hit.facets[facet_experiment] << "  " << printable(hit.subject) << "\n";
    }
    std::cout << answer.hits.size() << " of " << answer.total << "\n";
    return 0;
}

int cmd_export(const std::vector<std::string>& args) {
    const CommandLine line("export",
                           args,
                           {{"--catalogue", "", true},
                            {"--output", "-o", true},
                            {"--as", "", true},
                            {"--help", "-h", false}});
    if (line.has("--help")) {
        std::cout << "usage: xpcs-portal export --catalogue FILE [-o FILE] [--as NAME]\n\n"
                     "Writes the latest version of every record as a GMetaList that a Globus\n"
                     "index (and `ingest`) takes.\n";
        return 0;
    }
    const Catalogue catalogue(line.required("--catalogue"));
    const std::string text = dump_text(catalogue.export_all(viewer_of(line)), 1) + "\n";
    line.has("--output") ? write_file_atomically(line.required("--output"), text)
                         : void(std::cout << text);
    return 0;
}

int cmd_remove(const std::vector<std::string>& args) {
    const CommandLine line("remove", args, {{"--catalogue", "", true}, {"--help", "-h", false}});
    if (line.has("--help")) {
        std::cout << "usage: xpcs-portal remove SUBJECT --catalogue FILE\n\n"
                     "Removes every version of a record from the catalogue; files stay.\n";
        return 0;
    }
    const std::string subject = line.only_positional("subject");
    Catalogue catalogue(line.required("--catalogue"));
    if (!catalogue.remove(subject)) {
        throw Error(ExitCode::no_input, "remove: no record '" + printable(subject) + "'");
    }
    return 0;
}

}  // namespace xpcs::portal
