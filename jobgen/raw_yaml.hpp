// SPDX-License-Identifier: BSD-3-Clause
// A YAML file as a tree in which everything knows its file and line, so that a message can say
// where. Duplicate keys, anchors to nowhere and several documents are refused.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace xpcs::jobgen {

struct Place {
    std::string file;
    int line = 0;  ///< from 1; 0 = the file as a whole
};

/// "file:12"
std::string to_string(const Place& place);

struct Raw {
    enum class Kind { null, scalar, list, map };
    Kind kind = Kind::null;
    std::string text;  ///< of a scalar
    std::vector<Raw> items;
    std::vector<std::pair<std::string, Raw>> members;
    Place place;

    // Declared here and defined where Raw is complete: clang 14 wants that of a type whose list of
    // members is a list of itself.
    Raw();
    ~Raw();
    Raw(const Raw& other);
    Raw(Raw&& other) noexcept;
    Raw& operator=(const Raw& other);
    Raw& operator=(Raw&& other) noexcept;

    const Raw* find(const std::string& key) const;
    Raw* find(const std::string& key);
};

/// Throws Error (config) with file and line.
Raw parse_yaml(const std::string& text, const std::string& file);

/// Reads a whole file. Throws Error (no_input).
std::string read_text(const std::string& path);

/// `over` on top of `base`: maps member by member, everything else is replaced.
Raw merge(Raw base, const Raw& over);

/// Throws Error (config): "file:line: message".
[[noreturn]] void refuse(const Place& place, const std::string& message);

// Typed reading; each refuses other content and names `what`.
std::string text_of(const Raw& raw, const std::string& what);
bool bool_of(const Raw& raw, const std::string& what);
long integer_of(const Raw& raw, const std::string& what, long low, long high);
std::vector<std::string> texts_of(const Raw& raw, const std::string& what);
/// "HH:MM:SS" in seconds; a bare number means other things to each scheduler and is refused.
long walltime_of(const Raw& raw, const std::string& what);

/// Seconds of "HH:MM:SS", -1 if it is none.
long parse_walltime(const std::string& text);
/// 3600 -> "01:00:00"
std::string walltime_text(long seconds);

}  // namespace xpcs::jobgen
