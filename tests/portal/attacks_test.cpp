// SPDX-License-Identifier: BSD-3-Clause
// What somebody does to a portal who wants it to fail, or to do something for him.
#include "host/errors.hpp"
#include "host/log.hpp"
#include "tests/portal/server_fixture.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <latch>

namespace {

using namespace xpcs;
using namespace xpcs::portal;
using namespace xpcs::portal::testing;
using ::testing::HasSubstr;
using ::testing::Not;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Bytes over TCP, as slowly and as wrong as one likes.
class RawClient {
  public:
    explicit RawClient(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    }
    RawClient(RawClient&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}
    ~RawClient() {
        if (socket_ >= 0) close(socket_);
    }
    /// False once the server has closed.
    bool say(const std::string& text) const {
        return ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) ==
               static_cast<ssize_t>(text.size());
    }
    /// "" if nothing comes within `wait_s`, or nothing more.
    std::string hear(double wait_s, std::size_t most = 4096) const {
        pollfd one{socket_, POLLIN, 0};
        std::string text(most, '\0');
        const bool some = poll(&one, 1, static_cast<int>(1e3 * wait_s)) > 0;
        text.resize(static_cast<std::size_t>(
            std::max<ssize_t>(0, some ? recv(socket_, text.data(), most, 0) : 0)));
        return text;
    }
    bool closed() const {
        pollfd one{socket_, POLLIN, 0};
        std::array<char, 4096> answer;
        while (poll(&one, 1, 0) > 0) {
            if (recv(socket_, answer.data(), answer.size(), MSG_DONTWAIT) <= 0) return true;
        }
        return false;
    }

  private:
    int socket_;
};

class AttackTest : public ServerTest {
  protected:
    static constexpr double patience_s = 1;
    static constexpr int crowd = 110;  ///< more than the server has threads

