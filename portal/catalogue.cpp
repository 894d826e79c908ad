// SPDX-License-Identifier: BSD-3-Clause
#include "portal/catalogue.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"
#include "portal/report_data.hpp"
#include "portal/report_json.hpp"
#include "portal/stopping.hpp"

#include <openssl/sha.h>

#include <algorithm>
#include <sstream>

namespace xpcs::portal {

namespace {

constexpr int schema_version = 2;  ///< 2: column source
constexpr std::size_t most_ranked = 2000;
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
  source TEXT NOT NULL DEFAULT '',
  UNIQUE(subject, version));
CREATE INDEX IF NOT EXISTS records_by_start ON records(latest, start);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(text, tokenize = "unicode61 tokenchars '_'");
CREATE TABLE IF NOT EXISTS changes(n INTEGER NOT NULL);
INSERT INTO changes SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM changes);
)";

/// Every word must begin a word of the record; nothing in it is syntax of the search.
std::string match_of(const std::string& words) {
    std::string out, word, text = words.substr(0, 500);
    std::replace(text.begin(), text.end(), '\0', ' ');  // SQLite takes that for the end
    std::istringstream in(text);
    for (int n = 0; n < 20 && in >> word; ++n) {
        std::string quoted;
        for (const char c : word) {
            quoted += c == '"' ? "\"\"" : std::string(1, c);
        }
        out += (out.empty() ? "\"" : " \"") + quoted + "\"*";
    }
    return out;
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

namespace {

std::int64_t layout_of(const Database& database) {
    Statement version = database.prepare("PRAGMA user_version");
    version.step();
    return version.integer(0);
}

/// Brings a catalogue of an older program up to date, or makes the tables of a new one.
void bring_up_to_date(const Database& database) {
    Transaction transaction(database);
    const std::int64_t found = layout_of(database);  // another process may have been faster
    if (found < 1) {
        database.execute(schema);
    } else if (found < 2) {
        database.execute("ALTER TABLE records ADD COLUMN source TEXT NOT NULL DEFAULT ''");
        database.execute("UPDATE records SET source = coalesce(json_extract(document, "
                         "'$.content.project_metadata.reprocessing.of'), '')");
    }
    if (found < schema_version) {
        database.execute("CREATE INDEX IF NOT EXISTS records_by_source ON records(source)");
        database.execute("PRAGMA user_version = " + std::to_string(schema_version));
    }
    transaction.commit();
}

}  // namespace

Catalogue::Catalogue(const std::string& path, bool create, std::shared_ptr<SharedIndex> index)
    : database_(path, create), index_(std::move(index)) {
    const std::int64_t found = layout_of(database_);
    if (found > schema_version) {
        throw Error(ExitCode::data,
                    "catalogue '" + printable(path) + "': layout " + std::to_string(found) +
                        " of a newer program; this one knows " + std::to_string(schema_version));
    }
    if (found < schema_version) {
        bring_up_to_date(database_);
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
        heed_signals();
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
    // "+": by the subject; nearly every record is the latest of its subject.
    Statement old = database_.prepare(
        "SELECT id, version, checksum FROM records WHERE subject = ? AND +latest = 1");
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
        "relaxation_time, contrast, intensity, temperature, visible, source) "
        "VALUES(?,?,1,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    insert.bind(1, subject).bind(2, version).bind(3, checksum).bind(4, text).bind(5, utc_now());
    insert.bind(6, fields.title).bind(7, fields.start);
    for (std::size_t k = 0; k < n_facets; ++k) {
        insert.bind(8 + static_cast<int>(k), fields.facets[k]);
    }
    insert.bind(18, fields.relaxation_time_s).bind(19, fields.contrast);
    insert.bind(20, fields.intensity).bind(21, fields.temperature_K).bind(22, names);
    insert.bind(23, fields.source);
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
    const auto index = index_->get(database_);
    const std::string match = match_of(query.words);
    if (match.empty()) {
        return index->search(query, viewer, nullptr);
    }
    auto found = index_->found(database_, match, false);
    Query asked = query;
    // Ranking takes far longer than finding, and a word that thousands have ranks nothing.
    if (query.sort == "relevance") {
        found->size() > most_ranked ? void(asked.sort = "newest")
                                    : void(found = index_->found(database_, match, true));
    }
    return index->search(asked, viewer, found.get());
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
                          ", latest, document FROM records WHERE subject = ? AND +latest = 1");
    rows.bind(1, subject);
    return stored_of(rows, viewer);
}

std::vector<Hit>
Catalogue::hits_where(const char* condition, const std::string& value, const Viewer& viewer) const {
    Statement rows = database_.prepare(std::string("SELECT ") + hit_columns +
                                       " FROM records WHERE " + condition);
    rows.bind(1, value);
    std::vector<Hit> out;
    while (rows.step()) {
        if (visible_to(rows.text(visible_column), viewer)) {
            out.push_back(hit_of(rows));
        }
    }
    return out;
}

std::vector<Hit> Catalogue::versions(const std::string& subject, const Viewer& viewer) const {
    return hits_where("subject = ? ORDER BY version DESC", subject, viewer);
}

std::vector<Hit> Catalogue::reprocessed(const std::string& subject, const Viewer& viewer) const {
    return subject.empty()
               ? std::vector<Hit>{}
               : hits_where("source = ? AND +latest = 1 ORDER BY id DESC", subject, viewer);
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
        heed_signals();
        if (visible_to(rows.text(1), viewer)) {
            list.push_back(json::parse(rows.text(0), nullptr, false));
        }
    }
    return {{"ingest_type", "GMetaList"}, {"ingest_data", {{"gmeta", list}}}};
}

std::int64_t Catalogue::change() const {
    return change_of(database_);
}

}  // namespace xpcs::portal
