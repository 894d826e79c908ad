// SPDX-License-Identifier: BSD-3-Clause
#include "portal/server.hpp"

#include "host/errors.hpp"
#include "host/log.hpp"
#include "host/text.hpp"
#include "portal/assets.hpp"
#include "portal/jobs.hpp"
#include "portal/pages.hpp"
#include "portal/report_json.hpp"

#include <httplib.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <filesystem>
#include <fstream>

namespace xpcs::portal {

namespace {

using httplib::Request;
using httplib::Response;
namespace fs = std::filesystem;

constexpr std::size_t n_threads = 96;
constexpr int most_streams = 48;  ///< event streams hold a thread each
constexpr const char* cookie_name = "xpcs_session";

constexpr const char* page_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// A report carries its own scripts; without an origin these reach nothing of the portal.
constexpr const char* report_policy =
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src "
    "'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors "
    "'self'";
constexpr const char* file_policy = "sandbox; default-src 'none'; frame-ancestors 'none'";

std::int64_t whole(const std::string& text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && value >= 0 ? value : -1;
}

/// Connections for several threads: each is used by one at a time.
class CataloguePool {
  public:
    explicit CataloguePool(std::string path) : path_(std::move(path)) { give(take()); }
    std::unique_ptr<Catalogue> take() {
        {
            const std::lock_guard lock(mutex_);
            if (!idle_.empty()) {
                auto one = std::move(idle_.back());
                idle_.pop_back();
                return one;
            }
        }
        return std::make_unique<Catalogue>(path_);
    }
    void give(std::unique_ptr<Catalogue> one) {
        const std::lock_guard lock(mutex_);
        if (idle_.size() < 8) {
            idle_.push_back(std::move(one));
        }
    }

  private:
    std::string path_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Catalogue>> idle_;
};

class Loan {
  public:
    explicit Loan(CataloguePool& pool) : pool_(pool), one_(pool.take()) {}
    ~Loan() { pool_.give(std::move(one_)); }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    Catalogue* operator->() { return one_.get(); }

  private:
    CataloguePool& pool_;
    std::unique_ptr<Catalogue> one_;
};

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

constexpr const char* openapi = R"({"openapi":"3.0.3",
"info":{"title":"XPCS portal","version":"1"},
"paths":{
"/api/search":{"get":{"summary":"Runs and facets","parameters":[
{"name":"q","in":"query","schema":{"type":"string"}},
{"name":"experiment","in":"query","description":"and every other facet; may be repeated","schema":{"type":"string"}},
{"name":"from","in":"query","schema":{"type":"string","format":"date"}},
{"name":"to","in":"query","schema":{"type":"string","format":"date"}},
{"name":"sort","in":"query","schema":{"type":"string","enum":["newest","oldest","title","relevance"]}},
{"name":"offset","in":"query","schema":{"type":"integer"}},
{"name":"limit","in":"query","schema":{"type":"integer","maximum":200}}],
"responses":{"200":{"description":"total, hits, facets","content":{"application/json":{}}}}}},
"/api/record/{id}":{"get":{"summary":"Document of a run","parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"integer"}}],
"responses":{"200":{"description":"as published","content":{"application/json":{}}},"404":{"description":"no such record for you"}}}},
"/api/curves/{id}":{"get":{"summary":"g2 with errors and fits of a run","parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"integer"}}],
"responses":{"200":{"description":"delay, bins","content":{"application/json":{}}},"404":{"description":"no result here"}}}},
"/api/jobs/{id}":{"get":{"summary":"State of a reprocessing; operators only","parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"integer"}}],
"responses":{"200":{"description":"state, log, run, ended","content":{"application/json":{}}},"403":{"description":"not an operator"}}}},
"/api/events":{"get":{"summary":"Server-sent events: 'change' with a number that grows with the catalogue",
"responses":{"200":{"description":"stream","content":{"text/event-stream":{}}}}}}}}
)";

}  // namespace

struct Server::State {
    explicit State(const ServeOptions& given)
        : options(given), pool(given.catalogue), root(given.root),
          sessions(given.auth.empty() ? std::map<std::string, User>{} : read_users(given.auth)),
          jobs(given.jobgen, given.deployments, given.catalogue) {}

    ServeOptions options;
    CataloguePool pool;
    FileRoot root;
    Sessions sessions;
    Jobs jobs;
    httplib::Server http;
    std::mutex hdf5;  ///< the serial library takes one thread at a time
    std::atomic<int> streams{0};
    std::atomic<bool> stopping{false};
    int port = 0;

