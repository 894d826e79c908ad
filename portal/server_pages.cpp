// SPDX-License-Identifier: BSD-3-Clause
// Pages that look: search, run, comparison, experiment.
#include "portal/server_state.hpp"

#include <algorithm>

namespace xpcs::portal {

Query query_of(const Request& request) {
    Query query;
    query.words = request.get_param_value("q").substr(0, 500);
    for (std::size_t k = 0; k < n_facets; ++k) {
        const std::size_t n =
            std::min<std::size_t>(50, request.get_param_value_count(facet_names[k]));
        for (std::size_t i = 0; i < n; ++i) {
            query.facets[k].insert(request.get_param_value(facet_names[k], i).substr(0, 300));
        }
    }
    query.from = request.get_param_value("from").substr(0, 10);
    query.to = request.get_param_value("to").substr(0, 10);
    const std::string sort = request.get_param_value("sort");
    query.sort = sort == "oldest" || sort == "title" || sort == "relevance" ? sort : "newest";
    query.offset = std::max<std::int64_t>(0, whole(request.get_param_value("offset")));
    const std::int64_t limit = whole(request.get_param_value("limit"));
    query.limit = limit > 0 ? std::min<std::int64_t>(limit, 200) : 24;
    return query;
}

void Server::State::page_routes() {
    http.Get("/", [this](const Request& request, Response& response) {
        const Query query = query_of(request);
        const Answer answer = Loan(pool)->search(query, viewer_of(request));
        send_page(request, response, "Runs", search_body(context_of(request), query, answer));
    });
    http.Get(R"(/run/(\d{1,15}))", [this](const Request& request, Response& response) {
        const auto record = record_of(request);
        if (!record) {
            return not_found(request, response);
        }
        const Viewer viewer = viewer_of(request);
        Relatives relatives;
        {
            Loan catalogue(pool);
            relatives.versions = catalogue->versions(record->hit.subject, viewer);
            relatives.reprocessed = catalogue->reprocessed(record->hit.subject, viewer);
            const std::string source = fields_of(record->document).source;
            if (const auto found = catalogue->latest(source, viewer)) {
                relatives.source.push_back(found->hit);
            }
        }
        const bool report = root.file_of(*record, named_file(*record, "summary.html")).has_value();
        send_page(request,
                  response,
                  record->hit.title,
                  run_body(context_of(request), *record, relatives, report));
    });
    http.Get("/compare", [this](const Request& request, Response& response) {
        std::vector<Hit> runs;
        const std::size_t chosen = request.get_param_value_count("run");
        const std::size_t n = std::min(most_compared, chosen);
        for (std::size_t i = 0; i < n; ++i) {
            const auto record =
                Loan(pool)->get(whole(request.get_param_value("run", i)), viewer_of(request));
            if (record) {
                runs.push_back(record->hit);
            }
        }
        runs.empty() ? not_found(request, response)
                     : send_page(request, response, "Compare", compare_body(runs, chosen));
    });
    http.Get("/experiment", [this](const Request& request, Response& response) {
        const std::string name = request.get_param_value("name").substr(0, 300);
        Query query;
        query.facets[facet_experiment].insert(name);
        query.limit = 1000;
        Answer answer = Loan(pool)->search(query, viewer_of(request));
        // Of very many, those that were measured last; as time went.
        std::reverse(answer.hits.begin(), answer.hits.end());
        answer.hits.empty()
            ? not_found(request, response)
            : send_page(request, response, name, experiment_body(name, answer.hits, answer.total));
    });
}

}  // namespace xpcs::portal
