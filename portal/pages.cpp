// SPDX-License-Identifier: BSD-3-Clause
#include "portal/pages.hpp"

#include "host/text.hpp"
#include "portal/assets.hpp"
#include "portal/page_parts.hpp"
#include "portal/report_json.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace xpcs::portal {

namespace {

std::string number(std::optional<double> value, const char* unit) {
    return value ? fmt::format("{:.3g}{}", *value, unit) : "";
}

std::string facet_list(const Query& query, const Answer& answer) {
    std::string out = "<aside class=\"card facets\" aria-label=\"Facets\"><h2>Narrow down</h2>";
    for (std::size_t k = 0; k < n_facets; ++k) {
        const auto& values = answer.facets[k];
        const auto chosen = query.facets.find(k);
        const bool any = chosen != query.facets.end() && !chosen->second.empty();
        if (values.empty() && !any) {
            continue;
        }
        out += fmt::format(
            "<details {}><summary>{}</summary><ul>", any || k < 4 ? "open" : "", facet_names[k]);
        for (std::size_t i = 0; i < std::min<std::size_t>(values.size(), 50); ++i) {
            const auto& [value, count] = values[i];
            const bool on = any && chosen->second.count(value) > 0;
            Query other = query;
            other.offset = 0;
            on ? void(other.facets[k].erase(value)) : void(other.facets[k].insert(value));
            out += fmt::format("<li><a href=\"/?{}\"{}>{}</a><span class=\"n\">{}</span></li>",
                               escape(query_link(other)),
                               on ? " aria-current=\"true\"" : "",
                               escape(value),
                               count);
        }
        out += "</ul></details>";
    }
    return out + "</aside>";
}

std::string run_card(const Hit& hit) {
    std::string line;
    for (const std::size_t k : {facet_sample, facet_analysis, facet_detector, facet_experiment}) {
        if (!hit.facets[k].empty()) {
            line += (line.empty() ? "" : " · ") + hit.facets[k];
        }
    }
    const std::string tau = number(hit.relaxation_time_s, " s");
    return fmt::format(
        "<li class=\"card run\"><img loading=\"lazy\" alt=\"\" src=\"/preview/{0}\"><div "
        "class=\"what\">"
        "<a href=\"/run/{0}\">{1}</a><span>{2}</span><span>{3}</span><span>{4}</span>"
        "<label><input type=\"checkbox\" name=\"run\" value=\"{0}\"> choose</label></div></li>",
        hit.id,
        escape(hit.title),
        escape(hit.start.substr(0, 16)),
        escape(line),
        escape((tau.empty() ? "" : "τ = " + tau) +
               (hit.version > 1 ? fmt::format(" · version {}", hit.version) : "")));
}

std::string pages_links(const Query& query, std::int64_t total) {
    std::string out = "<nav class=\"pages\" aria-label=\"Pages\">";
    const std::int64_t pages = (total + query.limit - 1) / std::max<std::int64_t>(1, query.limit);
    const auto link = [&](std::int64_t offset, const char* text) {
        Query other = query;
        other.offset = offset;
        out += fmt::format("<a href=\"/?{}\">{}</a>", escape(query_link(other)), text);
    };
    if (query.offset > 0) {
        link(std::max<std::int64_t>(0, query.offset - query.limit), "‹ previous page");
    }
    if (pages > 1) {
        out += fmt::format("<span>page {} of {}</span>", query.offset / query.limit + 1, pages);
    }
    if (query.offset + query.limit < total) {
        link(query.offset + query.limit, "next page ›");
    }
    return out + "</nav>";
}

std::string user_part(const PageContext& context) {
    if (!context.session) {
        return context.has_users ? "<a href=\"/login\">Sign in</a>" : "";
    }
    return fmt::format("{}<span>{} ({})</span><form method=\"post\" "
                       "action=\"/logout\">{}<button>Sign out</button></form>",
                       is_operator(context) ? "<a href=\"/jobs\">Reprocessings</a>" : "",
                       escape(context.session->user),
                       context.session->role == Role::operator_ ? "operator" : "viewer",
                       hidden("csrf", context.session->csrf));
}

}  // namespace