    PageContext context_of(const Request& request);
    Viewer viewer_of(const Request& request);
    bool known_host(const Request& request) const;
    void routes();
    void page_routes();
    void file_routes();
    void api_routes();
    void write_routes();
    void send_page(const Request& request,
                   Response& response,
                   const std::string& title,
                   const Html& body,
                   int status = 200);
    void not_found(const Request& request, Response& response);
    bool send_file(Response& response, const std::string& path, const std::string& type);
    std::optional<Stored> record_of(const Request& request);
    std::optional<Session> operator_of(const Request& request, Response& response);
    JobRequest job_of(const Request& request, const Stored& record);
    ReprocessForm form_of(const Request& request, const Stored& record);
};

namespace {

std::string cookie_of(const Request& request) {
    const std::string cookies = request.get_header_value("Cookie");
    const std::string name = std::string(cookie_name) + "=";
    std::size_t at = 0;
    while (at < cookies.size()) {
        const std::size_t end = std::min(cookies.find(';', at), cookies.size());
        const std::size_t begin = cookies.find_first_not_of(' ', at);
        if (begin < end && cookies.compare(begin, name.size(), name) == 0) {
            return cookies.substr(begin + name.size(), end - begin - name.size());
        }
        at = end + 1;
    }
    return "";
}

void add_header(Response& response, const char* name, const std::string& value) {
    if (!response.has_header(name)) {
        response.set_header(name, value);
    }
}

std::string result_of(const Stored& record) {
    for (const RecordFile& file : files_of(record)) {
        if (file.relative.ends_with("_results.hdf") || file.relative.ends_with("_results.h5")) {
            return file.relative;
        }
    }
    return "";
}

std::string named_file(const Stored& record, const std::string& ending) {
    for (const RecordFile& file : files_of(record)) {
        if (file.relative.ends_with(ending)) {
            return file.relative;
        }
    }
    return "";
}

}  // namespace

PageContext Server::State::context_of(const Request& request) {
    const std::string token = cookie_of(request);
    return {token.empty() ? std::nullopt : sessions.find(token), !options.auth.empty()};
}

Viewer Server::State::viewer_of(const Request& request) {
    Viewer viewer;
    if (const auto session = context_of(request).session) {
        viewer.authenticated = true;
        viewer.names = session->groups;
        viewer.names.insert(session->user);
    }
    return viewer;
}

/// A page of another site that points its own name at this machine is refused.
bool Server::State::known_host(const Request& request) const {
    std::string host = request.get_header_value("Host");
    if (host.starts_with("[")) {
        host = host.substr(0, host.find(']') + 1);
    } else {
        host = host.substr(0, host.find(':'));
    }
    return host == "127.0.0.1" || host == "localhost" || host == "[::1]" || host == options.bind ||
           std::find(options.hosts.begin(), options.hosts.end(), host) != options.hosts.end();
}

void Server::State::send_page(const Request& request,
                              Response& response,
                              const std::string& title,
                              const Html& body,
                              int status) {
    response.status = status;
    response.set_content(page(context_of(request), title, body), "text/html; charset=utf-8");
}

void Server::State::not_found(const Request& request, Response& response) {
    send_page(request,
              response,
              "Not found",
              message_body("Not found", "There is no such page, or it is not for you."),
              404);
}

bool Server::State::send_file(Response& response,
                              const std::string& path,
                              const std::string& type) {
    std::error_code error;
    const auto bytes = fs::file_size(path, error);
    auto in = std::make_shared<std::ifstream>(path, std::ios::binary);
    if (error || !*in) {
        return false;
    }
    response.set_content_provider(
        bytes, type.c_str(), [in](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
            std::vector<char> buffer(std::min<std::size_t>(length, 1 << 18));
            in->seekg(static_cast<std::streamoff>(offset));
            in->read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
            return in->gcount() > 0 &&
                   sink.write(buffer.data(), static_cast<std::size_t>(in->gcount()));
        });
    return true;
}

std::optional<Stored> Server::State::record_of(const Request& request) {
    const std::int64_t id = whole(request.matches[1]);
    return id < 0 ? std::nullopt : Loan(pool)->get(id, viewer_of(request));
}

