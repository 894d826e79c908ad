// SPDX-License-Identifier: BSD-3-Clause
#include "portal/users.hpp"

#include "host/errors.hpp"
#include "host/log.hpp"
#include "host/text.hpp"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace xpcs::portal {

namespace {

constexpr std::uint64_t scrypt_n = 32768, scrypt_r = 8, scrypt_p = 1;
constexpr std::uint64_t scrypt_memory = std::uint64_t{64} << 20;
constexpr std::size_t most_sessions = 10'000;

std::string hex_of(const std::string& bytes) {
    std::string out;
    for (const char c : bytes) {
        constexpr const char* digits = "0123456789abcdef";
        out += digits[static_cast<unsigned char>(c) >> 4];
        out += digits[static_cast<unsigned char>(c) & 15];
    }
    return out;
}

std::string random_bytes(std::size_t n) {
    std::string bytes(n, '\0');
    if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(n)) != 1) {
        throw Error(ExitCode::unavailable, "no random numbers for a token");
    }
    return bytes;
}

std::string derive(const std::string& password, const std::string& salt) {
    std::string key(32, '\0');
    if (EVP_PBE_scrypt(password.data(),
                       password.size(),
                       reinterpret_cast<const unsigned char*>(salt.data()),
                       salt.size(),
                       scrypt_n,
                       scrypt_r,
                       scrypt_p,
                       scrypt_memory,
                       reinterpret_cast<unsigned char*>(key.data()),
                       key.size()) != 1) {
        throw Error(ExitCode::no_memory, "a password cannot be hashed: 32 MiB are needed");
    }
    return hex_of(key);
}

std::vector<std::string> split(const std::string& text, char at) {
    std::vector<std::string> parts;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, at);) {
        parts.push_back(part);
    }
    return parts;
}

bool good_name(const std::string& name) {
    return !name.empty() && name.size() <= 100 &&
           std::all_of(name.begin(), name.end(), [](unsigned char c) {
               return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.' || c == '@';
           });
}

const std::string hash_prefix = "scrypt$32768$8$1$";

/// Who can write it makes operators; who can read it guesses passwords at leisure.
void check_mode(const std::string& path) {
    struct stat found {};
    if (stat(path.c_str(), &found) == 0 && (found.st_mode & 0027U) != 0) {
        throw Error(ExitCode::config,
                    "users '" + printable(path) + "': others can " +
                        ((found.st_mode & 0004U) != 0 ? "read" : "write") +
                        " it; chmod 600 it (640 is allowed)");
    }
}

/// Differs after every change, "" if there is no file.
std::string state_of(const std::string& path) {
    struct stat found {};
    if (stat(path.c_str(), &found) != 0) {
        return "";
    }
    std::string text;
    for (const auto part : {static_cast<std::int64_t>(found.st_ino),
                            static_cast<std::int64_t>(found.st_size),
                            static_cast<std::int64_t>(found.st_mode),
                            static_cast<std::int64_t>(found.st_ctim.tv_sec),
                            static_cast<std::int64_t>(found.st_ctim.tv_nsec)}) {
        text += std::to_string(part) + " ";
    }
    return text;
}

}  // namespace

std::string hash_password(const std::string& password) {
    const std::string salt = hex_of(random_bytes(16));
    return hash_prefix + salt + "$" + derive(password, salt);
}

bool check_password(const std::string& password, const std::string& hash) {
    if (!hash.starts_with(hash_prefix)) {
        return false;
    }
    const std::vector<std::string> parts = split(hash.substr(hash_prefix.size()), '$');
    return parts.size() == 2 && same_text(derive(password, parts[0]), parts[1]);
}

std::string random_token() {
    return hex_of(random_bytes(32));
}

