// SPDX-License-Identifier: BSD-3-Clause
// Options as a table: one row per option says name, unit, permitted range, default and help. The
// command-line parser, the help text, the configuration-file reader, to_command_line and
// docs/options.md are all made from it. Standard library only.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace xpcs {

enum class ValueKind {
    flag,     ///< false unless named; also --name=true and --name=false
    boolean,  ///< 0 | 1, true | false
    integer,
    real,
    text,
    choice,  ///< one of OptionSpec::choices
    list     ///< one or more texts; may be repeated, and then adds
};

struct OptionSpec {
    std::string name;        ///< long name without dashes, "begin-frame"
    std::string short_name;  ///< "b", "nf"; "" = none
    ValueKind kind = ValueKind::text;
    std::string metavar;  ///< "FILE", "N"
    std::string unit;     ///< "frames", "s"; "" = none
    double minimum = -std::numeric_limits<double>::infinity();
    double maximum = std::numeric_limits<double>::infinity();
    bool above_minimum = false;  ///< the minimum itself is not allowed
    std::vector<std::string> choices;
    std::string help;
    std::string group;
    std::vector<std::string> aliases;  ///< other long names that mean the same
    std::string default_text;          ///< "" = none

    /// What is allowed, in words: "at least 1 frame", "one of sqmap, dqmap".
    std::string allowed() const;
};

/// A value that an option cannot take. The message says value and range; whoever catches it adds
/// where the value came from.
class BadValue : public std::invalid_argument {
  public:
    using std::invalid_argument::invalid_argument;
};

namespace option_text {

/// Each throws BadValue with what `spec` allows. Integers and reals are checked against its range.
bool to_bool(const std::string& text, const OptionSpec& spec);
std::int64_t to_integer(const std::string& text, const OptionSpec& spec);
double to_real(const std::string& text, const OptionSpec& spec);
/// The choice as the table spells it; upper and lower case are the same.
std::string to_choice(const std::string& text, const OptionSpec& spec);

/// The shortest text that reads back as the same number.
std::string from_real(double value);

}  // namespace option_text

template <class Config>
struct Option {
    OptionSpec spec;
    std::function<void(Config&, const std::string&)> set;        ///< throws BadValue
    std::function<std::vector<std::string>(const Config&)> get;  ///< one text, or a list's
    std::function<void(Config&)> clear = [](Config&) {};         ///< empties a list
};

/// The options of one command, in the order of the help text.
template <class Config>
class OptionTable {
  public:
    explicit OptionTable(std::vector<Option<Config>> options) : options_(std::move(options)) {
        const Config defaults{};
        for (auto& option : options_) {
            const auto values = option.get(defaults);
            option.spec.default_text = values.empty() ? "" : values.front();
        }
    }
    const std::vector<Option<Config>>& options() const { return options_; }
    std::vector<OptionSpec> specs() const {
        std::vector<OptionSpec> out;
        for (const auto& option : options_) {
            out.push_back(option.spec);
        }
        return out;
    }

  private:
    std::vector<Option<Config>> options_;
};

/// Rows: option_row(spec, &Config::member).
template <class Config>
Option<Config> option_row(const OptionSpec& spec, bool Config::*member) {
    Option<Config> row;
    row.spec = spec;
    row.set = [spec, member](Config& c, const std::string& text) {
        c.*member = option_text::to_bool(text, spec);
    };
    const bool digits = spec.kind == ValueKind::boolean;
    row.get = [member, digits](const Config& c) {
        return std::vector<std::string>{c.*member ? (digits ? "1" : "true")
                                                  : (digits ? "0" : "false")};
    };
    return row;
}

template <class Config>
Option<Config> option_row(OptionSpec spec, std::int64_t Config::*member) {
    spec.kind = ValueKind::integer;
    Option<Config> row;
    row.set = [spec, member](Config& c, const std::string& text) {
        c.*member = option_text::to_integer(text, spec);
    };
    row.get = [member](const Config& c) {
        return std::vector<std::string>{std::to_string(c.*member)};
    };
    row.spec = std::move(spec);
    return row;
}

template <class Config>
Option<Config> option_row(OptionSpec spec, int Config::*member) {
    spec.kind = ValueKind::integer;
    if (spec.maximum > std::numeric_limits<int>::max()) {
        spec.maximum = std::numeric_limits<int>::max();
    }
    Option<Config> row;
    row.set = [spec, member](Config& c, const std::string& text) {
        c.*member = static_cast<int>(option_text::to_integer(text, spec));
    };
    row.get = [member](const Config& c) {
        return std::vector<std::string>{std::to_string(c.*member)};
    };
    row.spec = std::move(spec);
    return row;
}

template <class Config>
Option<Config> option_row(OptionSpec spec, double Config::*member) {
    spec.kind = ValueKind::real;
    Option<Config> row;
    row.set = [spec, member](Config& c, const std::string& text) {
        c.*member = option_text::to_real(text, spec);
    };
    row.get = [member](const Config& c) {
        return std::vector<std::string>{option_text::from_real(c.*member)};
    };
    row.spec = std::move(spec);
    return row;
}

/// A text, or one of `spec.choices` if there are any.
template <class Config>
Option<Config> option_row(OptionSpec spec, std::string Config::*member) {
    if (!spec.choices.empty()) {
        spec.kind = ValueKind::choice;
    }
    Option<Config> row;
    row.set = [spec, member](Config& c, const std::string& text) {
        c.*member = spec.choices.empty() ? text : option_text::to_choice(text, spec);
    };
    row.get = [member](const Config& c) { return std::vector<std::string>{c.*member}; };
    row.spec = std::move(spec);
    return row;
}

template <class Config>
Option<Config> option_row(OptionSpec spec, std::vector<std::string> Config::*member) {
    spec.kind = ValueKind::list;
    Option<Config> row;
    row.set = [member](Config& c, const std::string& text) { (c.*member).push_back(text); };
    row.get = [member](const Config& c) { return c.*member; };
    row.clear = [member](Config& c) { (c.*member).clear(); };
    row.spec = std::move(spec);
    return row;
}

/// An enumeration with the names `spec.choices`, in the order of its values from 0.
template <class Config, class Enum>
requires std::is_enum_v<Enum> Option<Config> option_row(OptionSpec spec, Enum Config::*member) {
    spec.kind = ValueKind::choice;
    Option<Config> row;
    row.set = [spec, member](Config& c, const std::string& text) {
        const std::string choice = option_text::to_choice(text, spec);
        for (std::size_t i = 0; i < spec.choices.size(); ++i) {
            if (spec.choices[i] == choice) {
                c.*member = static_cast<Enum>(i);
            }
        }
    };
    row.get = [member, names = spec.choices](const Config& c) {
        return std::vector<std::string>{names.at(static_cast<std::size_t>(c.*member))};
    };
    row.spec = std::move(spec);
    return row;
}

/// Arguments that give `config` back when parsed: `--name=value`, so that no value can be taken for
/// an option. Without `all`, only what differs from the defaults.
template <class Config>
std::vector<std::string>
arguments_of(const Config& config, const OptionTable<Config>& table, bool all) {
    const Config defaults{};
    std::vector<std::string> out;
    for (const auto& option : table.options()) {
        const auto values = option.get(config);
        if (!all && values == option.get(defaults)) {
            continue;
        }
        for (const auto& value : values) {
            const bool bare = option.spec.kind == ValueKind::flag && value == "true";
            out.push_back("--" + option.spec.name + (bare ? "" : "=" + value));
        }
    }
    return out;
}

}  // namespace xpcs
