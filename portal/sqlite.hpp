// SPDX-License-Identifier: BSD-3-Clause
// SQLite with handles that close themselves and calls that throw.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

struct sqlite3;
struct sqlite3_stmt;

namespace xpcs::portal {

class Database;

/// A prepared statement. Parameters count from 1, columns from 0.
class Statement {
  public:
    Statement& bind(int index, const std::string& value);
    Statement& bind(int index, std::int64_t value);
    Statement& bind(int index, std::optional<double> value);
    /// True while there is a row.
    bool step();
    /// Runs to the end.
    void run();
    std::string text(int column) const;
    std::int64_t integer(int column) const;
    std::optional<double> real(int column) const;  ///< empty for NULL

  private:
    friend class Database;
    Statement(const Database& database, const std::string& sql);
    struct Finish {
        void operator()(sqlite3_stmt* statement) const;
    };
    const Database* database_;
    std::unique_ptr<sqlite3_stmt, Finish> statement_;
};

/// Write-ahead log, 30 s of patience with other writers, foreign keys on. One thread at a time.
/// Throws Error: no_input (missing, unless `create`), data (no database), io, cannot_create.
class Database {
  public:
    Database(const std::string& path, bool create);
    Statement prepare(const std::string& sql) const { return Statement(*this, sql); }
    void execute(const std::string& sql) const;
    std::int64_t last_row() const;
    [[noreturn]] void fail(const std::string& what) const;
    sqlite3* get() const { return database_.get(); }

  private:
    struct Close {
        void operator()(sqlite3* database) const;
    };
    std::string path_;
    std::unique_ptr<sqlite3, Close> database_;
};

/// BEGIN IMMEDIATE; rolled back unless commit().
class Transaction {
  public:
    explicit Transaction(const Database& database);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    void commit();

  private:
    const Database& database_;
    bool open_ = true;
};

}  // namespace xpcs::portal