bool same_text(const std::string& a, const std::string& b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::map<std::string, User> read_users(const std::string& path) {
    std::ifstream in(path);
    if (!in) {
        throw Error(ExitCode::no_input, "users '" + printable(path) + "': cannot be read");
    }
    check_mode(path);
    std::map<std::string, User> users;
    int number = 0;
    for (std::string line; std::getline(in, line);) {
        ++number;
        if (line.empty() || line.front() == '#') {
            continue;
        }
        std::vector<std::string> parts = split(line, ':');
        for (; parts.size() > 4; parts.pop_back()) {  // groups may hold colons: urn:globus:...
            parts[parts.size() - 2] += ":" + parts.back();
        }
        const bool good = (parts.size() == 3 || parts.size() == 4) && good_name(parts[0]) &&
                          (parts[1] == "viewer" || parts[1] == "operator") &&
                          parts[2].starts_with(hash_prefix);
        if (!good) {
            throw Error(ExitCode::data,
                        "users '" + printable(path) + "' line " + std::to_string(number) +
                            ": NAME:viewer|operator:scrypt$...[:GROUPS] is expected");
        }
        User user{parts[0], parts[1] == "operator" ? Role::operator_ : Role::viewer, parts[2], {}};
        for (const std::string& group : split(parts.size() == 4 ? parts[3] : "", ',')) {
            user.groups.insert(group);
        }
        users[user.name] = user;
    }
    return users;
}

void write_user(const std::string& path, const User& user) {
    if (!good_name(user.name)) {
        throw Error(ExitCode::usage,
                    "user '" + printable(user.name, 100) +
                        "': letters, digits and _ - . @ are allowed, at most 100");
    }
    std::map<std::string, User> users;
    struct stat found {};
    const bool there = stat(path.c_str(), &found) == 0;
    if (there) {
        users = read_users(path);
    }
    users[user.name] = user;
    const std::string hidden = path + ".new";
    const int file = open(hidden.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
    std::string text;
    for (const auto& [name, one] : users) {
        std::string groups;
        for (const std::string& group : one.groups) {
            groups += (groups.empty() ? "" : ",") + group;
        }
        text += name;
        text += one.role == Role::operator_ ? ":operator:" : ":viewer:";
        text += one.hash + ":" + groups + "\n";
    }
    // A left-over may have another mode; root writes for the account that serves.
    const bool closed = file >= 0 && fchmod(file, 0600) == 0 &&
                        (!there || geteuid() != 0 || fchown(file, found.st_uid, found.st_gid) == 0);
    const bool written =
        closed && write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    if (file >= 0) {
        fsync(file);
        close(file);
    }
    if (!written || rename(hidden.c_str(), path.c_str()) != 0) {
        throw Error(ExitCode::cannot_create, "users '" + printable(path) + "': cannot be written");
    }
}

namespace {

class Release {
  public:
    explicit Release(std::counting_semaphore<4>& semaphore) : semaphore_(semaphore) {}
    ~Release() { semaphore_.release(); }
    Release(const Release&) = delete;
    Release& operator=(const Release&) = delete;

  private:
    std::counting_semaphore<4>& semaphore_;
};

}  // namespace

Sessions::Sessions(std::string file) : file_(std::move(file)) {
    if (!file_.empty()) {
        state_of_file_ = state_of(file_);
        users_ = read_users(file_);
    }
}

/// Called with the lock held.
void Sessions::refresh() {
    const std::string now = file_.empty() ? "" : state_of(file_);
    if (now == state_of_file_) {
        return;
    }
    state_of_file_ = now;
    try {
        std::map<std::string, User> users = read_users(file_);
        std::erase_if(sessions_, [&](const auto& session) {
            const auto found = users.find(session.second.user);
            return found == users.end() || !(found->second == users_[found->first]);
        });
        users_ = std::move(users);
        Log::info("users '" + printable(file_) + "': read again");
    } catch (const Error& error) {
        Log::error(std::string(error.what()) + "; the users that were known remain");
    }
}

std::optional<std::string> Sessions::log_in(const std::string& name, const std::string& password) {
    const auto now = std::chrono::steady_clock::now();
    std::optional<User> user;
    {
        const std::lock_guard lock(mutex_);
        refresh();
        if (failures_.size() > most_sessions) {
            failures_.clear();
        }
        Failures& failures = failures_[name.substr(0, 100)];
        if (failures.n >= 5 && now < failures.until) {
            return std::nullopt;
        }
        // Counted as wrong until it is known to be right: else many at once would all get through.
        ++failures.n;
        failures.until = now + std::chrono::minutes(1);
        const auto found = users_.find(name);
        if (found != users_.end()) {
            user = found->second;
        }
    }
    // A hash takes 32 MiB: many at once would take all memory.
    if (!hashing_.try_acquire_for(std::chrono::seconds(3))) {
        const std::lock_guard lock(mutex_);
        --failures_[name.substr(0, 100)].n;
        return std::nullopt;
    }
    const Release release{hashing_};
    // An unknown name takes as long as a wrong password.
    static const std::string nobody = hash_password(random_token());
    const bool good = check_password(password, user ? user->hash : nobody) && user;
    const std::lock_guard lock(mutex_);
    Failures& failures = failures_[name.substr(0, 100)];
    if (!good) {
        return std::nullopt;
    }
    failures = {};
    if (sessions_.size() >= most_sessions) {
        sessions_.clear();
    }
    const std::string token = random_token();
    sessions_[token] = {
        user->name, user->role, user->groups, random_token(), now + std::chrono::hours(12)};
    return token;
}

std::optional<Session> Sessions::find(const std::string& token) {
    const std::lock_guard lock(mutex_);
    refresh();
    const auto found = sessions_.find(token);
    if (found == sessions_.end()) {
        return std::nullopt;
    }
    if (std::chrono::steady_clock::now() > found->second.ends) {
        sessions_.erase(found);
        return std::nullopt;
    }
    return found->second;
}

void Sessions::log_out(const std::string& token) {
    const std::lock_guard lock(mutex_);
    sessions_.erase(token);
}

}  // namespace xpcs::portal
