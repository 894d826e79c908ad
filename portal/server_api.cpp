// SPDX-License-Identifier: BSD-3-Clause
// JSON under /api, as web/openapi.json describes it, and the stream of events.
#include "portal/assets.hpp"
#include "portal/report_json.hpp"
#include "portal/server_state.hpp"

#include <algorithm>

namespace xpcs::portal {

namespace {

constexpr int most_streams = 48;  ///< event streams hold a thread each

json hit_json(const Hit& hit) {
    const auto value = [](std::optional<double> v) { return v ? json(*v) : json(nullptr); };
    json out{{"id", hit.id},
             {"subject", hit.subject},
             {"version", hit.version},
             {"title", hit.title},
             {"start", hit.start},
             {"relaxation_time_s", value(hit.relaxation_time_s)},
             {"contrast", value(hit.contrast)},
             {"intensity", value(hit.intensity)},
             {"temperature_K", value(hit.temperature_K)}};
    for (std::size_t k = 0; k < n_facets; ++k) {
        out[facet_names[k]] = hit.facets[k];
    }
    return out;
}

std::string result_of(const Stored& record) {
    for (const RecordFile& file : files_of(record)) {
        if (file.relative.ends_with("_results.hdf") || file.relative.ends_with("_results.h5")) {
            return file.relative;
        }
    }
    return "";
}

}  // namespace

std::string CurveCache::get(const std::string& path) {
    constexpr std::size_t most = 100;
    const std::lock_guard lock(mutex_);
    const auto written = std::filesystem::last_write_time(path);
    const auto bytes = static_cast<std::int64_t>(std::filesystem::file_size(path));
    Entry& entry = entries_[path];
    if (entry.text.empty() || entry.written != written || entry.bytes != bytes) {
        entry = {bytes, written, ""};
        entry.text = dump_text(curves_json(gather_curves(path, false)));
    }
    std::string text = entry.text;
    if (entries_.size() > most) {
        entries_.clear();
    }
    return text;
}

void Server::State::api_routes() {
    const auto send = [](Response& response, const json& value) {
        response.set_content(dump_text(value), "application/json");
    };
    const auto missing = [](Response& response) {
        response.status = 404;
        response.set_content("{\"error\":\"no such record\"}", "application/json");
    };
    http.Get("/api/openapi.json", [](const Request&, Response& response) {
        const std::string_view text = assets::openapi();
        response.set_content(text.data(), text.size(), "application/json");
    });
    http.Get("/api/search", [this, send](const Request& request, Response& response) {
        const Answer answer = Loan(pool)->search(query_of(request), viewer_of(request));
        json hits = json::array(), facets = json::object();
        for (const Hit& hit : answer.hits) {
            hits.push_back(hit_json(hit));
        }
        for (std::size_t k = 0; k < n_facets; ++k) {
            json values = json::array();
            for (std::size_t i = 0; i < std::min<std::size_t>(100, answer.facets[k].size()); ++i) {
                values.push_back({answer.facets[k][i].first, answer.facets[k][i].second});
            }
            facets[facet_names[k]] = values;
        }
        send(response, {{"total", answer.total}, {"hits", hits}, {"facets", facets}});
    });
    http.Get(R"(/api/record/(\d{1,15}))",
             [this, send, missing](const Request& request, Response& response) {
                 const auto record = record_of(request);
                 record ? send(response, record->document) : missing(response);
             });
    http.Get(R"(/api/versions/(\d{1,15}))",
             [this, send, missing](const Request& request, Response& response) {
                 const auto record = record_of(request);
                 if (!record) {
                     return missing(response);
                 }
                 const Viewer viewer = viewer_of(request);
                 const std::string& subject = record->hit.subject;
                 json versions = json::array(), reprocessed = json::array();
                 for (const Hit& hit : Loan(pool)->versions(subject, viewer)) {
                     versions.push_back(hit_json(hit));
                 }
                 for (const Hit& hit : Loan(pool)->reprocessed(subject, viewer)) {
                     reprocessed.push_back(hit_json(hit));
                 }
                 send(response, {{"versions", versions}, {"reprocessed", reprocessed}});
             });
    http.Get(R"(/api/curves/(\d{1,15}))",
             [this, send, missing](const Request& request, Response& response) {
                 const auto record = record_of(request);
                 const auto path =
                     record ? root.file_of(*record, result_of(*record)) : std::nullopt;
                 if (!path) {
                     return missing(response);
                 }
                 response.set_content(curves.get(*path), "application/json");
             });
    http.Get(R"(/api/jobs/(\d{1,9}))",
             [this, send, missing](const Request& request, Response& response) {
                 const auto session = context_of(request).session;
                 if (!session || session->role != Role::operator_) {
                     response.status = 403;
                     return send(response, {{"error", "operators only"}});
                 }
                 const JobState state = jobs.state(whole(request.matches[1]));
                 if (state.state.empty()) {
                     return missing(response);
                 }
                 send(response,
                      {{"state", state.state},
                       {"log", state.log},
                       {"run", state.run},
                       {"ended", state.ended}});
             });
    http.Get("/api/events", [this](const Request&, Response& response) {
        if (streams.fetch_add(1) >= most_streams) {
            --streams;
            response.status = 503;
            return;
        }
        const auto told = std::make_shared<std::int64_t>(-1);
        const auto beats = std::make_shared<int>(0);
        response.set_chunked_content_provider(
            "text/event-stream",
            [this, told, beats](std::size_t, httplib::DataSink& sink) {
                if (stopping) {
                    return false;
                }
                const std::int64_t now = Loan(pool)->change();
                std::string text;
                if (now != *told) {
                    text = "event: change\ndata: " + std::to_string(now) + "\n\n";
                    *told = now;
                } else if (++*beats % 10 == 0) {
                    text = ": still here\n\n";
                }
                if (!text.empty() && !sink.write(text.data(), text.size())) {
                    return false;
                }
                std::this_thread::sleep_for(std::chrono::milliseconds(1000));
                return true;
            },
            [this](bool) { --streams; });
    });
}

}  // namespace xpcs::portal
