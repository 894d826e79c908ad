// SPDX-License-Identifier: BSD-3-Clause
// Who may do what: users with salted hashes and roles, sessions with tokens against forged
// requests.
//
// File of users, one a line:  NAME:ROLE:scrypt$N$r$p$SALT$HASH:GROUP,GROUP...   (# starts a
// comment) ROLE is viewer or operator; GROUPs are further names of visible_to. A file that others
// can read, or that anybody but its owner can write, is refused.
#pragma once

#include "portal/catalogue.hpp"

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <semaphore>
#include <string>

namespace xpcs::portal {

enum class Role { viewer, operator_ };

struct User {
    std::string name;
    Role role = Role::viewer;
    std::string hash;
    std::set<std::string> groups;
    bool operator==(const User&) const = default;
};

/// scrypt (N = 32768, r = 8, p = 1) with 16 random bytes of salt.
std::string hash_password(const std::string& password);
bool check_password(const std::string& password, const std::string& hash);

/// 32 random bytes, hexadecimal. Throws Error (unavailable) without a source of randomness.
std::string random_token();
/// Without telling by its time where the first difference is.
bool same_text(const std::string& a, const std::string& b);

/// Throws Error (data) naming file and line; Error (config) if its mode is too open.
std::map<std::string, User> read_users(const std::string& path);
/// Adds or replaces one; the file has mode 0600 afterwards, and the owner that it had.
void write_user(const std::string& path, const User& user);

struct Session {
    std::string user;
    Role role = Role::viewer;
    std::set<std::string> groups;
    std::string csrf;
    std::chrono::steady_clock::time_point ends;
};

/// Safe to use from several threads.
class Sessions {
  public:
    explicit Sessions(std::map<std::string, User> users) : users_(std::move(users)) {}
    /// Users of a file, "" for none. When the file changes it is read again, and the sessions of
    /// users who went or changed end; a file that has become unreadable changes nothing.
    explicit Sessions(std::string file);
    /// A token for the cookie; nothing for a wrong name or password. After five failures for one
    /// name the next tries are refused for a minute. Four passwords are checked at the same time.
    std::optional<std::string> log_in(const std::string& name, const std::string& password);
    std::optional<Session> find(const std::string& token);
    void log_out(const std::string& token);

  private:
    struct Failures {
        int n = 0;
        std::chrono::steady_clock::time_point until;
    };
    void refresh();

    std::string file_, state_of_file_;
    std::counting_semaphore<4> hashing_{4};
    std::mutex mutex_;
    std::map<std::string, User> users_;
    std::map<std::string, Session> sessions_;
    std::map<std::string, Failures> failures_;
};

}  // namespace xpcs::portal
