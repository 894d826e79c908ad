// SPDX-License-Identifier: BSD-3-Clause
#include "portal/record.hpp"

#include "host/errors.hpp"
#include "host/json_depth.hpp"
#include "host/text.hpp"
#include "portal/report_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace xpcs::portal {

namespace {

const json nothing;

std::string base_name(const std::string& path) {
    return std::filesystem::path(path).filename().string();
}

std::string first_text(std::initializer_list<const json*> values) {
    for (const json* value : values) {
        std::string text = text_of(*value);
        if (!text.empty()) {
            return text;
        }
    }
    return "";
}

std::optional<double> number_of(const json& value) {
    if (value.is_number() && std::isfinite(value.get<double>())) {
        return value.get<double>();
    }
    return std::nullopt;
}

std::string short_text(const std::string& text) {
    return printable(text, 200);
}

/// Every string and number of a document, for full-text search.
void collect_words(const json& node, std::string& out, int depth = 0) {
    constexpr std::size_t most = 200'000;
    if (depth > 20 || out.size() > most) {
        return;
    }
    if (node.is_string()) {
        out += printable(node.get<std::string>(), 2000) + " ";
    } else if (node.is_number()) {
        out += node.dump() + " ";
    } else if (node.is_structured()) {
        for (const auto& [name, value] : node.items()) {
            if (name != "sha256" && name != "sha512") {
                collect_words(value, out, depth + 1);
            }
        }
    }
}

std::string qmap_name(const json& project) {
    const json& source = member(project, {"source_files", "qmap"});
    std::string name = first_text({&member(project, {"reprocessing", "qmap", "name"}),
                                   source.is_array() && !source.empty() ? &source[0] : &source,
                                   &member(project, {"/xpcs/multitau/config", "qmap"}),
                                   &member(project, {"/xpcs/twotime/config", "qmap"})});
    return base_name(name);
}

/// NaN, Infinity and -Infinity outside of strings, in quotes.
std::string quote_non_numbers(const std::string& text) {
    std::string out;
    bool inside = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (inside) {
            out += c;
            if (c == '\\' && i + 1 < text.size()) {
                out += text[++i];
            } else if (c == '"') {
                inside = false;
            }
            continue;
        }
        inside = c == '"';
        std::string word;
        for (const char* name : {"-Infinity", "Infinity", "NaN"}) {
            if (word.empty() && text.compare(i, std::char_traits<char>::length(name), name) == 0) {
                word = name;
            }
        }
        if (word.empty()) {
            out += c;
        } else {
            out += '"' + word + '"';
            i += word.size() - 1;
        }
    }
    return out;
}

json parse_tolerant(const std::string& text) {
    if (json_is_deeper_than(text)) return json(json::value_t::discarded);
    json parsed = json::parse(text, nullptr, false);
    return parsed.is_discarded() ? json::parse(quote_non_numbers(text), nullptr, false) : parsed;
}

void add_documents(const json& node, const std::string& file, std::vector<json>& out) {
    if (node.is_array()) {
        for (const json& entry : node) {
            add_documents(entry, file, out);
        }
        return;
    }
    const json& data = member(node, "ingest_data");
    if (data.is_object()) {
        const json& list = member(data, "gmeta");
        add_documents(list.is_array() ? list : data, file, out);
        return;
    }
    for (const char* wrapper : {"search", "gmeta"}) {
        if (member(node, wrapper).is_structured()) {
            add_documents(member(node, wrapper), file, out);
            return;
        }
    }
    if (!node.is_object() || !member(node, "subject").is_string() ||
        member(node, "subject").get<std::string>().empty() ||
        !member(node, "content").is_object()) {
        throw Error(ExitCode::data,
                    "'" + printable(file) +
                        "': document without subject (text) and content (object)");
    }
    json document = node;
    if (!member(document, "visible_to").is_array()) {
        throw Error(ExitCode::data,
                    "'" + printable(file) + "': document without visible_to (list)");
    }
    out.push_back(std::move(document));
}

}  // namespace

const json& member(const json& object, const std::string& name) {
    if (!object.is_object()) {
        return nothing;
    }
    const auto found = object.find(name);
    if (found != object.end()) {
        return *found;
    }
    const std::string prefix = name + " (";
    for (const auto& [key, value] : object.items()) {
        if (key.starts_with(prefix)) {
            return value;
        }
    }
    return nothing;
}