std::string url_encode(const std::string& text) {
    constexpr const char* digits = "0123456789ABCDEF";
    std::string out;
    for (const unsigned char c : text) {
        if (std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '~' || c == '/') {
            out += static_cast<char>(c);
        } else {
            (out += '%') += digits[c >> 4];
            out += digits[c & 15];
        }
    }
    return out;
}

std::string query_link(const Query& query) {
    std::string out;
    const auto add = [&](const std::string& name, const std::string& value) {
        out += (out.empty() ? "" : "&") + name + "=" + url_encode(value);
    };
    if (!query.words.empty()) {
        add("q", query.words);
    }
    for (const auto& [facet, values] : query.facets) {
        for (const std::string& value : values) {
            add(facet_names[facet], value);
        }
    }
    if (!query.from.empty()) {
        add("from", query.from);
    }
    if (!query.to.empty()) {
        add("to", query.to);
    }
    if (query.sort != "newest") {
        add("sort", query.sort);
    }
    if (query.limit != Query{}.limit) {
        add("limit", std::to_string(query.limit));
    }
    if (query.offset > 0) {
        add("offset", std::to_string(query.offset));
    }
    return out;
}

std::string page(const PageContext& context, const std::string& title, const Html& body) {
    TemplateValues values;
    values.text("title", printable(title, 200))
        .html("user", {user_part(context)})
        .html("body", body);
    return fill_template(assets::page_template(), values);
}

Html search_body(const PageContext& context, const Query& query, const Answer& answer) {
    std::string out = "<form class=\"search\" action=\"/\" role=\"search\">";
    out += fmt::format("<input type=\"search\" name=\"q\" value=\"{}\" placeholder=\"Search runs\" "
                       "aria-label=\"Words\">",
                       escape(query.words));
    for (const auto& [facet, values] : query.facets) {
        for (const std::string& value : values) {
            out += hidden(facet_names[facet], value);
        }
    }
    out +=
        fmt::format("<label>from <input type=\"date\" name=\"from\" value=\"{}\"></label><label>to "
                    "<input type=\"date\" name=\"to\" value=\"{}\"></label>",
                    escape(query.from),
                    escape(query.to));
    out += "<label>sort <select name=\"sort\">";
    for (const char* order : {"newest", "oldest", "title", "relevance"}) {
        out += option(order, order, query.sort);
    }
    out += "</select></label><button class=\"primary\">Search</button></form>";
    out += "<div class=\"layout\" data-live>" + facet_list(query, answer) + "<div>";
    out += fmt::format(
        "<form id=\"choose\" action=\"/compare\"><div class=\"row\"><strong "
        "id=\"total\">{} {}</strong><button>Compare chosen</button>{}<span "
        "id=\"choose-note\" role=\"status\"></span>",
        answer.total,
        answer.total == 1 ? "run" : "runs",
        is_operator(context) ? "<button formaction=\"/reprocess\">Reprocess chosen</button>" : "");
    const auto experiment = query.facets.find(facet_experiment);
    if (experiment != query.facets.end() && experiment->second.size() == 1) {
        out += fmt::format("<a href=\"/experiment?name={}\">Trends of this experiment</a>",
                           escape(url_encode(*experiment->second.begin())));
    }
    out += "</div><ul class=\"runs\">";
    for (const Hit& hit : answer.hits) {
        out += run_card(hit);
    }
    out += "</ul></form>" + pages_links(query, answer.total) + "</div></div>";
    return {out};
}

