// SPDX-License-Identifier: BSD-3-Clause
#include "portal/sqlite.hpp"

#include "host/errors.hpp"
#include "host/stop.hpp"
#include "host/text.hpp"
#include "portal/stopping.hpp"

#include <sqlite3.h>

#include <chrono>
#include <filesystem>
#include <thread>

namespace xpcs::portal {

namespace {

constexpr int wait_ms = 20;  ///< for another process, before the next try
constexpr int most_waits = 30'000 / wait_ms;
constexpr int steps_between_looks = 100'000;  ///< of SQLite's machine: about a millisecond

/// Whether to wait on for a catalogue that another process writes.
int wait_on(void*, int waits) {
    if (waits >= most_waits || stop_requested()) return 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(wait_ms));
    return 1;
}

/// Whether to give up what a statement is doing.
int give_up(void*) {
    return stop_requested() ? 1 : 0;
}

}  // namespace

void Statement::Finish::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
}
void Database::Close::operator()(sqlite3* database) const {
    sqlite3_close_v2(database);
}

Statement::Statement(const Database& database, const std::string& sql) : database_(&database) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(
            database.get(), sql.c_str(), static_cast<int>(sql.size()), &statement, nullptr) !=
        SQLITE_OK) {
        database.fail("cannot prepare a query");
    }
    statement_.reset(statement);
}

Statement& Statement::bind(int index, const std::string& value) {
    sqlite3_bind_text64(
        statement_.get(), index, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    return *this;
}

Statement& Statement::bind(int index, std::int64_t value) {
    sqlite3_bind_int64(statement_.get(), index, value);
    return *this;
}

Statement& Statement::bind(int index, std::optional<double> value) {
    value ? sqlite3_bind_double(statement_.get(), index, *value)
          : sqlite3_bind_null(statement_.get(), index);
    return *this;
}

bool Statement::step() {
    const int state = sqlite3_step(statement_.get());
    if (state != SQLITE_ROW && state != SQLITE_DONE) {
        database_->fail("a query failed");
    }
    return state == SQLITE_ROW;
}

void Statement::run() {
    while (step()) {
    }
}

std::string Statement::text(int column) const {
    const auto* text = sqlite3_column_text(statement_.get(), column);
    return text == nullptr ? std::string()
                           : std::string(reinterpret_cast<const char*>(text),
                                         static_cast<std::size_t>(
                                             sqlite3_column_bytes(statement_.get(), column)));
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}

std::optional<double> Statement::real(int column) const {
    if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) {
        return std::nullopt;
    }
    return sqlite3_column_double(statement_.get(), column);
}

Database::Database(const std::string& path, bool create) : path_(path) {
    if (!create && !std::filesystem::exists(path)) {
        throw Error(ExitCode::no_input, "catalogue '" + printable(path) + "': does not exist");
    }
    sqlite3* database = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
    const int state = sqlite3_open_v2(path.c_str(), &database, flags, nullptr);
    database_.reset(database);
    if (state != SQLITE_OK) {
        throw Error(ExitCode::cannot_create,
                    "catalogue '" + printable(path) + "': " + sqlite3_errstr(state));
    }
    sqlite3_busy_handler(database, wait_on, nullptr);
    sqlite3_progress_handler(database, steps_between_looks, give_up, nullptr);
    // Of several processes that make a new file one is told at once that it is locked: SQLite does
    // not ask the busy handler here.
    for (int waits = 0;
         sqlite3_exec(database, "PRAGMA journal_mode=WAL", nullptr, nullptr, nullptr) != SQLITE_OK;
         ++waits) {
        if (sqlite3_errcode(database) != SQLITE_BUSY || wait_on(nullptr, waits) == 0) {
            fail("the file cannot be prepared");
        }
    }
    execute("PRAGMA synchronous=FULL");
    execute("PRAGMA foreign_keys=ON");
    execute("PRAGMA trusted_schema=OFF");
}

void Database::execute(const std::string& sql) const {
    if (sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
        fail("a command failed");
    }
}

std::int64_t Database::last_row() const {
    return sqlite3_last_insert_rowid(database_.get());
}

void Database::fail(const std::string& what) const {
    const int code = sqlite3_errcode(database_.get()) & 0xff;
    if (code == SQLITE_BUSY || code == SQLITE_INTERRUPT) heed_signals();
    const ExitCode exit = code == SQLITE_NOTADB || code == SQLITE_CORRUPT ? ExitCode::data
                          : code == SQLITE_ERROR                          ? ExitCode::internal
                          : code == SQLITE_NOMEM                          ? ExitCode::no_memory
                          : code == SQLITE_BUSY                           ? ExitCode::unavailable
                                                                          : ExitCode::io;
    throw Error(exit,
                "catalogue '" + printable(path_) + "': " + what + ": " +
                    printable(sqlite3_errmsg(database_.get())));
}

Transaction::Transaction(const Database& database) : database_(database) {
    database_.execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
    if (open_) {
        try {
            database_.execute("ROLLBACK");
        } catch (const Error&) {
            // The connection is gone, and the transaction with it.
        }
    }
}

void Transaction::commit() {
    database_.execute("COMMIT");
    open_ = false;
}

}  // namespace xpcs::portal
