// SPDX-License-Identifier: BSD-3-Clause
// What needs a session: signing in, reprocessing.
#include "host/errors.hpp"
#include "host/log.hpp"
#include "host/text.hpp"
#include "portal/server_state.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>

namespace xpcs::portal {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_runs = 50;  ///< of one form

/// Options with which the result of a record was made.
json config_of(const Stored& record) {
    const json& project = member(member(record.document, "content"), "project_metadata");
    const json& config = member(project, "/xpcs/multitau/config");
    return config.is_object() ? config : member(project, "/xpcs/twotime/config");
}

}  // namespace

std::optional<Session> Server::State::operator_of(const Request& request, Response& response) {
    auto session = context_of(request).session;
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

/// Runs, and what the form says or, where it says nothing, what their results were made with.
ReprocessForm Server::State::form_of(const Request& request, const std::vector<Stored>& records) {
    const auto given = [&](const char* name, std::size_t i, const std::string& otherwise) {
        return request.get_param_value_count(name) > i
                   ? request.get_param_value(name, i).substr(0, 2000)
                   : otherwise;
    };
    ReprocessForm form;
    for (std::size_t i = 0; i < records.size(); ++i) {
        const Stored& record = records[i];
        const std::string raw = text_of(member(config_of(record), "raw"));
        form.runs.push_back({record.hit.id, record.hit.title, given("raw", i, raw)});
    }
    const json config = config_of(records.front());
    form.qmap = given("qmap", 0, text_of(member(config, "qmap")));
    form.suffix = given("suffix", 0, "again");
    form.type = given("type", 0, "Multitau");
    form.deployment = given("deployment", 0, "local");
    for (const FormOption& option : form_options()) {
        const json& value = member(config, option.config);
        const std::string before = option.config[0] == '\0' || value.is_null() ? option.otherwise
                                   : value.is_boolean() ? std::to_string(int(value.get<bool>()))
                                                        : text_of(value);
        form.options[option.name] = given(option.name, 0, before);
    }
    form.deployments = jobs.deployments();
    form.known_qmaps = known_qmaps(viewer_of(request));
    return form;
}

/// q-maps of the records that lie below the root.
std::vector<std::string> Server::State::known_qmaps(const Viewer& viewer) {
    Query query;
    query.limit = 200;
    std::set<std::string> found;
    Loan catalogue(pool);
    for (const Hit& hit : catalogue->search(query, viewer).hits) {
        const auto record = catalogue->get(hit.id, viewer);
        const std::string path = record ? text_of(member(config_of(*record), "qmap")) : "";
        if (!path.empty() && found.size() < 50 && root.inside(path)) {
            found.insert(path);
        }
    }
    return {found.begin(), found.end()};
}

/// Paths of the form must lie below the root, whoever asks.
JobRequest Server::State::job_of(const ReprocessForm& form, std::size_t run, const Stored& record) {
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
    job.raw = file("raw file", form.runs[run].raw);
    job.qmap = file("q-map", form.qmap);
    job.suffix = form.suffix;
    job.type = form.type;
    job.deployment = form.deployment;
    job.options = option_words(form.options);
    job.title = record.hit.title;
    job.subject = record.hit.subject;
    job.experiment = record.hit.facets[facet_experiment];
    job.cycle = record.hit.facets[facet_cycle];
    job.organisation = record.hit.facets[facet_organisation];
    for (const json& name : member(record.document, "visible_to")) {
        job.visible_to.push_back(text_of(name));
    }
    return job;
}

/// The chosen runs that the visitor may see; each once.
std::vector<Stored> Server::State::chosen_runs(const Request& request) {
    std::vector<Stored> out;
    std::set<std::int64_t> ids;
    const std::size_t n = std::min(most_runs, request.get_param_value_count("run"));
    for (std::size_t i = 0; i < n; ++i) {
        const std::int64_t id = whole(request.get_param_value("run", i));
        const auto record = Loan(pool)->get(id, viewer_of(request));
        if (record && ids.insert(id).second) {
            out.push_back(*record);
        }
    }
    return out;
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
        sessions.log_out(cookie_of(request));  // the browser forgets it now
        response.set_header(
            "Set-Cookie",
            std::string(cookie_name) + "=" + *token +
                "; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200" +
                (request.get_header_value("X-Forwarded-Proto") == "https" ? "; Secure" : ""));
        response.set_redirect("/", 303);
    });
    http.Post("/logout", [this](const Request& request, Response& response) {
        const auto session = context_of(request).session;
        if (session && same_text(session->csrf, request.get_param_value("csrf"))) {
            sessions.log_out(cookie_of(request));
        }
        response.set_redirect("/", 303);
    });
    reprocess_routes();
}

void Server::State::reprocess_routes() {
    const auto send_form =
        [this](const Request& request, Response& response, const ReprocessForm& form) {
            send_page(request, response, "Reprocess", reprocess_body(context_of(request), form));
        };
    // What every step begins with: an operator, and runs that are there.
    using Step = std::function<void(const Request&, Response&, const std::vector<Stored>&)>;
    const auto step = [this](const Step& work) {
        return [this, work](const Request& request, Response& response) {
            if (!operator_of(request, response)) {
                return;
            }
            const std::vector<Stored> records = chosen_runs(request);
            records.empty() ? not_found(request, response) : work(request, response, records);
        };
    };
    http.Get("/reprocess",
             step([this, send_form](const Request& request, Response& response, const auto& runs) {
                 send_form(request, response, form_of(request, runs));
             }));
    http.Post("/reprocess/preview",
              step([this, send_form](const Request& request, Response& response, const auto& runs) {
                  ReprocessForm form = form_of(request, runs);
                  try {
                      for (std::size_t i = 0; i < runs.size(); ++i) {
                          form.script += runs.size() > 1 ? "##### " + runs[i].hit.title + "\n" : "";
                          form.script += jobs.preview(job_of(form, i, runs[i])) + "\n";
                      }
                  } catch (const Error& error) {
                      form.script.clear();
                      form.message = error.what();
                  }
                  send_form(request, response, form);
              }));
    http.Post("/reprocess/submit",
              step([this, send_form](const Request& request, Response& response, const auto& runs) {
                  ReprocessForm form = form_of(request, runs);
                  try {
                      std::vector<JobRequest> wanted;  // all are good, or none is started
                      for (std::size_t i = 0; i < runs.size(); ++i) {
                          wanted.push_back(job_of(form, i, runs[i]));
                      }
                      std::int64_t id = 0;
                      for (const JobRequest& job : wanted) {
                          id = jobs.start(job);
                          Log::info("reprocessing " + std::to_string(id) + " of " +
                                    printable(job.subject, 300) + " started by " +
                                    context_of(request).session->user);
                      }
                      response.set_redirect(
                          wanted.size() > 1 ? "/jobs" : "/jobs/" + std::to_string(id), 303);
                  } catch (const Error& error) {
                      form.message = error.what();
                      send_form(request, response, form);
                  }
              }));
    http.Get("/jobs", [this](const Request& request, Response& response) {
        if (operator_of(request, response)) {
            send_page(request, response, "Reprocessings", jobs_body(jobs.latest()));
        }
    });
    http.Get(R"(/jobs/(\d{1,9}))", [this](const Request& request, Response& response) {
        if (!operator_of(request, response)) {
            return;
        }
        const std::int64_t id = whole(request.matches[1]);
        const JobState state = jobs.state(id);
        state.state.empty() ? not_found(request, response)
                            : send_page(request, response, "Reprocessing", job_body(id, state));
    });
}

}  // namespace xpcs::portal