namespace {

std::string run_facts(const Hit& hit) {
    std::string out = "<section class=\"card half\"><h2>Run</h2><dl class=\"facts\">";
    for (std::size_t k = 0; k < n_facets; ++k) {
        if (!hit.facets[k].empty()) {
            out += fmt::format("<div><dt>{}</dt><dd><a href=\"/?{}={}\">{}</a></dd></div>",
                               facet_names[k],
                               facet_names[k],
                               escape(url_encode(hit.facets[k])),
                               escape(hit.facets[k]));
        }
    }
    return out + "</dl></section>";
}

std::string version_list(const Hit& hit, const Relatives& relatives) {
    std::string out = "<section class=\"card half\" data-live=\"versions\"><h2>Versions</h2><ul>";
    for (const Hit& version : relatives.versions) {
        out += fmt::format("<li><a href=\"/run/{}\"{}>version {}</a>, {}</li>",
                           version.id,
                           version.id == hit.id ? " aria-current=\"true\"" : "",
                           version.version,
                           escape(version.ingested));
    }
    out += "</ul>";
    const auto list = [&](const char* title, const std::vector<Hit>& hits) {
        if (hits.empty()) {
            return;
        }
        out += fmt::format("<h3>{}</h3><ul>", title);
        for (const Hit& other : hits) {
            out += fmt::format("<li><a href=\"/run/{}\">{}</a>, q-map {}, {} · <a "
                               "href=\"/compare?run={}&amp;run={}\">compare</a></li>",
                               other.id,
                               escape(other.title),
                               escape(other.facets[facet_qmap]),
                               escape(other.ingested),
                               hit.id,
                               other.id);
        }
        out += "</ul>";
    };
    list("Reprocessed from", relatives.source);
    list("Reprocessed as", relatives.reprocessed);
    return out + "</section>";
}

}  // namespace

