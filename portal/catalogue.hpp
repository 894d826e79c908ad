// SPDX-License-Identifier: BSD-3-Clause
// The catalogue: records in one SQLite file, with versions, full-text search and facets.
//
// Several processes may write at the same time (write-ahead log, 30 s of patience). A record whose
// document has not changed is left alone; a changed one becomes a new version and the old stays.
#pragma once

#include "portal/catalogue_index.hpp"
#include "portal/sqlite.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace xpcs::portal {

enum class Ingested { added, new_version, unchanged };

struct Stored {
    Hit hit;
    json document;
    bool latest = true;
};

class Catalogue {
  public:
    /// Opens, or makes one if `create`. Connections that share an index read it once for all.
    /// Throws Error (no_input, data, io).
    explicit Catalogue(const std::string& path,
                       bool create = false,
                       std::shared_ptr<SharedIndex> index = std::make_shared<SharedIndex>());

    /// Throws Error (data) for a document without subject, content or visible_to.
    Ingested ingest(const json& document);
    /// All of them or, where one is bad, none.
    std::map<Ingested, std::int64_t> ingest_all(const std::vector<json>& documents);

    Answer search(const Query& query, const Viewer& viewer) const;
    std::optional<Stored> get(std::int64_t id, const Viewer& viewer) const;
    std::optional<Stored> latest(const std::string& subject, const Viewer& viewer) const;
    /// Every version of a subject that the viewer may see, the newest first.
    std::vector<Hit> versions(const std::string& subject, const Viewer& viewer) const;
    /// What was made again from a subject, the newest first.
    std::vector<Hit> reprocessed(const std::string& subject, const Viewer& viewer) const;

    /// Removes every version. False if there is none.
    bool remove(const std::string& subject);
    /// {"ingest_type": "GMetaList", ...} with the latest versions.
    json export_all(const Viewer& viewer) const;
    /// Grows with every change by anybody.
    std::int64_t change() const;

  private:
    Ingested ingest_one(const json& document);
    std::vector<Hit>
    hits_where(const char* condition, const std::string& value, const Viewer& viewer) const;
    Database database_;
    std::shared_ptr<SharedIndex> index_;
};

/// SHA-256 of the text, hexadecimal.
std::string sha256_of(const std::string& text);

}  // namespace xpcs::portal
