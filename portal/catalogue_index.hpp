// SPDX-License-Identifier: BSD-3-Clause
// What a search looks at, in memory: the latest version of every record without its document. Read
// once per change of the catalogue; a search over 10 000 records is then a fraction of a
// millisecond, whatever its facets.
#pragma once

#include "portal/catalogue_types.hpp"
#include "portal/sqlite.hpp"

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace xpcs::portal {

class CatalogueIndex {
  public:
    explicit CatalogueIndex(const Database& database);

    /// Number of the change after which this was read, or of an earlier one.
    std::int64_t change() const { return change_; }
    /// `found` are ids in order of relevance; nullptr: every record.
    Answer
    search(const Query& query, const Viewer& viewer, const std::vector<std::int64_t>* found) const;

  private:
    using Row = std::uint32_t;
    std::vector<Row> rows_of(const Query& query, const std::vector<std::int64_t>* found) const;
    std::vector<char> visible_lists(const Viewer& viewer) const;

    std::int64_t change_ = 0;
    std::vector<Hit> hits_;                      ///< the newest measurement first
    std::vector<Row> by_title_;                  ///< rows
    std::unordered_map<std::int64_t, Row> row_;  ///< of an id
    std::vector<std::string> lists_;             ///< distinct visible_to, one name per line
    std::vector<std::uint32_t> list_;            ///< [row] index into lists_
    std::array<std::vector<std::string>, n_facets> values_;   ///< distinct, sorted
    std::vector<std::array<std::uint32_t, n_facets>> value_;  ///< [row][facet] index into values_
};

/// One index for several connections and threads.
class SharedIndex {
  public:
    /// The index as of the last change, read again if there was one.
    std::shared_ptr<const CatalogueIndex> get(const Database& database);

    using Ids = std::vector<std::int64_t>;
    /// Records that match, ranked or in no order. Kept until the next change: whoever narrows
    /// down, sorts or turns pages asks for the same words again.
    std::shared_ptr<const Ids>
    found(const Database& database, const std::string& match, bool ranked);

  private:
    std::mutex mutex_;
    std::shared_ptr<const CatalogueIndex> index_;
    std::map<std::string, std::shared_ptr<const Ids>> found_;
};

/// True if one of the names, one per line, is the viewer's.
bool visible_to(const std::string& lines, const Viewer& viewer);
/// The columns of records that hit_of() reads.
extern const char* const hit_columns;
constexpr int visible_column = 20;  ///< after these columns' first twenty
Hit hit_of(const Statement& row);
std::int64_t change_of(const Database& database);

}  // namespace xpcs::portal