Html run_body(const PageContext& context,
              const Stored& record,
              const Relatives& relatives,
              bool has_report) {
    const Hit& hit = record.hit;
    std::string out = fmt::format("<h1>{}</h1>", escape(hit.title));
    if (!record.latest) {
        out += "<p class=\"finding note\">This is an old version.</p>";
    }
    out += "<div class=\"row\">";
    if (!hit.facets[facet_experiment].empty()) {
        out += fmt::format("<a href=\"/experiment?name={}\">Experiment {}</a>",
                           escape(url_encode(hit.facets[facet_experiment])),
                           escape(hit.facets[facet_experiment]));
    }
    out += fmt::format("<a href=\"/api/record/{}\">Record (JSON)</a>", hit.id);
    if (is_operator(context)) {
        out += fmt::format("<a class=\"primary\" href=\"/reprocess?run={}\">Reprocess</a>", hit.id);
    }
    out += "</div><div class=\"grid\">" + run_facts(hit) + version_list(hit, relatives) + "</div>";
    if (has_report) {
        out += fmt::format(
            "<div class=\"row\"><a href=\"/report/{0}\">Report on a page of its own</a></div>"
            "<iframe class=\"report\" title=\"Report\" src=\"/report/{0}\" "
            "sandbox=\"allow-scripts\"></iframe>",
            hit.id);
    }
    out += "<section class=\"card\"><h2>Files</h2><div class=\"scroll\"><table><tr><th "
           "class=\"text\">file</th><th>bytes</th></tr>";
    for (const RecordFile& file : files_of(record)) {
        out += fmt::format(
            "<tr><td class=\"text\"><a href=\"/files/{}/{}\">{}</a></td><td>{}</td></tr>",
            hit.id,
            escape(url_encode(file.relative)),
            escape(printable(file.relative, 300)),
            file.bytes);
    }
    out += "</table></div></section><section "
           "class=\"card\"><details><summary>Metadata</summary><pre>" +
           escape(dump_text(member(member(record.document, "content"), "project_metadata"), 2)
                      .substr(0, 200'000)) +
           "</pre></details></section>";
    return {out};
}

Html compare_body(const std::vector<Hit>& runs, std::size_t chosen) {
    std::string ids, list;
    for (const Hit& run : runs) {
        ids += (ids.empty() ? "" : ",") + std::to_string(run.id);
        list +=
            fmt::format("<li><span class=\"swatch\" data-run-swatch></span> <a href=\"/run/{}\" "
                        "data-run-name>{}</a> {}</li>",
                        run.id,
                        escape(run.title),
                        escape(run.start.substr(0, 16)));
    }
    return {fmt::format(
        "<h1>Compare {} {}</h1>{}<section class=\"card\" id=\"compare\" "
        "data-runs=\"{}\"><ul>{}</ul>"
        "<div class=\"controls\"><label>bin <select "
        "id=\"compare-bin\"></select></label><label>offset "
        "<input type=\"range\" id=\"compare-offset\" min=\"0\" max=\"50\" "
        "value=\"0\"></label><label>"
        "<input type=\"checkbox\" id=\"compare-normalise\"> normalised by the fit</label></div>"
        "<div class=\"chart\" id=\"compare-chart\"></div><p class=\"readout\" "
        "id=\"compare-note\"></p>"
        "</section>",
        runs.size(),
        runs.size() == 1 ? "run" : "runs",
        chosen > runs.size() ? fmt::format("<p class=\"finding note\">{} were chosen; at most {} "
                                           "are compared, and only those that exist.</p>",
                                           chosen,
                                           most_compared)
                             : "",
        ids,
        list)};
}

Html experiment_body(const std::string& name, const std::vector<Hit>& runs, std::int64_t total) {
    json list = json::array();
    std::string rows;
    const std::size_t skipped = static_cast<std::size_t>(total) - runs.size();
    const auto value = [](std::optional<double> v) { return v ? json(*v) : json(nullptr); };
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const Hit& run = runs[i];
        list.push_back({{"relaxation_time_s", value(run.relaxation_time_s)},
                        {"contrast", value(run.contrast)},
                        {"intensity", value(run.intensity)},
                        {"temperature_K", value(run.temperature_K)}});
        rows += fmt::format(
            "<tr><td>{}</td><td class=\"text\"><a href=\"/run/{}\">{}</a></td><td>{}</td>"
            "<td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            i + 1,
            run.id,
            escape(run.title),
            escape(run.start.substr(0, 16)),
            number(run.relaxation_time_s, ""),
            number(run.contrast, ""),
            number(run.intensity, ""),
            number(run.temperature_K, ""));
    }
    const auto card = [](const char* title, const char* id) {
        return fmt::format("<section class=\"card half\"><h2>{}</h2><div class=\"chart\" "
                           "id=\"{}\"></div></section>",
                           title,
                           id);
    };
    return {
        fmt::format(
            "<h1>Experiment {}</h1>{}<div class=\"grid\" id=\"trends\" data-live data-runs=\"{}\">",
            escape(name),
            skipped > 0 ? fmt::format("<p class=\"finding note\">The last {} of {} runs.</p>",
                                      runs.size(),
                                      total)
                        : "",
            escape(dump_text(list))) +
        card("Relaxation time at the middle q", "trend-tau") + card("Contrast", "trend-contrast") +
        card("Intensity", "trend-intensity") + card("Temperature", "trend-temperature") +
        "<section class=\"card\"><h2>Runs</h2><div class=\"scroll\"><table><tr><th>no.</th><th "
        "class=\"text\">run</th><th>start</th><th>τ "
        "(s)</th><th>contrast</th><th>intensity</th><th>T "
        "(K)</th></tr>" +
        rows + "</table></div></section></div>"};
}

Html login_body(const std::string& message) {
    return {"<h1>Sign in</h1>" +
            (message.empty()
                 ? std::string()
                 : "<p class=\"finding serious\" role=\"alert\">" + escape(message) + "</p>") +
            "<form class=\"form card\" method=\"post\" action=\"/login\"><label>Name <input "
            "type=\"text\" "
            "name=\"name\" autocomplete=\"username\" required></label><label>Password <input "
            "type=\"password\" name=\"password\" autocomplete=\"current-password\" "
            "required></label><button class=\"primary\">Sign in</button></form>"};
}

Html message_body(const std::string& title, const std::string& text) {
    return {"<h1>" + escape(title) + "</h1><p>" + escape(text) + "</p>"};
}

}  // namespace xpcs::portal
