// SPDX-License-Identifier: BSD-3-Clause
#include "jobgen/raw_yaml.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <set>
#include <sstream>

namespace xpcs::jobgen {

std::string to_string(const Place& place) {
    return place.line > 0 ? place.file + ":" + std::to_string(place.line) : place.file;
}

void refuse(const Place& place, const std::string& message) {
    throw Error(ExitCode::config, to_string(place) + ": " + message);
}

Raw::Raw() = default;
Raw::~Raw() = default;
Raw::Raw(const Raw& other) = default;
Raw::Raw(Raw&& other) noexcept = default;
Raw& Raw::operator=(const Raw& other) = default;
Raw& Raw::operator=(Raw&& other) noexcept = default;

const Raw* Raw::find(const std::string& key) const {
    for (const auto& [name, value] : members) {
        if (name == key) {
            return &value;
        }
    }
    return nullptr;
}

Raw* Raw::find(const std::string& key) {
    return const_cast<Raw*>(static_cast<const Raw*>(this)->find(key));
}

namespace {

constexpr int max_depth = 32;
constexpr int max_nodes = 100'000;

/// `nodes` counts what is made: aliases of aliases make a file of ten lines as large as one likes.
Raw convert(const YAML::Node& node, const std::string& file, int depth, int& nodes) {
    Raw raw;
    raw.place = {file, node.Mark().line + 1};
    if (++nodes > max_nodes) {
        refuse(raw.place, "more than " + std::to_string(max_nodes) + " values, aliases counted");
    }
    if (depth > max_depth) {
        refuse(raw.place, "nested deeper than " + std::to_string(max_depth) + " levels");
    }
    if (node.IsScalar()) {
        raw.kind = Raw::Kind::scalar;
        raw.text = node.Scalar();
    } else if (node.IsSequence()) {
        raw.kind = Raw::Kind::list;
        for (const auto& item : node) {
            raw.items.push_back(convert(item, file, depth + 1, nodes));
        }
    } else if (node.IsMap()) {
        raw.kind = Raw::Kind::map;
        std::set<std::string> seen;
        for (const auto& member : node) {
            const Place place{file, member.first.Mark().line + 1};
            if (!member.first.IsScalar()) {
                refuse(place, "a key must be a word");
            }
            const std::string key = member.first.Scalar();
            if (!seen.insert(key).second) {
                refuse(place, "key '" + printable(key) + "' stands twice");
            }
            Raw value = convert(member.second, file, depth + 1, nodes);
            value.place = place;
            raw.members.emplace_back(key, std::move(value));
        }
    }
    return raw;
}

/// What the library tells of a document, when nobody asks.
class Unheard : public YAML::EventHandler {
  public:
    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void
    OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
    void OnSequenceStart(const YAML::Mark&,
                         const std::string&,
                         YAML::anchor_t,
                         YAML::EmitterStyle::value) override {}
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark&,
                    const std::string&,
                    YAML::anchor_t,
                    YAML::EmitterStyle::value) override {}
    void OnMapEnd() override {}
};

/// 0, 1, or 2 for more. The library's LoadAll finds documents without end where a comma is the
/// first thing of one.
int count_documents(const std::string& text) {
    std::istringstream in(text);
    YAML::Parser parser(in);
    Unheard unheard;
    int n = 0;
    while (n < 2 && parser.HandleNextDocument(unheard))
        ++n;
    return n;
}

}  // namespace

Raw parse_yaml(const std::string& text, const std::string& file) {
    // For the library a zero byte ends the text, but not the search for more documents.
    if (const std::size_t zero = text.find('\0'); zero != std::string::npos) {
        const auto line = std::count(text.begin(), text.begin() + static_cast<long>(zero), '\n');
        refuse({file, static_cast<int>(line) + 1}, "a zero byte; text expected");
    }
    try {
        const int documents = count_documents(text);
        if (documents > 1) {
            refuse({file, 0}, "holds several documents, or begins with a comma; one expected");
        }
        if (documents == 0) {
            return {};
        }
        int nodes = 0;
        return convert(YAML::Load(text), file, 0, nodes);
    } catch (const YAML::Exception& error) {
        refuse({file, error.mark.line + 1}, "not YAML: " + printable(error.msg));
    }
}

std::string read_text(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    if (!in || !(text << in.rdbuf())) {
        // An empty file sets failbit on <<; tell it from one that cannot be read.
        std::ifstream again(path, std::ios::binary);
        if (again && again.peek() == std::ifstream::traits_type::eof() && !again.bad()) {
            return "";
        }
        throw Error(ExitCode::no_input, printable(path) + ": cannot be read");
    }
    return text.str();
}

Raw merge(Raw base, const Raw& over) {
    if (base.kind != Raw::Kind::map || over.kind != Raw::Kind::map) {
        return over;
    }
    for (const auto& [key, value] : over.members) {
        if (Raw* there = base.find(key)) {
            *there = merge(std::move(*there), value);
        } else {
            base.members.emplace_back(key, value);
        }
    }
    base.place = over.place;
    return base;
}

std::string text_of(const Raw& raw, const std::string& what) {
    if (raw.kind == Raw::Kind::null) {
        return "";
    }
    if (raw.kind != Raw::Kind::scalar) {
        refuse(raw.place, what + " must be a text");
    }
    if (raw.text.find('\0') != std::string::npos) {
        refuse(raw.place, what + " holds a zero byte");
    }
    return raw.text;
}

bool bool_of(const Raw& raw, const std::string& what) {
    const std::string text = text_of(raw, what);
    if (text != "true" && text != "false") {
        refuse(raw.place, what + " is '" + printable(text) + "'; allowed: true, false");
    }
    return text == "true";
}

long integer_of(const Raw& raw, const std::string& what, long low, long high) {
    const std::string text = text_of(raw, what);
    long value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
        refuse(raw.place,
               what + " is '" + printable(text) + "'; allowed: a whole number from " +
                   std::to_string(low) + " to " + std::to_string(high));
    }
    return value;
}

std::vector<std::string> texts_of(const Raw& raw, const std::string& what) {
    if (raw.kind == Raw::Kind::null) {
        return {};
    }
    if (raw.kind != Raw::Kind::list) {
        refuse(raw.place, what + " must be a list, as in [a, b]");
    }
    std::vector<std::string> texts;
    for (const Raw& item : raw.items) {
        texts.push_back(text_of(item, what));
    }
    return texts;
}

long parse_walltime(const std::string& text) {
    long part[3] = {0, 0, 0};
    const char* at = text.data();
    const char* const end = at + text.size();
    for (int i = 0; i < 3; ++i) {
        const auto [next, error] = std::from_chars(at, end, part[i]);
        if (error != std::errc() || next == at || next - at > 5 || part[i] < 0) {
            return -1;
        }
        at = next;
        if (i < 2 && (at == end || *at++ != ':')) {
            return -1;
        }
    }
    if (at != end || part[1] > 59 || part[2] > 59) {
        return -1;
    }
    return part[0] * 3600 + part[1] * 60 + part[2];
}

std::string walltime_text(long seconds) {
    char text[32];
    std::snprintf(
        text, sizeof text, "%02ld:%02ld:%02ld", seconds / 3600, seconds / 60 % 60, seconds % 60);
    return text;
}

long walltime_of(const Raw& raw, const std::string& what) {
    const std::string text = text_of(raw, what);
    const long seconds = parse_walltime(text);
    if (seconds <= 0) {
        refuse(raw.place, what + " is '" + printable(text) + "'; allowed: \"HH:MM:SS\"");
    }
    return seconds;
}

}  // namespace xpcs::jobgen