void Server::State::routes() {
    http.set_pre_routing_handler([this](const Request& request, Response& response) {
        if (!known_host(request) || request.target.size() > 8000) {
            response.status = 400;
            response.set_content("unknown host or too long a request\n", "text/plain");
            return httplib::Server::HandlerResponse::Handled;
        }
        return httplib::Server::HandlerResponse::Unhandled;
    });
    http.set_post_routing_handler([](const Request&, Response& response) {
        add_header(response, "Content-Security-Policy", page_policy);
        add_header(response, "X-Content-Type-Options", "nosniff");
        add_header(response, "Referrer-Policy", "same-origin");
        add_header(response, "Cross-Origin-Opener-Policy", "same-origin");
        add_header(response, "Cross-Origin-Resource-Policy", "same-origin");
        add_header(response, "Cache-Control", "no-store");
    });
    http.set_exception_handler(
        [](const Request& request, Response& response, std::exception_ptr thrown) {
            std::string what = "error";
            try {
                std::rethrow_exception(thrown);
            } catch (const std::exception& error) {
                what = error.what();
            } catch (...) {
            }
            // Paths and the like are for the log, not for the visitor.
            Log::error("request " + printable(request.path, 200) + ": " + what);
            response.status = 500;
            response.set_content("The portal could not do this; its log says why.\n", "text/plain");
        });
    page_routes();
    file_routes();
    api_routes();
    write_routes();
    http.set_error_handler([this](const Request& request, Response& response) {
        if (response.status == 404 && response.body.empty()) {
            not_found(request, response);
        }
    });
}

void Server::State::page_routes() {
    http.Get("/", [this](const Request& request, Response& response) {
        const Query query = query_of(request);
        const Answer answer = Loan(pool)->search(query, viewer_of(request));
        send_page(request, response, "Runs", search_body(query, answer));
    });
    http.Get(R"(/run/(\d{1,15}))", [this](const Request& request, Response& response) {
        const auto record = record_of(request);
        if (!record) {
            return not_found(request, response);
        }
        const auto versions = Loan(pool)->versions(record->hit.subject, viewer_of(request));
        const bool report = root.file_of(*record, named_file(*record, "summary.html")).has_value();
        send_page(request,
                  response,
                  record->hit.title,
                  run_body(context_of(request), *record, versions, report));
    });
    http.Get("/compare", [this](const Request& request, Response& response) {
        std::vector<Hit> runs;
        const std::size_t n = std::min<std::size_t>(8, request.get_param_value_count("run"));
        for (std::size_t i = 0; i < n; ++i) {
            const auto record =
                Loan(pool)->get(whole(request.get_param_value("run", i)), viewer_of(request));
            if (record) {
                runs.push_back(record->hit);
            }
        }
        runs.empty() ? not_found(request, response)
                     : send_page(request, response, "Compare", compare_body(runs));
    });
    http.Get("/experiment", [this](const Request& request, Response& response) {
        const std::string name = request.get_param_value("name").substr(0, 300);
        Query query;
        query.facets[facet_experiment].insert(name);
        query.sort = "oldest";
        query.limit = 1000;
        const Answer answer = Loan(pool)->search(query, viewer_of(request));
        answer.hits.empty()
            ? not_found(request, response)
            : send_page(request, response, name, experiment_body(name, answer.hits));
    });
}

