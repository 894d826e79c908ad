// SPDX-License-Identifier: BSD-3-Clause
#include "portal/stopping.hpp"

#include "host/errors.hpp"
#include "host/stop.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace xpcs::portal {

void heed_signals() {
    throw_if_stopped("what is there is whole, the command can be given again");
}

std::string read_input(int file, Input what) {
    std::string text;
    std::array<char, 65536> buffer{};
    while (true) {
        heed_signals();
        // A signal that comes just before the wait does not end it, so no wait is long.
        pollfd waiting{file, POLLIN, 0};
        const int ready = ::poll(&waiting, 1, 200);
        if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
        // A line ends where it ends: what follows is left to others.
        const std::size_t most = what == Input::line ? 1 : buffer.size();
        const ssize_t got = ready < 0 ? -1 : ::read(file, buffer.data(), most);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got < 0) {
            throw Error(ExitCode::io,
                        std::string("standard input cannot be read: ") + std::strerror(errno));
        }
        if (got == 0 || (what == Input::line && buffer[0] == '\n')) return text;
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

}  // namespace xpcs::portal
