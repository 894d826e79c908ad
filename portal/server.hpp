// SPDX-License-Identifier: BSD-3-Clause
// xpcs-portal serve: pages and JSON over HTTP.
//
// Records are filtered by visible_to; files come from below the root and only if a record lists
// them. What writes needs a session of an operator and its token. A request is at most 1 MB; slow
// clients are dropped, see http_server.hpp.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace xpcs::portal {

struct ServeOptions {
    std::string catalogue;
    std::string root;
    std::string bind = "127.0.0.1";
    int port = 8080;   ///< 0: any that is free
    std::string auth;  ///< file of users; "": nobody signs in, nothing can be started
    std::string jobgen = "xpcs-jobgen";
    std::vector<std::string> deployments;
    std::vector<std::string> hosts;  ///< further names under which the portal is reached
    double patience_s = 20;          ///< with slow clients, see http_server.hpp
};

class Server {
  public:
    /// Opens catalogue, root and users. Throws Error.
    explicit Server(const ServeOptions& options);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Binds; the port. Throws Error (unavailable).
    int bind();
    /// Serves until stop().
    void run();
    void stop();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace xpcs::portal