const json& member(const json& object, std::initializer_list<const char*> path) {
    const json* node = &object;
    for (const char* name : path) {
        node = &member(*node, std::string(name));
    }
    return *node;
}

std::string text_of(const json& value) {
    if (value.is_string()) {
        return value.get<std::string>();
    }
    if (value.is_number() || value.is_boolean()) {
        return value.dump();
    }
    if (value.is_array()) {
        std::string out;
        for (const json& entry : value) {
            const std::string text = entry.is_structured() ? "" : text_of(entry);
            if (!text.empty()) {
                out += (out.empty() ? "" : ", ") + text;
            }
        }
        return out;
    }
    return "";
}

RecordFields fields_of(const json& document) {
    RecordFields fields;
    const json& content = member(document, "content");
    const json& dc = member(content, "dc");
    const json& project = member(content, "project_metadata");
    const json& entry = member(project, "/entry/instrument");
    const json& sample = member(project, "/entry/sample");
    const json& user = member(project, "/entry/user");
    const json& titles = member(dc, "titles");
    const json& creators = member(dc, "creators");
    const json& dates = member(dc, "dates");
    const json& results = member(project, "results");
    const auto first = [](const json& list, const char* name) -> const json& {
        return list.is_array() && !list.empty() ? member(list[0], name) : nothing;
    };
    fields.title = short_text(first_text({&first(titles, "title"), &member(document, "subject")}));
    fields.start = short_text(first_text({&member(project, "start_time"), &first(dates, "date")}));
    std::replace(fields.start.begin(), fields.start.end(), 'T', ' ');
    auto& facets = fields.facets;
    facets[facet_experiment] =
        first_text({&member(project, "experiment"), &member(project, "parent")});
    facets[facet_cycle] = first_text({&member(project, "cycle"), &member(user, "cycle")});
    facets[facet_detector] = first_text({&member(entry, {"detector_1", "detector_name"}),
                                         &member(entry, {"detector_1", "description"})});
    facets[facet_analysis] = text_of(member(project, "analysis_type"));
    facets[facet_qmap] = qmap_name(project);
    facets[facet_sample] =
        first_text({&member(sample, "short_description"), &member(sample, "name")});
    facets[facet_date] = fields.start.substr(0, 10);
    if (const auto energy = number_of(member(entry, {"incident_beam", "incident_energy"}))) {
        facets[facet_energy] = fmt::format("{:.4g} keV", *energy);
    }
    facets[facet_user] = first_text(
        {&member(user, "name"), &first(creators, "creatorName"), &first(creators, "name")});
    facets[facet_organisation] =
        first_text({&member(project, "organization"), &member(user, "institution")});
    for (std::string& facet : facets) {
        facet = short_text(facet);
    }
    fields.relaxation_time_s = number_of(member(results, "relaxation_time_s"));
    fields.contrast = number_of(member(results, "contrast"));
    fields.intensity = number_of(member(results, "mean_intensity"));
    fields.temperature_K = number_of(member(results, "temperature_K"));
    fields.source = text_of(member(project, {"reprocessing", "of"})).substr(0, 4000);
    fields.words = text_of(member(document, "subject")) + " ";
    collect_words(content, fields.words);
    return fields;
}

std::vector<json> documents_in(const std::string& text, const std::string& file) {
    std::vector<json> out;
    const json whole = parse_tolerant(text);
    if (!whole.is_discarded()) {
        add_documents(whole, file, out);
        return out;
    }
    std::size_t begin = 0, line = 0;
    while (begin < text.size()) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string part = text.substr(begin, end - begin);
        begin = end + 1;
        ++line;
        if (part.find_first_not_of(" \t\r") == std::string::npos) {
            continue;
        }
        const json parsed = parse_tolerant(part);
        if (parsed.is_discarded()) {
            throw Error(ExitCode::data,
                        "'" + printable(file) + "' line " + std::to_string(line) +
                            ": neither the file nor the line is JSON");
        }
        add_documents(parsed, file, out);
    }
    return out;
}

}  // namespace xpcs::portal
