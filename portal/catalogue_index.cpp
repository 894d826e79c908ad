// SPDX-License-Identifier: BSD-3-Clause
#include "portal/catalogue_index.hpp"

#include <algorithm>
#include <numeric>
#include <sstream>

namespace xpcs::portal {

namespace {

constexpr std::size_t most_values = 500;  ///< of a facet in an answer

bool in_dates(const Hit& hit, const Query& query) {
    const std::string& date = hit.facets[facet_date];
    return (query.from.empty() || date >= query.from) && (query.to.empty() || date <= query.to);
}

using Counts = std::array<std::vector<std::int64_t>, n_facets>;

/// The most frequent first; equal ones in order of their text.
std::vector<std::pair<std::string, std::int64_t>>
frequent(const std::vector<std::string>& values, const std::vector<std::int64_t>& counts) {
    std::vector<std::uint32_t> order;
    for (std::uint32_t v = 0; v < counts.size(); ++v) {
        if (counts[v] > 0 && !values[v].empty()) {
            order.push_back(v);
        }
    }
    const std::size_t n = std::min(order.size(), most_values);
    std::partial_sort(order.begin(),
                      order.begin() + static_cast<std::ptrdiff_t>(n),
                      order.end(),
                      [&](std::uint32_t a, std::uint32_t b) {
                          return counts[a] != counts[b] ? counts[a] > counts[b] : a < b;
                      });
    std::vector<std::pair<std::string, std::int64_t>> out;
    for (std::size_t i = 0; i < n; ++i) {
        out.emplace_back(values[order[i]], counts[order[i]]);
    }
    return out;
}

/// Distinct values of a facet, sorted; and in `codes` the place of each row's value among them.
std::vector<std::string> encode(const std::vector<Hit>& hits,
                                std::size_t facet,
                                std::vector<std::array<std::uint32_t, n_facets>>& codes) {
    std::map<std::string, std::uint32_t> places;
    for (const Hit& hit : hits) {
        places.emplace(hit.facets[facet], 0);
    }
    std::vector<std::string> values;
    for (auto& [value, place] : places) {
        place = static_cast<std::uint32_t>(values.size());
        values.push_back(value);
    }
    for (std::size_t row = 0; row < hits.size(); ++row) {
        codes[row][facet] = places.at(hits[row].facets[facet]);
    }
    return values;
}

}  // namespace

const char* const hit_columns =
    "records.id, subject, version, title, start, ingested, experiment, cycle, detector, analysis, "
    "qmap, sample, date, energy, user, organisation, relaxation_time, contrast, intensity, "
    "temperature, visible";

Hit hit_of(const Statement& row) {
    Hit hit;
    hit.id = row.integer(0);
    hit.subject = row.text(1);
    hit.version = row.integer(2);
    hit.title = row.text(3);
    hit.start = row.text(4);
    hit.ingested = row.text(5);
    for (std::size_t k = 0; k < n_facets; ++k) {
        hit.facets[k] = row.text(6 + static_cast<int>(k));
    }
    hit.relaxation_time_s = row.real(16);
    hit.contrast = row.real(17);
    hit.intensity = row.real(18);
    hit.temperature_K = row.real(19);
    return hit;
}

bool visible_to(const std::string& lines, const Viewer& viewer) {
    if (viewer.everything) {
        return true;
    }
    std::istringstream in(lines);
    for (std::string name; std::getline(in, name);) {
        if (name == "public" || (viewer.authenticated && name == "all_authenticated_users") ||
            viewer.names.count(name) > 0) {
            return true;
        }
    }
    return false;
}

std::int64_t change_of(const Database& database) {
    Statement rows = database.prepare("SELECT n FROM changes");
    return rows.step() ? rows.integer(0) : 0;
}

CatalogueIndex::CatalogueIndex(const Database& database) : change_(change_of(database)) {
    // By instant, whatever the offsets from UTC. SQLite takes 'now' for a time as well.
    Statement rows = database.prepare(
        std::string("SELECT ") + hit_columns +
        " FROM records WHERE latest = 1 ORDER BY CASE WHEN start GLOB '[0-9][0-9][0-9][0-9]-*'"
        " THEN julianday(start) END DESC, start DESC, id DESC");
    std::unordered_map<std::string, std::uint32_t> lists;
    while (rows.step()) {
        hits_.push_back(hit_of(rows));
        row_.emplace(hits_.back().id, static_cast<Row>(hits_.size() - 1));
        const auto [entry, is_new] =
            lists.emplace(rows.text(visible_column), static_cast<std::uint32_t>(lists_.size()));
        if (is_new) {
            lists_.push_back(entry->first);
        }
        list_.push_back(entry->second);
    }
    value_.resize(hits_.size());
    for (std::size_t k = 0; k < n_facets; ++k) {
        values_[k] = encode(hits_, k, value_);
    }
    by_title_.resize(hits_.size());
    std::iota(by_title_.begin(), by_title_.end(), Row{0});
    std::stable_sort(by_title_.begin(), by_title_.end(), [this](Row a, Row b) {
        return hits_[a].title < hits_[b].title;
    });
}

std::vector<char> CatalogueIndex::visible_lists(const Viewer& viewer) const {
    std::vector<char> out;
    for (const std::string& list : lists_) {
        out.push_back(visible_to(list, viewer) ? 1 : 0);
    }
    return out;
}

/// The rows to look at, in the order of the answer.
std::vector<CatalogueIndex::Row>
CatalogueIndex::rows_of(const Query& query, const std::vector<std::int64_t>* found) const {
    std::vector<Row> rows;
    if (found != nullptr && query.sort == "relevance") {
        for (const std::int64_t id : *found) {
            if (const auto place = row_.find(id); place != row_.end()) {
                rows.push_back(place->second);
            }
        }
        return rows;
    }
    std::vector<char> wanted(hits_.size(), found == nullptr ? 1 : 0);
    for (const std::int64_t id : found != nullptr ? *found : std::vector<std::int64_t>{}) {
        if (const auto place = row_.find(id); place != row_.end()) {
            wanted[place->second] = 1;
        }
    }
    const bool by_title = query.sort == "title";
    const auto n = static_cast<Row>(hits_.size());
    for (Row i = 0; i < n; ++i) {
        const Row row = by_title ? by_title_[i] : query.sort == "oldest" ? n - 1 - i : i;
        if (wanted[row] != 0) {
            rows.push_back(row);
        }
    }
    return rows;
}

Answer CatalogueIndex::search(const Query& query,
                              const Viewer& viewer,
                              const std::vector<std::int64_t>* found) const {
    const std::vector<char> visible = visible_lists(viewer);
    const bool dates = !query.from.empty() || !query.to.empty();
    std::vector<std::size_t> chosen;  // facets with a choice
    std::array<std::vector<char>, n_facets> allowed;
    Counts counts;
    for (std::size_t k = 0; k < n_facets; ++k) {
        counts[k].assign(values_[k].size(), 0);
        const auto choice = query.facets.find(k);
        if (choice != query.facets.end() && !choice->second.empty()) {
            chosen.push_back(k);
            for (const std::string& value : values_[k]) {
                allowed[k].push_back(choice->second.count(value) > 0 ? 1 : 0);
            }
        }
    }
    std::vector<Row> matching;
    for (const Row row : rows_of(query, found)) {
        if (visible[list_[row]] == 0 || (dates && !in_dates(hits_[row], query))) {
            continue;
        }
        std::size_t n_missed = 0, missed = 0;
        for (const std::size_t k : chosen) {
            if (allowed[k][value_[row][k]] == 0) {
                ++n_missed;
                missed = k;
            }
        }
        if (n_missed == 0) {
            matching.push_back(row);
            for (std::size_t k = 0; k < n_facets; ++k) {
                ++counts[k][value_[row][k]];
            }
        } else if (n_missed == 1) {
            ++counts[missed][value_[row][missed]];
        }
    }
    Answer answer;
    answer.total = static_cast<std::int64_t>(matching.size());
    const std::int64_t begin = std::clamp<std::int64_t>(query.offset, 0, answer.total);
    const std::int64_t end =
        begin + std::clamp<std::int64_t>(
                    query.limit, 0, std::min<std::int64_t>(1000, answer.total - begin));
    for (std::int64_t i = begin; i < end; ++i) {
        answer.hits.push_back(hits_[matching[static_cast<std::size_t>(i)]]);
    }
    for (std::size_t k = 0; k < n_facets; ++k) {
        answer.facets[k] = frequent(values_[k], counts[k]);
    }
    return answer;
}

std::shared_ptr<const CatalogueIndex> SharedIndex::get(const Database& database) {
    // While one thread reads the others wait: they would read the same.
    const std::lock_guard lock(mutex_);
    if (!index_ || index_->change() != change_of(database)) {
        index_ = std::make_shared<const CatalogueIndex>(database);
        found_.clear();
    }
    return index_;
}

std::shared_ptr<const SharedIndex::Ids>
SharedIndex::found(const Database& database, const std::string& match, bool ranked) {
    constexpr std::size_t most = 64;
    const std::string key = (ranked ? "ranked " : "any ") + match;
    std::shared_ptr<const CatalogueIndex> before;
    {
        const std::lock_guard lock(mutex_);
        before = index_;
        if (const auto known = found_.find(key); known != found_.end()) {
            return known->second;
        }
    }
    Statement rows =
        database.prepare(ranked ? "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank"
                                : "SELECT rowid FROM words WHERE words MATCH ?");
    rows.bind(1, match);
    auto ids = std::make_shared<Ids>();
    while (rows.step()) {
        ids->push_back(rows.integer(0));
    }
    const std::lock_guard lock(mutex_);
    if (index_ == before) {  // else these may be of before the change
        if (found_.size() >= most) {
            found_.clear();
        }
        found_[key] = ids;
    }
    return ids;
}

}  // namespace xpcs::portal
