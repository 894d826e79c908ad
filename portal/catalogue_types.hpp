// SPDX-License-Identifier: BSD-3-Clause
// Questions to the catalogue, and its answers.
#pragma once

#include "portal/record.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace xpcs::portal {

/// Who asks: sees records that are visible to one of the names, to "public", or - where somebody
/// is known by name - to "all_authenticated_users". `everything` sees all: the command line.
struct Viewer {
    std::set<std::string> names;
    bool everything = false;
    bool authenticated = false;
};

struct Query {
    std::string words;
    std::map<std::size_t, std::set<std::string>> facets;  ///< any of the values, of every facet
    std::string from, to;                                 ///< dates "2026-01-31", both included
    std::string sort = "newest";                          ///< newest, oldest, title, relevance
    std::int64_t offset = 0;
    std::int64_t limit = 24;  ///< at most 1000
};

struct Hit {
    std::int64_t id = 0;
    std::string subject;
    std::int64_t version = 1;
    std::string title, start, ingested;
    std::array<std::string, n_facets> facets;
    std::optional<double> relaxation_time_s, contrast, intensity, temperature_K;
};

struct Answer {
    std::int64_t total = 0;
    std::vector<Hit> hits;  ///< of this page
    /// Values with counts, the most frequent first, at most 500 each. The counts of a facet hold
    /// for the other facets' choices: they tell what a click on another value brings.
    std::array<std::vector<std::pair<std::string, std::int64_t>>, n_facets> facets;
};

}  // namespace xpcs::portal
