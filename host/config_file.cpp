// SPDX-License-Identifier: BSD-3-Clause
#include "host/config_file.hpp"

#include "host/arguments.hpp"
#include "host/text.hpp"

#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>

namespace xpcs {

namespace {

constexpr std::uintmax_t largest_file_bytes = 16u << 20;

enum class Type { null, boolean, number, text, plain };  // plain: YAML without quotes, may be any

struct Value {
    Type type = Type::null;
    std::string text;
};

struct Entry {
    std::string key;
    int line = 0;
    bool is_list = false;
    std::vector<Value> values;
};

[[noreturn]] void refuse(const std::string& message) {
    throw Error(ExitCode::config, message);
}

std::string at(const std::string& path, int line) {
    return printable(path, 200) + ":" + std::to_string(line) + ": ";
}

std::string read_all(const std::string& path) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    std::ifstream file(path, std::ios::binary);
    if (error || !file) {
        throw Error(ExitCode::no_input, "cannot read configuration file '" + printable(path) + "'");
    }
    if (size > largest_file_bytes) {
        refuse("configuration file '" + printable(path) + "' has " + std::to_string(size) +
               " bytes; at most " + std::to_string(largest_file_bytes) + " are read");
    }
    return {std::istreambuf_iterator<char>(file), {}};
}

// Counts the lines that the JSON parser has taken in, which knows no lines of its own.
class CountingIterator {
  public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;
    CountingIterator(const char* place, int* line) : place_(place), line_(line) {}
    reference operator*() const { return *place_; }
    CountingIterator& operator++() {
        *line_ += *place_ == '\n' ? 1 : 0;
        ++place_;
        return *this;
    }
    CountingIterator operator++(int) {
        auto old = *this;
        ++*this;
        return old;
    }
    bool operator==(const CountingIterator& other) const { return place_ == other.place_; }
    bool operator!=(const CountingIterator& other) const { return place_ != other.place_; }

  private:
    const char* place_;
    int* line_;
};

// Takes one object of scalars and lists of scalars.
class JsonEntries : public nlohmann::json_sax<nlohmann::json> {
  public:
    JsonEntries(const std::string& path, const int* line, std::vector<Entry>& out)
        : path_(path), line_(line), out_(out) {}

    bool null() override { return add({Type::null, ""}); }
    bool boolean(bool value) override { return add({Type::boolean, value ? "true" : "false"}); }
    bool number_integer(number_integer_t value) override {
        return add({Type::number, std::to_string(value)});
    }
    bool number_unsigned(number_unsigned_t value) override {
        return add({Type::number, std::to_string(value)});
    }
    bool number_float(number_float_t, const string_t& text) override {
        return add({Type::number, text});
    }
    bool string(string_t& value) override { return add({Type::text, value}); }
    bool binary(binary_t&) override { return false; }
    bool start_object(std::size_t) override {
        if (++depth_ > 1 || in_list_) {
            refuse(at(path_, *line_) + "an object inside; only one level of key and value is read");
        }
        return true;
    }
    bool key(string_t& name) override {
        out_.push_back({name, *line_, false, {}});
        return true;
    }
    bool end_object() override { return true; }
    bool start_array(std::size_t) override {
        if (depth_ == 0 || in_list_) {
            refuse(at(path_, *line_) + "a list where an object with the options is expected");
        }
        in_list_ = true;
        out_.back().is_list = true;
        return true;
    }
    bool end_array() override {
        in_list_ = false;
        return true;
    }
    bool parse_error(std::size_t,
                     const std::string& last_token,
                     const nlohmann::json::exception&) override {
        refuse(at(path_, *line_) + "not valid JSON near '" + printable(last_token, 60) + "'");
    }

  private:
    const std::string& path_;
    const int* line_;
    std::vector<Entry>& out_;
    int depth_ = 0;
    bool in_list_ = false;

