// SPDX-License-Identifier: BSD-3-Clause
// The catalogue: records in one SQLite file, with versions, full-text search and facets.
//
// Several processes may write at the same time (write-ahead log, 30 s of patience). A record whose
// document has not changed is left alone; a changed one becomes a new version and the old stays.
#pragma once

#include "portal/record.hpp"
#include "portal/sqlite.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace xpcs::portal {

enum class Ingested { added, new_version, unchanged };

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
    /// Values with counts, the most frequent first. The counts of a facet hold for the other
    /// facets' choices: they tell what a click on another value brings.
    std::array<std::vector<std::pair<std::string, std::int64_t>>, n_facets> facets;
};

struct Stored {
    Hit hit;
    json document;
    bool latest = true;
};

class Catalogue {
  public:
    /// Opens, or makes one if `create`. Throws Error (no_input, data, io).
    explicit Catalogue(const std::string& path, bool create = false);

    /// Throws Error (data) for a document without subject, content or visible_to.
    Ingested ingest(const json& document);
    /// All of them or, where one is bad, none.
    std::map<Ingested, std::int64_t> ingest_all(const std::vector<json>& documents);

    Answer search(const Query& query, const Viewer& viewer) const;
    std::optional<Stored> get(std::int64_t id, const Viewer& viewer) const;
    std::optional<Stored> latest(const std::string& subject, const Viewer& viewer) const;
    /// Every version of a subject that the viewer may see, the newest first.
    std::vector<Hit> versions(const std::string& subject, const Viewer& viewer) const;

    /// Removes every version. False if there is none.
    bool remove(const std::string& subject);
    /// {"ingest_type": "GMetaList", ...} with the latest versions.
    json export_all(const Viewer& viewer) const;
    /// Grows with every change by anybody.
    std::int64_t change() const;

  private:
    Ingested ingest_one(const json& document);
    Database database_;
};

/// SHA-256 of the text, hexadecimal.
std::string sha256_of(const std::string& text);

}  // namespace xpcs::portal
