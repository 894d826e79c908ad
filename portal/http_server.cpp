// SPDX-License-Identifier: BSD-3-Clause
#include "portal/http_server.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace xpcs::portal {

namespace {

using Clock = std::chrono::steady_clock;

constexpr double longest_wait_s = 10;  ///< for a byte
constexpr std::size_t portion_bytes = 65536;
/// Of an answer, in the kernel: what lies there is not yet taken.
constexpr int kernel_bytes = 1 << 18;
constexpr std::size_t most_request_bytes = 1'500'000;  ///< the library counts no headers

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A connection. All requests on it go through the one buffer.
class ClientStream : public httplib::Stream {
  public:
    ClientStream(socket_t socket, double patience_s) : socket_(socket), patience_s_(patience_s) {
        setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &kernel_bytes, sizeof kernel_bytes);
        // The library writes head and body apart: the body would wait 40 ms for the client's
        // acknowledgement of the head.
        const int yes = 1;
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    }

    /// Whether a request begins within `idle_s`; its time runs from here. `stopping` ends the wait.
    template <class Stopping>
    bool next_request(double idle_s, Stopping stopping) {
        const auto start = Clock::now();
        while (taken_ == filled_ && !given_up_ && !ready(POLLIN, 0.2)) {
            if (stopping() || seconds_since(start) > idle_s) {
                return false;
            }
        }
        began_ = Clock::now();
        read_ = 0;
        waited_s_ = 0;
        written_ = 0;
        return !given_up_;
    }

    bool is_readable() const override {
        return taken_ < filled_ || ready(POLLIN, read_time_left_s());
    }
    /// Also false if the client has hung up.
    bool is_writable() const override {
        char byte = 0;
        return ready(POLLOUT, longest_wait_s) &&
               recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
    }
    ssize_t read(char* to, std::size_t size) override {
        if (read_ > most_request_bytes) {
            return give_up();
        }
        if (taken_ == filled_) {
            if (!ready(POLLIN, read_time_left_s())) {
                return give_up();
            }
            const ssize_t got = recv(socket_, buffer_.data(), buffer_.size(), 0);
            if (got <= 0) {
                return got;
            }
            taken_ = 0;
            filled_ = static_cast<std::size_t>(got);
        }
        const std::size_t n = std::min(size, filled_ - taken_);
        std::memcpy(to, buffer_.data() + taken_, n);
        taken_ += n;
        read_ += n;
        return static_cast<ssize_t>(n);
    }
    /// All, or -1.
    ssize_t write(const char* from, std::size_t size) override {
        for (std::size_t done = 0; done < size;) {
            if (!wait_to_write()) {
                return give_up();
            }
            const ssize_t sent =
                send(socket_, from + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent < 0 && errno != EINTR && errno != EAGAIN) {
                return give_up();
            }
            const auto taken = static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
            done += taken;
            written_ += taken;
        }
        return static_cast<ssize_t>(size);
    }
    void get_remote_ip_and_port(std::string& ip, int& port) const override {
        name_of(getpeername, ip, port);
    }
    void get_local_ip_and_port(std::string& ip, int& port) const override {
        name_of(getsockname, ip, port);
    }
    socket_t socket() const override { return socket_; }

  private:
    bool ready(short events, double wait_s) const {
        pollfd one{socket_, events, 0};
        int found = -1;
        do {
            found = poll(&one, 1, static_cast<int>(1e3 * std::max(0.0, wait_s)));
        } while (found < 0 && errno == EINTR);
        return found > 0;
    }
    double read_time_left_s() const {
        return std::min(longest_wait_s, patience_s_ - seconds_since(began_));
    }
    /// Nothing more is heard on this connection: what comes next may be the rest of what was cut.
    ssize_t give_up() {
        given_up_ = true;
        return -1;
    }
    bool wait_to_write() {
        if (written_ > portion_bytes) {
            waited_s_ = 0;
            written_ = 0;
        }
        const auto start = Clock::now();
        const bool good = waited_s_ < patience_s_ && ready(POLLOUT, patience_s_ - waited_s_);
        waited_s_ += seconds_since(start);
        return good;
    }
    template <class Call>
    void name_of(Call call, std::string& ip, int& port) const {
        sockaddr_storage address{};
        socklen_t n = sizeof address;
        std::array<char, NI_MAXHOST> host{};
        std::array<char, NI_MAXSERV> service{};
        auto* plain = reinterpret_cast<sockaddr*>(&address);
        if (call(socket_, plain, &n) == 0 && getnameinfo(plain,
                                                         n,
                                                         host.data(),
                                                         host.size(),
                                                         service.data(),
                                                         service.size(),
                                                         NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
            ip = host.data();
            port = std::atoi(service.data());
        }
    }

    socket_t socket_;
    double patience_s_;
    Clock::time_point began_ = Clock::now();
    std::array<char, 16384> buffer_{};
    std::size_t taken_ = 0, filled_ = 0;
    std::size_t read_ = 0;     ///< of the request
    double waited_s_ = 0;      ///< since the last portion of the answer
    std::size_t written_ = 0;  ///< of the next one
    bool given_up_ = false;
};

}  // namespace

bool HttpServer::process_and_close_socket(socket_t socket) {
    ClientStream stream(socket, patience_s);
    const auto stopping = [this] { return svr_sock_ == INVALID_SOCKET; };
    bool good = false;
    for (std::size_t left = keep_alive_max_count_; left > 0; --left) {
        bool closed = false;
        if (!stream.next_request(static_cast<double>(keep_alive_timeout_sec_), stopping)) {
            break;
        }
        // The library would believe any range, beyond the end of a file or a thousand times the
        // same: files look at the header themselves, everything else is answered whole.
        good = process_request(
            stream, left == 1, closed, [](httplib::Request& request) { request.ranges.clear(); });
        if (!good || closed) {
            break;
        }
    }
    ::shutdown(socket, SHUT_RDWR);
    ::close(socket);
    return good;
}

}  // namespace xpcs::portal
