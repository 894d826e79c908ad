// SPDX-License-Identifier: BSD-3-Clause
// HTML of the portal. Every string of a record is escaped.
#pragma once

#include "portal/catalogue.hpp"
#include "portal/files.hpp"
#include "portal/html.hpp"
#include "portal/users.hpp"

#include <optional>
#include <string>
#include <vector>

namespace xpcs::portal {

struct PageContext {
    std::optional<Session> session;
    bool has_users = false;
};

/// A whole page around `body`.
inline bool is_operator(const PageContext& context) {
    return context.session && context.session->role == Role::operator_;
}

/// What belongs to a record: its versions, what it was made from, what was made again from it.
struct Relatives {
    std::vector<Hit> versions, source, reprocessed;
};

std::string page(const PageContext& context, const std::string& title, const Html& body);

Html search_body(const PageContext& context, const Query& query, const Answer& answer);
Html run_body(const PageContext& context,
              const Stored& record,
              const Relatives& relatives,
              bool has_report);
constexpr std::size_t most_compared = 8;
/// `chosen`: how many were asked for.
Html compare_body(const std::vector<Hit>& runs, std::size_t chosen);
/// `total`: how many there are, of which these are the last.
Html experiment_body(const std::string& name, const std::vector<Hit>& runs, std::int64_t total);
Html login_body(const std::string& message);
Html message_body(const std::string& title, const std::string& text);

/// The form; `script` is what a submission would hand over, `message` what went wrong.
std::string query_link(const Query& query);
std::string url_encode(const std::string& text);

}  // namespace xpcs::portal
