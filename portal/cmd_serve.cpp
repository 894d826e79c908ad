// SPDX-License-Identifier: BSD-3-Clause
#include "portal/cmd_serve.hpp"

#include "host/errors.hpp"
#include "host/stop.hpp"
#include "host/text.hpp"
#include "portal/command_line.hpp"
#include "portal/server.hpp"
#include "portal/stopping.hpp"
#include "portal/users.hpp"

#include <termios.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <sstream>
#include <thread>

namespace xpcs::portal {

namespace {

constexpr const char* serve_help =
    "usage: xpcs-portal serve --catalogue FILE --root DIR [options]\n"
    "\n"
    "Shows a catalogue in the browser. Prints the address and serves until it is stopped.\n"
    "\n"
    "  --catalogue FILE    the catalogue; must exist\n"
    "  --root DIR          files outside of it are never opened\n"
    "  --bind ADDRESS      default 127.0.0.1: this machine alone. For others put a proxy with TLS\n"
    "                      in front\n"
    "  --port N            default 8080; 0 takes a free one\n"
    "  --host NAME         a further name under which browsers reach the portal; may be repeated\n"
    "  --auth FILE         users, see `xpcs-portal user`; without it nobody signs in, only public\n"
    "                      records are shown, and nothing can be started\n"
    "  --jobgen PROGRAM    starts reprocessings (default: xpcs-jobgen in PATH)\n"
    "  --deployments FILE  for xpcs-jobgen; may be repeated\n"
    "  -h, --help          this text\n";

constexpr const char* user_help =
    "usage: xpcs-portal user NAME --auth FILE [--role viewer|operator] [--group NAME]...\n"
    "\n"
    "Adds a user, or gives one a new password, which is read from standard input. Only a salted\n"
    "hash (scrypt) is kept. Groups are further names that visible_to of a record may have.\n";

/// Characters typed on a terminal are not shown while it lives.
class NoEcho {
  public:
    NoEcho() : terminal_(isatty(0) == 1) {
        if (!terminal_) return;
        std::cerr << "Password: " << std::flush;
        tcgetattr(0, &old_);
        termios quiet = old_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        tcsetattr(0, TCSANOW, &quiet);
    }
    ~NoEcho() {
        if (!terminal_) return;
        tcsetattr(0, TCSANOW, &old_);
        std::cerr << "\n";
    }
    NoEcho(const NoEcho&) = delete;
    NoEcho& operator=(const NoEcho&) = delete;

  private:
    bool terminal_;
    termios old_{};
};

std::string typed_line() {
    const NoEcho quiet;
    return read_input(0, Input::line);
}

std::string read_password() {
    const std::string password = typed_line();
    if (password.size() < 8 || password.size() > 1000) {
        throw Error(ExitCode::usage, "user: the password must have 8 to 1000 bytes");
    }
    return password;
}

}  // namespace

int cmd_serve(const std::vector<std::string>& args) {
    const CommandLine line("serve",
                           args,
                           {{"--catalogue", "", true},
                            {"--root", "", true},
                            {"--bind", "", true},
                            {"--port", "", true},
                            {"--host", "", true},
                            {"--auth", "", true},
                            {"--jobgen", "", true},
                            {"--deployments", "", true},
                            {"--help", "-h", false}});
    if (line.has("--help")) {
        std::cout << serve_help;
        return 0;
    }
    if (!line.positional().empty()) {
        throw Error(ExitCode::usage,
                    "serve: unexpected word '" + printable(line.positional().front()) + "'");
    }
    ServeOptions options;
    options.catalogue = line.required("--catalogue");
    options.root = line.required("--root");
    options.bind = line.value("--bind", "127.0.0.1");
    options.port = static_cast<int>(line.number("--port", 8080, 0, 65535));
    options.auth = line.value("--auth", "");
    options.jobgen = line.value("--jobgen", "xpcs-jobgen");
    options.deployments = line.values("--deployments");
    options.hosts = line.values("--host");
    Server server(options);
    const int port = server.bind();
    std::cout << "http://" << options.bind << ":" << port << "/" << std::endl;
    std::jthread serving([&server] { server.run(); });
    while (!stop_requested()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    server.stop();
    return 0;
}

int cmd_user(const std::vector<std::string>& args) {
    const CommandLine line("user",
                           args,
                           {{"--auth", "", true},
                            {"--role", "", true},
                            {"--group", "", true},
                            {"--help", "-h", false}});
    if (line.has("--help")) {
        std::cout << user_help;
        return 0;
    }
    User user;
    user.name = line.only_positional("name");
    const std::string file = line.required("--auth");
    const std::string role = line.value("--role", "viewer");
    if (role != "viewer" && role != "operator") {
        throw Error(ExitCode::usage,
                    "user: --role '" + printable(role) + "': viewer or operator is expected");
    }
    user.role = role == "operator" ? Role::operator_ : Role::viewer;
    for (const std::string& group : line.values("--group")) {
        if (group.empty() || group.find_first_of(",\n") != std::string::npos) {
            throw Error(ExitCode::usage,
                        "user: --group '" + printable(group) + "': no comma or line break");
        }
        user.groups.insert(group);
    }
    user.hash = hash_password(read_password());
    write_user(file, user);
    return 0;
}

}  // namespace xpcs::portal
