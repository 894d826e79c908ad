// SPDX-License-Identifier: BSD-3-Clause
// The portal's server in this process, over a real connection: raw bytes as a client sends them.
#include "portal/server.hpp"
#include "portal/users.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace xpcs::fuzz {

namespace {

constexpr const char* secret = "THE-SECRET-OUTSIDE-OF-THE-ROOT";

std::string exchange(int port, std::string_view request) {
    const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    std::string answer;
    if (::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
        const timeval patience{20, 0};
        ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        ::send(client, request.data(), request.size(), MSG_NOSIGNAL);
        ::shutdown(client, SHUT_WR);
        char buffer[4096];
        for (ssize_t n = 0; (n = ::recv(client, buffer, sizeof buffer, 0)) > 0;) {
            answer.append(buffer, static_cast<std::size_t>(n));
            if (answer.size() > 4'000'000) break;
        }
    }
    ::close(client);
    return answer;
}

/// A portal with one public and one private record, and a file beside its root.
class Portal {
  public:
    Portal() {
        const std::string base = scratch_directory(), run = base + "/root/run";
        std::filesystem::create_directories(run);
        std::ofstream(base + "/secret") << secret;
        std::ofstream(run + "/a.png") << "picture";
        std::ofstream(run + "/summary.html") << "<p>report";
        portal::write_user(base + "/users",
                           {"ann", portal::Role::operator_, portal::hash_password("right"), {}});
        portal::Catalogue catalogue(base + "/http.db", true);
        const auto document = [&](const char* name, const char* who) {
            const std::string subject = "file://" + run + name;
            return portal::json{{"subject", subject},
                                {"visible_to", {who}},
                                {"content",
                                 {{"dc", {{"titles", {{{"title", name}}}}}},
                                  {"files",
                                   {{{"url", subject + "/a.png"}},
                                    {{"url", subject + "/summary.html"}},
                                    {{"url", subject + "/../../secret"}}}},
                                  {"project_metadata", {{"note", secret}}}}}};
        };
        auto open = document("", "public");
        open["content"].erase("project_metadata");
        catalogue.ingest(open);
        catalogue.ingest(document("-private", "ann"));
        portal::ServeOptions options;
        options.catalogue = base + "/http.db";
        options.root = base + "/root";
        options.auth = base + "/users";
        options.port = 0;
        options.jobgen = "/bin/false";
        server_ = std::make_unique<portal::Server>(options);
        port_ = server_->bind();
        thread_ = std::thread([this] { server_->run(); });
        // Until it answers: the first input must find the same as the thousandth.
        for (int i = 0; exchange(port_, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").empty(); ++i) {
            if (i == 100) found("the portal does not start");
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
    }
    ~Portal() {
        server_->stop();
        thread_.join();
    }
    int port() const { return port_; }

  private:
    std::unique_ptr<portal::Server> server_;
    int port_ = 0;
    std::thread thread_;
};

}  // namespace

void one_input(Bytes input) {
    static Portal portal;
    const std::string_view request = text_of(input);
    // A stream of events has no end.
    if (request.find("vents") != std::string_view::npos) return;
    // A search for it is shown again.
    if (request.find(secret) != std::string_view::npos) return;
    // A password takes long to check, on purpose: one length in eight (the seed's) may try.
    if (request.find("login") != std::string_view::npos && request.size() % 8 != 4) return;
    const std::string answer = exchange(portal.port(), request);
    if (answer.find(secret) != std::string::npos) found("a secret in an answer");
    if (answer.empty()) return;
    if (!answer.starts_with("HTTP/1.")) found("an answer that is none", answer.substr(0, 80));
    if (answer.starts_with("HTTP/1.1 500")) found("the portal failed", answer.substr(0, 80));
}

}  // namespace xpcs::fuzz
