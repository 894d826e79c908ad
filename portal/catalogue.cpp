// SPDX-License-Identifier: BSD-3-Clause
#include "portal/catalogue.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"
#include "portal/report_data.hpp"
#include "portal/report_json.hpp"

#include <openssl/sha.h>

#include <algorithm>
#include <sstream>

namespace xpcs::portal {

namespace {

constexpr int schema_version = 1;
constexpr std::size_t most_bytes = 10'000'000;  ///< of a document, as Globus Search has it

constexpr const char* schema = R"(
CREATE TABLE IF NOT EXISTS records(
  id INTEGER PRIMARY KEY,
  subject TEXT NOT NULL,
  version INTEGER NOT NULL,
  latest INTEGER NOT NULL,
  checksum TEXT NOT NULL,
  document TEXT NOT NULL,
  ingested TEXT NOT NULL,
  title TEXT NOT NULL, start TEXT NOT NULL,
  experiment TEXT NOT NULL, cycle TEXT NOT NULL, detector TEXT NOT NULL, analysis TEXT NOT NULL,
  qmap TEXT NOT NULL, sample TEXT NOT NULL, date TEXT NOT NULL, energy TEXT NOT NULL,
  user TEXT NOT NULL, organisation TEXT NOT NULL,
  relaxation_time REAL, contrast REAL, intensity REAL, temperature REAL,
  visible TEXT NOT NULL,
  UNIQUE(subject, version));
CREATE INDEX IF NOT EXISTS records_by_start ON records(latest, start);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(text, tokenize = "unicode61 tokenchars '_'");
CREATE TABLE IF NOT EXISTS changes(n INTEGER NOT NULL);
INSERT INTO changes SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM changes);
)";

constexpr const char* hit_columns =
    "records.id, subject, version, title, start, ingested, experiment, cycle, detector, analysis, "
    "qmap, sample, date, energy, user, organisation, relaxation_time, contrast, intensity, "
    "temperature, visible";
constexpr int visible_column = 20;

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

/// One name per line.
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

/// Every word must begin a word of the record; nothing in it is syntax of the search.
std::string match_of(const std::string& words) {
    std::string out, word;
    std::istringstream in(words.substr(0, 500));
    for (int n = 0; n < 20 && in >> word; ++n) {
        std::string quoted;
        for (const char c : word) {
            quoted += c == '"' ? "\"\"" : std::string(1, c);
        }
        out += (out.empty() ? "\"" : " \"") + quoted + "\"*";
    }
    return out;
}

bool in_dates(const Hit& hit, const Query& query) {
    const std::string& date = hit.facets[facet_date];
    return (query.from.empty() || date >= query.from) && (query.to.empty() || date <= query.to);
}

bool chosen(const Query& query, std::size_t facet, const Hit& hit) {
    const auto found = query.facets.find(facet);
    return found == query.facets.end() || found->second.empty() ||
           found->second.count(hit.facets[facet]) > 0;
}

void sort_hits(std::vector<Hit>& hits, const std::string& sort) {
    const auto by = [&](auto less) { std::stable_sort(hits.begin(), hits.end(), less); };
    if (sort == "newest") {
        by([](const Hit& a, const Hit& b) { return a.start > b.start; });
    } else if (sort == "oldest") {
        by([](const Hit& a, const Hit& b) { return a.start < b.start; });
    } else if (sort == "title") {
        by([](const Hit& a, const Hit& b) { return a.title < b.title; });
    }
}

}  // namespace