    /// The server again, less patient, so that the tests are short.
    void SetUp() override {
        ServerTest::SetUp();
        stop();
        start(patience_s);
    }
    /// Everybody says `first` and then a letter ten times a second. All must have been thrown out
    /// soon, and somebody else be served meanwhile.
    void expect_thrown_out(const std::string& first) {
        std::vector<RawClient> slow;
        for (int i = 0; i < crowd; ++i) {
            slow.emplace_back(port_);
            slow.back().say(first);
        }
        std::atomic<bool> served{false};
        std::thread other([&] {
            httplib::Client client("127.0.0.1", port_);
            client.set_read_timeout(20);
            const auto answer = client.Get("/api/search");
            served = answer && answer->status == 200;
        });
        const auto begin = Clock::now();
        int open = crowd;
        while (open > 0 && seconds_since(begin) < 30) {
            open = 0;
            for (const RawClient& client : slow) {
                client.say("x");
                open += client.closed() ? 0 : 1;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
        other.join();
        EXPECT_EQ(open, 0) << "still hold a thread after " << seconds_since(begin) << " s";
        EXPECT_TRUE(served);
    }
};

TEST_F(AttackTest, WhoSendsAByteNowAndThenHoldsNoThread) {
    expect_thrown_out("GET /");
}

TEST_F(AttackTest, WhoSendsABodySlowlyHoldsNoThread) {
    expect_thrown_out("POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000\r\n\r\n");
}

TEST_F(AttackTest, WhoTakesAnAnswerSlowlyHoldsNoThread) {
    constexpr std::uintmax_t large = std::uintmax_t{64} << 20;
    fs::resize_file(root_ + "/run/scattering_pattern_log.png", large);
    const RawClient client(port_);
    client.say("GET /preview/1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    // Something is taken all the time, so that no single wait is long.
    const auto begin = Clock::now();
    std::uintmax_t taken = 0;
    while (seconds_since(begin) < 4 * patience_s) {
        taken += client.hear(1, 256).size();
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    for (std::string more = client.hear(5, 1 << 20); !more.empty();
         more = client.hear(5, 1 << 20)) {
        taken += more.size();
    }
    EXPECT_LT(taken, large) << "the server has waited for it";
    EXPECT_EQ(get("/api/search")->status, 200);
}

TEST_F(AttackTest, AnAnswerInPiecesIsWhole) {
    constexpr std::uintmax_t large = std::uintmax_t{20} << 20;
    fs::resize_file(root_ + "/run/scattering_pattern_log.png", large);
    const auto answer = get("/preview/1");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body.size(), large);
    EXPECT_EQ(answer->body.substr(0, 4), "\x89PNG");
    // Two requests at once on one connection are answered one after the other.
    const RawClient client(port_);
    client.say("GET /favicon.ico HTTP/1.1\r\nHost: localhost\r\n\r\n"
               "GET /favicon.ico HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    std::string heard;
    for (std::string more = client.hear(5); !more.empty(); more = client.hear(5)) {
        heard += more;
    }
    const std::size_t first = heard.find("HTTP/1.1 204");
    ASSERT_NE(first, std::string::npos) << heard;
    EXPECT_NE(heard.find("HTTP/1.1 204", first + 1), std::string::npos) << heard;
}

TEST_F(AttackTest, AnAnswerDoesNotWaitForAcknowledgements) {
    // A body that is sent apart from its head waits 40 ms for the client to acknowledge the head,
    // from the second request of a connection on. A busy machine may be slow, but not every time.
    double least_s = 1;
    for (int k = 0; k < 10; ++k) {
        const RawClient client(port_);
        for (int i = 0; i < 4; ++i) {
            const auto begin = Clock::now();
            client.say("GET /api/search HTTP/1.1\r\nHost: localhost\r\n\r\n");
            std::string answer;
            while (answer.find("\"total\"") == std::string::npos) {
                const std::string more = client.hear(5);
                ASSERT_NE(more, "") << answer;
                answer += more;
            }
            if (i > 0) least_s = std::min(least_s, seconds_since(begin));
        }
    }
    EXPECT_LT(least_s, 0.03);
}

TEST_F(AttackTest, ARequestWithoutEndIsCutOff) {
    const std::string line = "X-Nothing: " + std::string(1000, 'x') + "\r\n";
    for (const std::string& begin :
         {std::string("GET / HTTP/1.1\r\nHost: localhost\r\n"),
          std::string("POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
                      "chunked\r\n\r\n"),
          std::string("POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                      "application/x-www-form-urlencoded\r\nContent-Length: "
                      "99999999999\r\n\r\n")}) {
        const bool chunks = begin.find("chunked") != std::string::npos;
        const std::string more = chunks ? "400\r\n" + std::string(1024, 'x') + "\r\n" : line;
        const RawClient client(port_);
        client.say(begin);
        std::size_t sent = 0;
        const auto start = Clock::now();
        while (sent < 64U << 20 && seconds_since(start) < 20 && client.say(more)) {
            sent += more.size();
        }
        EXPECT_LT(sent, 16U << 20) << begin << " is read on and on";
        EXPECT_EQ(get("/api/search")->status, 200);
    }
}

TEST_F(AttackTest, SigningInTakesANewSession) {
    // A cookie that somebody else has planted means nothing, before and after.
    const std::string planted = "xpcs_session=" + std::string(64, 'a');
    const auto answer = post("/login", {{"name", "otto"}, {"password", password}}, planted);
    ASSERT_EQ(answer->status, 303);
    const std::string cookie = answer->get_header_value("Set-Cookie");
    EXPECT_THAT(cookie, Not(HasSubstr(planted)));
    EXPECT_EQ(get("/jobs", planted)->status, 403);
    // The session that the browser had ends with the new one.
    const std::string first = cookie.substr(0, cookie.find(';'));
    EXPECT_EQ(get("/jobs", first)->status, 200);
    const auto again = post("/login", {{"name", "otto"}, {"password", password}}, first);
    const std::string second = again->get_header_value("Set-Cookie").substr(0, first.size());
    EXPECT_NE(second, first);
    EXPECT_EQ(get("/jobs", first)->status, 403);
    EXPECT_EQ(get("/jobs", second)->status, 200);
}

TEST_F(AttackTest, FormsOfOtherSitesAreRefused) {
    const httplib::Params form{{"name", "vera"}, {"password", password}};
    for (const char* origin : {"https://evil.example", "null", "http://evil.example:8080"}) {
        const auto answer = client_->Post("/login", {{"Origin", origin}}, form);
        EXPECT_EQ(answer->status, 403) << origin;
        EXPECT_EQ(answer->get_header_value("Set-Cookie"), "");
    }
    const auto own = client_->Post("/login", {{"Origin", "http://127.0.0.1:8080"}}, form);
    EXPECT_EQ(own->status, 303);
}

TEST_F(AttackTest, ManyGuessesAtOnceAreAsFewAsOneByOne) {
    // All begin before the first is decided; more than five must not get through, right as they
    // are.
    constexpr int n = 24;
    Sessions sessions(read_users(dir_.file("users")));
    std::latch start(n);
    std::atomic<int> inside{0};
    std::vector<std::thread> guesses;
    for (int i = 0; i < n; ++i) {
        guesses.emplace_back([&] {
            start.arrive_and_wait();
            inside += sessions.log_in("vera", password) ? 1 : 0;
        });
    }
    for (std::thread& guess : guesses) {
        guess.join();
    }
    EXPECT_GE(inside, 1);
    EXPECT_LT(inside, n) << "all passwords were tried at once";
}

TEST_F(AttackTest, AFileOfUsersThatOthersCanReadOrWriteIsRefused) {
    const std::string file = dir_.file("users");
    for (const auto& [mode, good] : std::vector<std::pair<mode_t, bool>>{{0600, true},
                                                                         {0640, true},
                                                                         {0400, true},
                                                                         {0644, false},
                                                                         {0660, false},
                                                                         {0602, false}}) {
        chmod(file.c_str(), mode);
        try {
            read_users(file);
            EXPECT_TRUE(good) << std::oct << mode;
        } catch (const Error& error) {
            EXPECT_FALSE(good) << std::oct << mode << ": " << error.what();
            EXPECT_EQ(error.code(), ExitCode::config);
            EXPECT_THAT(error.what(), HasSubstr("chmod 600"));
        }
    }
}

TEST_F(AttackTest, AUserIsWrittenOverALeftOverWithTheRightMode) {
    const std::string file = dir_.file("users");
    std::ofstream(file + ".new") << "left over";
    chmod((file + ".new").c_str(), 0666);
    write_user(file, {"ann", Role::viewer, hash_password(password), {}});
    struct stat found {};
    ASSERT_EQ(stat(file.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777U, 0600U);
}

TEST_F(AttackTest, AChangedFileOfUsersNeedsNoRestart) {
    const std::string file = dir_.file("users");
    const std::string otto = sign_in("otto"), vera = sign_in("vera");
    const httplib::Params ann{{"name", "ann"}, {"password", "battery staple"}};
    EXPECT_EQ(post("/login", ann, "")->status, 401);
    write_user(file, {"ann", Role::viewer, hash_password("battery staple"), {}});
    EXPECT_EQ(post("/login", ann, "")->status, 303);
    EXPECT_EQ(get("/jobs", otto)->status, 200) << "sessions of the others go on";
    // A user who is an operator no longer is none at once.
    write_user(file, {"otto", Role::viewer, hash_password(password), {}});
    EXPECT_EQ(get("/jobs", otto)->status, 403);
    EXPECT_EQ(get("/run/2", vera)->status, 200);
    // A file that cannot be read changes nothing, and is said in the log.
    std::string said;
    Log::set_sink([&said](const std::string& line) { said += line; });
    std::ofstream(file) << "nonsense\n";
    EXPECT_EQ(get("/run/2", vera)->status, 200);
    Log::set_sink({});
    EXPECT_THAT(said, HasSubstr("line 1"));
    std::ofstream(file) << "";
    EXPECT_EQ(get("/run/2", vera)->status, 404) << "vera is gone";
}

}  // namespace