void Server::State::file_routes() {
    const auto asset = [this](const char* path, std::string_view text, const char* type) {
        http.Get(path, [text, type](const Request&, Response& response) {
            response.set_header("Cache-Control", "max-age=3600");
            response.set_content(text.data(), text.size(), type);
        });
    };
    asset("/assets/d3.js", assets::d3(), "text/javascript; charset=utf-8");
    asset("/assets/chart.js", assets::chart_script(), "text/javascript; charset=utf-8");
    asset("/assets/portal.js", assets::portal_script(), "text/javascript; charset=utf-8");
    asset("/assets/style.css", assets::style(), "text/css; charset=utf-8");
    asset("/assets/portal.css", assets::portal_style(), "text/css; charset=utf-8");
    http.Get("/favicon.ico", [](const Request&, Response& response) { response.status = 204; });

    http.Get(R"(/preview/(\d{1,15}))", [this](const Request& request, Response& response) {
        const auto record = record_of(request);
        const auto path =
            record ? root.file_of(*record, named_file(*record, "scattering_pattern_log.png"))
                   : std::nullopt;
        response.set_header("Cache-Control", "private, max-age=300");
        response.set_header("Content-Security-Policy", file_policy);
        if (!path || !send_file(response, *path, "image/png")) {
            response.set_content("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 4 3\"/>",
                                 "image/svg+xml");
        }
    });
    http.Get(R"(/report/(\d{1,15}))", [this](const Request& request, Response& response) {
        const auto record = record_of(request);
        const auto path =
            record ? root.file_of(*record, named_file(*record, "summary.html")) : std::nullopt;
        if (!path) {
            return not_found(request, response);
        }
        response.set_header("Content-Security-Policy", report_policy);
        send_file(response, *path, "text/html; charset=utf-8");
    });
    http.Get(R"(/files/(\d{1,15})/(.+))", [this](const Request& request, Response& response) {
        const auto record = record_of(request);
        const auto path = record ? root.file_of(*record, request.matches[2]) : std::nullopt;
        if (!path) {
            return not_found(request, response);
        }
        response.set_header("Content-Security-Policy", file_policy);
        const bool png = path->ends_with(".png");
        if (!png) {
            response.set_header("Content-Disposition", "attachment");
        }
        send_file(response, *path, png ? "image/png" : "application/octet-stream");
    });
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
        response.set_content(openapi, "application/json");
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
    http.Get(R"(/api/curves/(\d{1,15}))",
             [this, send, missing](const Request& request, Response& response) {
                 const auto record = record_of(request);
                 const auto path =
                     record ? root.file_of(*record, result_of(*record)) : std::nullopt;
                 if (!path) {
                     return missing(response);
                 }
                 const std::lock_guard lock(hdf5);
                 send(response, curves_json(gather(*path, false, 0)));
             });
    http.Get(R"(/api/jobs/(\d{1,9}))", [this, send](const Request& request, Response& response) {
        const auto session = context_of(request).session;
        if (!session || session->role != Role::operator_) {
            response.status = 403;
            return send(response, {{"error", "operators only"}});
        }
        const JobState state = jobs.state(whole(request.matches[1]));
        send(response,
             {{"state", state.state},
              {"log", state.log},
              {"run", state.run},
              {"ended", state.ended || state.state.empty()}});
    });
    http.Get("/api/events", [this](const Request&, Response& response) {
        if (streams >= most_streams) {
            response.status = 503;
            return;
        }
        ++streams;
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

std::optional<Session> Server::State::operator_of(const Request& request, Response& response) {
    const auto session = context_of(request).session;
    const bool allowed = session && session->role == Role::operator_;
    const bool token = request.method == "GET" ||
                       (session && same_text(session->csrf, request.get_param_value("csrf")));
    if (!allowed || !token) {
        send_page(request,
                  response,
                  "Not allowed",
                  message_body("Not allowed",
                               allowed ? "The form is too old. Load it again."
                                       : "Only operators may do this. Sign in as one."),
                  403);
        return std::nullopt;
    }
    return session;
}

ReprocessForm Server::State::form_of(const Request& request, const Stored& record) {
    const json& project = member(member(record.document, "content"), "project_metadata");
    const json& config = member(project, "/xpcs/multitau/config").is_object()
                             ? member(project, "/xpcs/multitau/config")
                             : member(project, "/xpcs/twotime/config");
    const auto value = [&](const char* name, const std::string& otherwise) {
        return request.has_param(name) ? request.get_param_value(name).substr(0, 2000) : otherwise;
    };
    ReprocessForm form;
    form.run = record.hit.id;
    form.title = record.hit.title;
    form.raw = value("raw", text_of(member(config, "raw")));
    form.qmap = value("qmap", text_of(member(config, "qmap")));
    form.suffix = value("suffix", "again");
    form.type = value("type", "Multitau");
    form.deployment = value("deployment", "local");
    return form;
}

/// Paths of the form must lie below the root, whoever asks.
JobRequest Server::State::job_of(const Request& request, const Stored& record) {
    const ReprocessForm form = form_of(request, record);
    const auto directory = root.directory_of(record.hit.subject);
    if (!directory || *directory == root.path()) {
        throw Error(ExitCode::usage, "the data set lies not below the portal's root");
    }
    const auto file = [&](const char* what, const std::string& path) {
        const auto found = root.inside(path.starts_with("/") ? path : root.path() + "/" + path);
        if (!found || !fs::is_regular_file(*found)) {
            throw Error(ExitCode::usage,
                        std::string(what) + " '" + printable(path, 300) +
                            "': no such file below the portal's root");
        }
        return *found;
    };
    JobRequest job;
    job.published = *directory;
    job.raw = file("raw file", form.raw);
    job.qmap = file("q-map", form.qmap);
    job.suffix = form.suffix;
    job.type = form.type;
    job.deployment = form.deployment;
    job.subject = record.hit.subject;
    job.experiment = record.hit.facets[facet_experiment];
    job.cycle = record.hit.facets[facet_cycle];
    job.organisation = record.hit.facets[facet_organisation];
    for (const json& name : member(record.document, "visible_to")) {
        job.visible_to.push_back(text_of(name));
    }
    return job;
}

void Server::State::write_routes() {
    http.Get("/login", [this](const Request& request, Response& response) {
        send_page(request, response, "Sign in", login_body(""));
    });
    http.Post("/login", [this](const Request& request, Response& response) {
        const auto token = sessions.log_in(request.get_param_value("name").substr(0, 100),
                                           request.get_param_value("password").substr(0, 1000));
        if (!token) {
            return send_page(request,
                             response,
                             "Sign in",
                             login_body("Name or password is wrong, or there were too many tries."),
                             401);
        }
        response.set_header("Set-Cookie",
                            std::string(cookie_name) + "=" + *token +
                                "; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200");
        response.set_redirect("/", 303);
    });
    http.Post("/logout", [this](const Request& request, Response& response) {
        const auto session = context_of(request).session;
        if (session && same_text(session->csrf, request.get_param_value("csrf"))) {
            sessions.log_out(cookie_of(request));
        }
        response.set_redirect("/", 303);
    });
    const auto record_of_form = [this](const Request& request) {
        return Loan(pool)->get(whole(request.get_param_value("run")), viewer_of(request));
    };
    http.Get("/reprocess", [this, record_of_form](const Request& request, Response& response) {
        if (!operator_of(request, response)) {
            return;
        }
        const auto record = record_of_form(request);
        record ? send_page(request,
                           response,
                           "Reprocess",
                           reprocess_body(context_of(request), form_of(request, *record)))
               : not_found(request, response);
    });
    http.Post(
        "/reprocess/preview", [this, record_of_form](const Request& request, Response& response) {
            if (!operator_of(request, response)) {
                return;
            }
            const auto record = record_of_form(request);
            if (!record) {
                return not_found(request, response);
            }
            ReprocessForm form = form_of(request, *record);
            try {
                form.script = jobs.preview(job_of(request, *record));
            } catch (const Error& error) {
                form.message = error.what();
            }
            send_page(request, response, "Reprocess", reprocess_body(context_of(request), form));
        });
    http.Post(
        "/reprocess/submit", [this, record_of_form](const Request& request, Response& response) {
            const auto session = operator_of(request, response);
            if (!session) {
                return;
            }
            const auto record = record_of_form(request);
            if (!record) {
                return not_found(request, response);
            }
            try {
                const std::int64_t id = jobs.start(job_of(request, *record));
                Log::info("reprocessing " + std::to_string(id) + " of " +
                          printable(record->hit.subject, 300) + " started by " + session->user);
                response.set_redirect("/jobs/" + std::to_string(id), 303);
            } catch (const Error& error) {
                ReprocessForm form = form_of(request, *record);
                form.message = error.what();
                send_page(
                    request, response, "Reprocess", reprocess_body(context_of(request), form));
            }
        });
    http.Get(R"(/jobs/(\d{1,9}))", [this](const Request& request, Response& response) {
        if (!operator_of(request, response)) {
            return;
        }
        const std::int64_t id = whole(request.matches[1]);
        const JobState state = jobs.state(id);
        state.state.empty()
            ? not_found(request, response)
            : send_page(request, response, "Reprocessing", job_body(id, state.state, state.log));
    });
}

Server::Server(const ServeOptions& options) : state_(std::make_unique<State>(options)) {
    httplib::Server& http = state_->http;
    http.new_task_queue = [] { return new httplib::ThreadPool(n_threads); };
    http.set_read_timeout(10);
    http.set_write_timeout(10);
    http.set_keep_alive_timeout(5);
    http.set_payload_max_length(1'000'000);
    state_->routes();
}

Server::~Server() {
    stop();
}

int Server::bind() {
    State& state = *state_;
    const std::string& address = state.options.bind;
    if (state.options.port == 0) {
        state.port = state.http.bind_to_any_port(address);
    } else {
        state.port = state.http.bind_to_port(address, state.options.port) ? state.options.port : -1;
    }
    if (state.port <= 0) {
        throw Error(ExitCode::unavailable,
                    "serve: cannot listen on " + printable(address) + " port " +
                        std::to_string(state.options.port));
    }
    return state.port;
}

void Server::run() {
    state_->http.listen_after_bind();
}

void Server::stop() {
    state_->stopping = true;
    state_->http.stop();
}

}  // namespace xpcs::portal
