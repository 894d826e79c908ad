// SPDX-License-Identifier: BSD-3-Clause
// What the routes of the server share; for server*.cpp only.
#pragma once

#include "portal/http_server.hpp"
#include "portal/jobs.hpp"
#include "portal/pages.hpp"
#include "portal/reprocess_form.hpp"
#include "portal/server.hpp"

#include <httplib.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>

namespace xpcs::portal {

using httplib::Request;
using httplib::Response;

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
        return std::make_unique<Catalogue>(path_, false, index_);
    }
    void give(std::unique_ptr<Catalogue> one) {
        const std::lock_guard lock(mutex_);
        if (idle_.size() < 64) {
            idle_.push_back(std::move(one));
        }
    }

  private:
    std::string path_;
    std::shared_ptr<SharedIndex> index_ = std::make_shared<SharedIndex>();
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

/// Curves of results as JSON, made once for each file as long as it does not change.
class CurveCache {
  public:
    /// Throws what reading a result throws.
    std::string get(const std::string& path);

  private:
    struct Entry {
        std::int64_t bytes = 0;
        std::filesystem::file_time_type written;
        std::string text;
    };
    std::mutex mutex_;  ///< also of HDF5: the serial library takes one thread at a time
    std::map<std::string, Entry> entries_;
};

struct Server::State {
    explicit State(const ServeOptions& given)
        : options(given), pool(given.catalogue), root(given.root), sessions(given.auth),
          jobs(given.jobgen, given.deployments, given.catalogue) {
        Loan(pool)->search({}, {});  // reads the index, so that the first visitor need not wait
    }

    ServeOptions options;
    CataloguePool pool;
    FileRoot root;
    Sessions sessions;
    Jobs jobs;
    HttpServer http;
    CurveCache curves;
    std::atomic<int> streams{0};
    std::atomic<bool> stopping{false};
    int port = 0;
    int socket = -1;  ///< that listens; the HTTP library closes it

    PageContext context_of(const Request& request);
    Viewer viewer_of(const Request& request);
    bool known_host(const std::string& host_and_port) const;
    bool from_elsewhere(const Request& request) const;
    void routes();
    void page_routes();
    void file_routes();
    void api_routes();
    void write_routes();
    void reprocess_routes();
    void send_page(const Request& request,
                   Response& response,
                   const std::string& title,
                   const Html& body,
                   int status = 200);
    void not_found(const Request& request, Response& response);
    bool send_file(const Request& request,
                   Response& response,
                   const std::string& path,
                   const std::string& type);
    std::optional<Stored> record_of(const Request& request);
    std::optional<Session> operator_of(const Request& request, Response& response);
    std::vector<Stored> chosen_runs(const Request& request);
    std::vector<std::string> known_qmaps(const Viewer& viewer);
    JobRequest job_of(const ReprocessForm& form, std::size_t run, const Stored& record);
    ReprocessForm form_of(const Request& request, const std::vector<Stored>& records);
};

constexpr const char* cookie_name = "xpcs_session";

/// A number without sign; -1 for anything else.
std::int64_t whole(const std::string& text);
/// Token of the session cookie, or "".
std::string cookie_of(const Request& request);
/// First listed file whose name ends so, or "".
std::string named_file(const Stored& record, const std::string& ending);
Query query_of(const Request& request);

}  // namespace xpcs::portal
