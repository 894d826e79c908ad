// SPDX-License-Identifier: BSD-3-Clause
#include "portal/server.hpp"

#include "host/errors.hpp"
#include "host/log.hpp"
#include "host/text.hpp"
#include "portal/server_state.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <charconv>

namespace xpcs::portal {

namespace {

constexpr std::size_t n_threads = 96;

constexpr const char* page_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
void add_header(Response& response, const char* name, const std::string& value) {
    if (!response.has_header(name)) {
        response.set_header(name, value);
    }
}

}  // namespace

std::int64_t whole(const std::string& text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && value >= 0 ? value : -1;
}

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
bool Server::State::known_host(const std::string& host_and_port) const {
    const std::size_t end =
        host_and_port.starts_with("[") ? host_and_port.find(']') + 1 : host_and_port.find(':');
    const std::string host = host_and_port.substr(0, end);
    return host == "127.0.0.1" || host == "localhost" || host == "[::1]" || host == options.bind ||
           std::find(options.hosts.begin(), options.hosts.end(), host) != options.hosts.end();
}

/// A page of another site that sends its visitor's browser here. SameSite keeps the cookie out of
/// such requests; this keeps out those that need none, above all signing in under another's name.
bool Server::State::from_elsewhere(const Request& request) const {
    if (request.method == "GET" || request.method == "HEAD" || !request.has_header("Origin")) {
        return false;
    }
    const std::string origin = request.get_header_value("Origin");
    const std::size_t scheme = origin.find("://");
    return scheme == std::string::npos || !known_host(origin.substr(scheme + 3));
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

std::optional<Stored> Server::State::record_of(const Request& request) {
    const std::int64_t id = whole(request.matches[1]);
    return id < 0 ? std::nullopt : Loan(pool)->get(id, viewer_of(request));
}

void Server::State::routes() {
    http.set_pre_routing_handler([this](const Request& request, Response& response) {
        if (!known_host(request.get_header_value("Host")) || request.target.size() > 8000) {
            response.status = 400;
            response.set_content("unknown host or too long a request\n", "text/plain");
            return httplib::Server::HandlerResponse::Handled;
        }
        if (from_elsewhere(request)) {
            response.status = 403;
            response.set_content("a form of another site\n", "text/plain");
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
        [](const Request& request, Response& response, const std::exception_ptr& thrown) {
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

Server::Server(const ServeOptions& options) : state_(std::make_unique<State>(options)) {
    HttpServer& http = state_->http;
    // The library's server takes it over. NOLINTNEXTLINE(cppcoreguidelines-owning-memory)
    http.new_task_queue = [] { return new httplib::ThreadPool(n_threads); };
    http.patience_s = options.patience_s;
    http.set_keep_alive_timeout(5);
    http.set_payload_max_length(1'000'000);
    http.set_socket_options([state = state_.get()](socket_t socket) {
        const int yes = 1;
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        state->socket = socket;
    });
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
    // The library lets five wait; a crowd that comes at once would be told to try again later.
    ::listen(state.socket, 512);
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