    bool add(Value value) {
        if (depth_ == 0) {
            refuse(at(path_, *line_) +
                   "a single value where an object with the options is expected");
        }
        out_.back().values.push_back(std::move(value));
        return true;
    }
};

std::vector<Entry> read_json(const std::string& path, const std::string& content) {
    std::vector<Entry> out;
    int line = 1;
    JsonEntries sax(path, &line, out);
    const char* begin = content.data();
    const char* end = begin + content.size();
    // A byte order mark is no part of JSON, but editors write it.
    if (content.rfind("\xEF\xBB\xBF", 0) == 0) {
        begin += 3;
    }
    nlohmann::json::sax_parse(CountingIterator(begin, &line), CountingIterator(end, &line), &sax);
    return out;
}

Value yaml_value(const YAML::Node& node) {
    if (node.IsNull()) {
        return {};
    }
    return {node.Tag() == "?" ? Type::plain : Type::text, node.Scalar()};
}

std::vector<Entry> read_yaml(const std::string& path, const std::string& content) {
    std::vector<Entry> out;
    if (content.find('\0') != std::string::npos) {  // for the library the text would end there
        refuse(at(path, 1) + "has a zero byte; text expected");
    }
    try {
        const YAML::Node root = YAML::Load(content);
        if (root.IsNull()) {
            return out;
        }
        if (!root.IsMap()) {
            refuse(at(path, 1) + "expected options as 'key: value' lines");
        }
        for (const auto& pair : root) {
            const int line = pair.first.Mark().line + 1;
            if (!pair.first.IsScalar()) {
                refuse(at(path, line) + "a key that is not a name");
            }
            Entry entry{pair.first.Scalar(), line, pair.second.IsSequence(), {}};
            const bool scalar = pair.second.IsScalar() || pair.second.IsNull();
            if (!scalar && !entry.is_list) {
                refuse(at(path, line) + printable(entry.key, 60) +
                       ": nested options; only one level of key and value is read");
            }
            if (scalar) {
                entry.values.push_back(yaml_value(pair.second));
            } else {
                for (const auto& item : pair.second) {
                    if (!item.IsScalar() && !item.IsNull()) {
                        refuse(at(path, line) + printable(entry.key, 60) +
                               ": a list inside a list");
                    }
                    entry.values.push_back(yaml_value(item));
                }
            }
            out.push_back(std::move(entry));
        }
    } catch (const YAML::Exception& e) {
        refuse(at(path, e.mark.line + 1) + "not valid YAML: " + printable(e.msg, 200));
    }
    return out;
}

bool ends_with(const std::string& text, const std::string& end) {
    return text.size() >= end.size() &&
           text.compare(text.size() - end.size(), end.size(), end) == 0;
}

bool is_json(const std::string& path, const std::string& content) {
    if (ends_with(path, ".json") || ends_with(path, ".yaml") || ends_with(path, ".yml")) {
        return ends_with(path, ".json");
    }
    const auto first = content.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
    return first != std::string::npos && content[first] == '{';
}

std::string as_name(std::string key) {
    std::replace(key.begin(), key.end(), '_', '-');
    return key;
}

std::size_t find_option(const std::string& where,
                        const std::string& key,
                        const std::vector<OptionSpec>& specs) {
    const std::string name = as_name(key);
    for (std::size_t i = 0; i < specs.size(); ++i) {
        const auto& aliases = specs[i].aliases;
        if (specs[i].name == name || std::count(aliases.begin(), aliases.end(), name) > 0) {
            if (name == "config") {
                refuse(where + "config: a configuration file cannot name another one");
            }
            return i;
        }
    }
    std::vector<std::string> known;
    for (auto one : option_names(specs)) {
        std::replace(one.begin(), one.end(), '-', '_');
        known.push_back(std::move(one));
    }
    std::string word = key;
    std::replace(word.begin(), word.end(), '-', '_');
    refuse(where + "unknown key '" + printable(key, 120) + "'" + did_you_mean(word, known));
}

bool suits(ValueKind kind, const Value& value) {
    switch (kind) {
    case ValueKind::flag:
        return value.type == Type::boolean || value.type == Type::plain;
    case ValueKind::boolean:
        return value.type != Type::text;
    case ValueKind::integer:
    case ValueKind::real:
        return value.type == Type::number || value.type == Type::plain;
    case ValueKind::text:
    case ValueKind::choice:
    case ValueKind::list:
        break;
    }
    return value.type == Type::text || value.type == Type::plain;
}

std::string wanted(const OptionSpec& spec) {
    switch (spec.kind) {
    case ValueKind::flag:
        return "true or false";
    case ValueKind::list:
        return "a text or a list of texts";
    case ValueKind::text:
        return "a text (in quotes)";
    default:
        return spec.allowed();
    }
}

}  // namespace

std::vector<FileValue> read_config_file(const std::string& path,
                                        const std::vector<OptionSpec>& specs) {
    const std::string content = read_all(path);
    const auto entries =
        is_json(path, content) ? read_json(path, content) : read_yaml(path, content);
    std::vector<FileValue> out;
    std::set<std::size_t> seen;
    for (const auto& entry : entries) {
        const std::string line = at(path, entry.line);
        const std::size_t index = find_option(line, entry.key, specs);
        const OptionSpec& spec = specs[index];
        const std::string where = line + printable(entry.key, 60);
        if (!seen.insert(index).second) {
            refuse(where + ": given twice");
        }
        if (!entry.is_list && entry.values.front().type == Type::null) {
            continue;
        }
        if (entry.is_list && spec.kind != ValueKind::list) {
            refuse(where + ": a list is not allowed; " + wanted(spec) + " is");
        }
        FileValue value{index, {}, where};
        for (const auto& one : entry.values) {
            if (!suits(spec.kind, one)) {
                refuse(where + ": '" + printable(one.text, 120) + "' is of the wrong type; " +
                       wanted(spec) + " is allowed");
            }
            value.values.push_back(one.text);
        }
        out.push_back(std::move(value));
    }
    return out;
}

}  // namespace xpcs