std::string sha256_of(const std::string& text) {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
    std::string out;
    for (const unsigned char byte : digest) {
        constexpr const char* digits = "0123456789abcdef";
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

Catalogue::Catalogue(const std::string& path, bool create) : database_(path, create) {
    Statement version = database_.prepare("PRAGMA user_version");
    version.step();
    const std::int64_t found = version.integer(0);
    if (found > schema_version) {
        throw Error(ExitCode::data,
                    "catalogue '" + printable(path) + "': layout " + std::to_string(found) +
                        " of a newer program; this one knows " + std::to_string(schema_version));
    }
    version.run();
    if (found < schema_version) {
        Transaction transaction(database_);
        database_.execute(schema);
        database_.execute("PRAGMA user_version = " + std::to_string(schema_version));
        transaction.commit();
    }
}

Ingested Catalogue::ingest(const json& document) {
    Transaction transaction(database_);
    const Ingested result = ingest_one(document);
    transaction.commit();
    return result;
}

std::map<Ingested, std::int64_t> Catalogue::ingest_all(const std::vector<json>& documents) {
    std::map<Ingested, std::int64_t> counts;
    Transaction transaction(database_);
    for (const json& document : documents) {
        ++counts[ingest_one(document)];
    }
    transaction.commit();
    return counts;
}

Ingested Catalogue::ingest_one(const json& document) {
    const std::string subject = text_of(member(document, "subject"));
    const json& visible = member(document, "visible_to");
    if (subject.empty() || !member(document, "content").is_object() || !visible.is_array()) {
        throw Error(ExitCode::data,
                    "document '" + printable(subject, 200) +
                        "': subject (text), content (object) and visible_to (list) are needed");
    }
    const std::string text = dump_text(document);
    if (text.size() > most_bytes) {
        throw Error(ExitCode::data,
                    "document '" + printable(subject, 200) + "': " + std::to_string(text.size()) +
                        " bytes, at most " + std::to_string(most_bytes) + " are allowed");
    }
    const std::string checksum = sha256_of(text);
    Statement old = database_.prepare(
        "SELECT id, version, checksum FROM records WHERE subject = ? AND latest = 1");
    old.bind(1, subject);
    std::int64_t version = 1, old_id = 0;
    if (old.step()) {
        if (old.text(2) == checksum) {
            return Ingested::unchanged;
        }
        old_id = old.integer(0);
        version = old.integer(1) + 1;
    }
    if (old_id != 0) {
        database_.prepare("UPDATE records SET latest = 0 WHERE id = ?").bind(1, old_id).run();
        database_.prepare("DELETE FROM words WHERE rowid = ?").bind(1, old_id).run();
    }
    const RecordFields fields = fields_of(document);
    std::string names;
    for (const json& name : visible) {
        // A name of several lines would be several names.
        names += name.is_string() ? printable(name.get<std::string>(), 500) + "\n" : "";
    }
    Statement insert = database_.prepare(
        "INSERT INTO records(subject, version, latest, checksum, document, ingested, title, start, "
        "experiment, cycle, detector, analysis, qmap, sample, date, energy, user, organisation, "
        "relaxation_time, contrast, intensity, temperature, visible) "
        "VALUES(?,?,1,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    insert.bind(1, subject).bind(2, version).bind(3, checksum).bind(4, text).bind(5, utc_now());
    insert.bind(6, fields.title).bind(7, fields.start);
    for (std::size_t k = 0; k < n_facets; ++k) {
        insert.bind(8 + static_cast<int>(k), fields.facets[k]);
    }
    insert.bind(18, fields.relaxation_time_s).bind(19, fields.contrast);
    insert.bind(20, fields.intensity).bind(21, fields.temperature_K).bind(22, names);
    insert.run();
    const std::int64_t id = database_.last_row();
    database_.prepare("INSERT INTO words(rowid, text) VALUES(?, ?)")
        .bind(1, id)
        .bind(2, fields.words)
        .run();
    database_.execute("UPDATE changes SET n = n + 1");
    return old_id == 0 ? Ingested::added : Ingested::new_version;
}

Answer Catalogue::search(const Query& query, const Viewer& viewer) const {
    const std::string match = match_of(query.words);
    const std::string columns = hit_columns;
    Statement rows = database_.prepare(
        match.empty() ? "SELECT " + columns + " FROM records WHERE latest = 1 ORDER BY id DESC"
                      : "SELECT " + columns +
                            " FROM words JOIN records ON records.id = words.rowid WHERE words "
                            "MATCH ? AND latest = 1 ORDER BY rank");
    if (!match.empty()) {
        rows.bind(1, match);
    }
    std::vector<Hit> hits;
    std::array<std::map<std::string, std::int64_t>, n_facets> counts;
    while (rows.step()) {
        Hit hit = hit_of(rows);
        if (!visible_to(rows.text(visible_column), viewer) || !in_dates(hit, query)) {
            continue;
        }
        std::size_t n_missed = 0, missed = 0;
        for (std::size_t k = 0; k < n_facets; ++k) {
            if (!chosen(query, k, hit)) {
                ++n_missed;
                missed = k;
            }
        }
        for (std::size_t k = 0; k < n_facets && n_missed < 2; ++k) {
            if ((n_missed == 0 || k == missed) && !hit.facets[k].empty()) {
                ++counts[k][hit.facets[k]];
            }
        }
        if (n_missed == 0) {
            hits.push_back(std::move(hit));
        }
    }
    sort_hits(hits, query.sort);
    Answer answer;
    answer.total = static_cast<std::int64_t>(hits.size());
    const std::int64_t begin = std::clamp<std::int64_t>(query.offset, 0, answer.total);
    const std::int64_t end =
        begin + std::clamp<std::int64_t>(
                    query.limit, 0, std::min<std::int64_t>(1000, answer.total - begin));
    answer.hits.assign(std::make_move_iterator(hits.begin() + begin),
                       std::make_move_iterator(hits.begin() + end));
    for (std::size_t k = 0; k < n_facets; ++k) {
        answer.facets[k].assign(counts[k].begin(), counts[k].end());
        std::stable_sort(answer.facets[k].begin(),
                         answer.facets[k].end(),
                         [](const auto& a, const auto& b) { return a.second > b.second; });
    }
    return answer;
}

namespace {

std::optional<Stored> stored_of(Statement& rows, const Viewer& viewer) {
    if (!rows.step() || !visible_to(rows.text(visible_column), viewer)) {
        return std::nullopt;
    }
    Stored stored;
    stored.hit = hit_of(rows);
    stored.latest = rows.integer(visible_column + 1) != 0;
    stored.document = json::parse(rows.text(visible_column + 2), nullptr, false);
    return stored;
}

}  // namespace

std::optional<Stored> Catalogue::get(std::int64_t id, const Viewer& viewer) const {
    Statement rows = database_.prepare(std::string("SELECT ") + hit_columns +
                                       ", latest, document FROM records WHERE id = ?");
    rows.bind(1, id);
    return stored_of(rows, viewer);
}

std::optional<Stored> Catalogue::latest(const std::string& subject, const Viewer& viewer) const {
    Statement rows =
        database_.prepare(std::string("SELECT ") + hit_columns +
                          ", latest, document FROM records WHERE subject = ? AND latest = 1");
    rows.bind(1, subject);
    return stored_of(rows, viewer);
}

std::vector<Hit> Catalogue::versions(const std::string& subject, const Viewer& viewer) const {
    Statement rows = database_.prepare(std::string("SELECT ") + hit_columns +
                                       " FROM records WHERE subject = ? ORDER BY version DESC");
    rows.bind(1, subject);
    std::vector<Hit> out;
    while (rows.step()) {
        if (visible_to(rows.text(visible_column), viewer)) {
            out.push_back(hit_of(rows));
        }
    }
    return out;
}

bool Catalogue::remove(const std::string& subject) {
    Transaction transaction(database_);
    Statement rows = database_.prepare("SELECT id FROM records WHERE subject = ?");
    rows.bind(1, subject);
    std::vector<std::int64_t> ids;
    while (rows.step()) {
        ids.push_back(rows.integer(0));
    }
    for (const std::int64_t id : ids) {
        database_.prepare("DELETE FROM words WHERE rowid = ?").bind(1, id).run();
        database_.prepare("DELETE FROM records WHERE id = ?").bind(1, id).run();
    }
    if (!ids.empty()) {
        database_.execute("UPDATE changes SET n = n + 1");
    }
    transaction.commit();
    return !ids.empty();
}

json Catalogue::export_all(const Viewer& viewer) const {
    Statement rows = database_.prepare(
        "SELECT document, visible FROM records WHERE latest = 1 ORDER BY subject");
    json list = json::array();
    while (rows.step()) {
        if (visible_to(rows.text(1), viewer)) {
            list.push_back(json::parse(rows.text(0), nullptr, false));
        }
    }
    return {{"ingest_type", "GMetaList"}, {"ingest_data", {{"gmeta", list}}}};
}

std::int64_t Catalogue::change() const {
    Statement rows = database_.prepare("SELECT n FROM changes");
    return rows.step() ? rows.integer(0) : 0;
}

}  // namespace xpcs::portal
