// SPDX-License-Identifier: BSD-3-Clause
// Arguments of a sub-command: long and short options, positional words.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace xpcs::portal {

struct OptionName {
    std::string name;   ///< "--output"
    std::string brief;  ///< "-o" or ""
    bool takes_value = false;
};

class CommandLine {
  public:
    /// Throws Error (usage) for unknown options (naming the nearest) and missing values.
    CommandLine(std::string command,
                const std::vector<std::string>& args,
                const std::vector<OptionName>& options);

    bool has(const std::string& name) const { return values_.count(name) > 0; }
    /// The last value given, or `otherwise`.
    std::string value(const std::string& name, const std::string& otherwise) const;
    const std::vector<std::string>& values(const std::string& name) const;
    /// Throws Error (usage) if not a whole number in [low, high].
    long long
    number(const std::string& name, long long otherwise, long long low, long long high) const;
    const std::vector<std::string>& positional() const { return positional_; }
    /// Throws Error (usage) unless there is exactly one.
    std::string only_positional(const std::string& what) const;
    /// Throws Error (usage) if `name` is missing.
    std::string required(const std::string& name) const;

  private:
    [[noreturn]] void usage(const std::string& message) const;
    std::string command_;
    std::map<std::string, std::vector<std::string>> values_;
    std::vector<std::string> positional_;
};

}  // namespace xpcs::portal
