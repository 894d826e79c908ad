// SPDX-License-Identifier: BSD-3-Clause
// Files of records on this machine: nothing outside of the root is ever opened.
#pragma once

#include "portal/catalogue.hpp"

#include <optional>
#include <string>

namespace xpcs::portal {

class FileRoot {
  public:
    /// Throws Error (no_input) if `root` is no directory.
    explicit FileRoot(const std::string& root);

    /// The real path of an existing file or directory below the root, links resolved; nothing for
    /// anything else.
    std::optional<std::string> inside(const std::string& path) const;
    /// Directory of a record: of file:///PATH, or of globus://COLLECTION/PATH below the root.
    std::optional<std::string> directory_of(const std::string& subject) const;
    /// A file that the record lists, by its path relative to the record.
    std::optional<std::string> file_of(const Stored& record, const std::string& relative) const;
    const std::string& path() const { return root_; }

  private:
    std::string root_;
};

struct RecordFile {
    std::string relative;  ///< to the record
    std::string type;
    std::int64_t bytes = 0;
};
/// Files of a record whose URL lies below its subject; at most 2000.
std::vector<RecordFile> files_of(const Stored& record);

}  // namespace xpcs::portal
