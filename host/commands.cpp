// SPDX-License-Identifier: BSD-3-Clause
#include "host/commands.hpp"

#include "host/errors.hpp"
#include "host/h5.hpp"
#include "host/log.hpp"
#include "host/text.hpp"
#include "host/version.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <new>
#include <system_error>

namespace xpcs {

namespace {

std::string overview(const std::vector<Command>& commands) {
    std::string out = "Usage: xpcs-corr [COMMAND] [OPTIONS]\n\n"
                      "X-ray photon correlation spectroscopy: from detector files to correlation "
                      "functions.\n\nCommands:\n";
    std::size_t width = 0;
    for (const auto& command : commands) {
        width = std::max(width, command.name.size());
    }
    for (const auto& command : commands) {
        std::string name = command.name;
        name.resize(width + 3, ' ');
        out += "  " + name + command.help + "\n";
    }
    return out + "\n'" + commands.front().name +
           "' is meant if the first argument is an option.\n" +
           "'xpcs-corr help COMMAND' tells its options, 'xpcs-corr --version' the version.\n";
}

const Command& find_command(const std::vector<Command>& commands, const std::string& name) {
    std::vector<std::string> names = {"help"};
    for (const auto& command : commands) {
        if (command.name == name) {
            return command;
        }
        names.push_back(command.name);
    }
    const std::string near = did_you_mean(name, names);
    throw Error(ExitCode::usage,
                "unknown command '" + printable(name, 120) + "'" +
                    (near.empty() ? "; 'xpcs-corr help' lists the commands" : near));
}

int help(const std::vector<Command>& commands, const CommandArgs& args) {
    if (args.size() > 1) {
        throw Error(ExitCode::usage, "help takes one command, not " + std::to_string(args.size()));
    }
    if (args.empty()) {
        std::cout << overview(commands);
        return 0;
    }
    return find_command(commands, args.front()).run({"--help"});
}

int failed(ExitCode code, const std::string& message) {
    Log::error(message);
    return static_cast<int>(code);
}

int flush_stdout(int status) {
    std::cout.flush();
    errno = 0;
    const bool bad = std::fflush(stdout) != 0 || std::ferror(stdout) != 0 || !std::cout;
    if (!bad || errno == EPIPE || status != 0) {
        return status;
    }
    return failed(ExitCode::io,
                  std::string("cannot write to standard output") +
                      (errno != 0 ? std::string(": ") + std::strerror(errno) : ""));
}

int run_guarded(const std::function<int()>& work) {
    try {
        return work();
    } catch (const Error& e) {
        return failed(e.code(), e.what());
    } catch (const std::bad_alloc&) {
        return failed(ExitCode::no_memory, "not enough memory; see --memory");
    } catch (const std::filesystem::filesystem_error& e) {
        return failed(ExitCode::io, e.what());
    } catch (const std::system_error& e) {
        return failed(ExitCode::io, e.what());
    } catch (const std::exception& e) {
        return failed(ExitCode::internal, std::string("internal error: ") + e.what());
    } catch (...) {
        return failed(ExitCode::internal, "internal error of unknown kind");
    }
}

}  // namespace

std::string version_text() {
    return "xpcs-corr " + version() + "\ncommit " + build_commit() + "\nCUDA " + cuda_version() +
           "\nHDF5 " + h5::library_version() + "\n";
}

int dispatch(const std::vector<Command>& commands, const CommandArgs& args) {
    if (args.empty()) {
        std::cerr << overview(commands);
        return static_cast<int>(ExitCode::usage);
    }
    const std::string& first = args.front();
    const CommandArgs rest(args.begin() + 1, args.end());
    if (first == "--version") {
        std::cout << version_text();
        return 0;
    }
    if (first == "--help" || first == "-h" || first == "help") {
        return help(commands, first == "help" ? rest : CommandArgs{});
    }
    if (!first.empty() && first.front() == '-') {
        return commands.front().run(args);
    }
    return find_command(commands, first).run(rest);
}

int guarded(const std::function<int()>& work) {
    return flush_stdout(run_guarded(work));
}

}  // namespace xpcs
