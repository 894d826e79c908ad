// SPDX-License-Identifier: BSD-3-Clause
#include "portal/command_line.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"

#include <algorithm>
#include <charconv>

namespace xpcs::portal {

CommandLine::CommandLine(std::string command,
                         const std::vector<std::string>& args,
                         const std::vector<OptionName>& options)
    : command_(std::move(command)) {
    bool only_words = false;
    for (std::size_t i = 0; i < args.size(); ++i) {
        if (only_words || !args[i].starts_with("-") || args[i] == "-") {
            positional_.push_back(args[i]);
            continue;
        }
        if (args[i] == "--") {
            only_words = true;
            continue;
        }
        const std::size_t equals =
            args[i].starts_with("--") ? args[i].find('=') : std::string::npos;
        const std::string name = args[i].substr(0, equals);
        const auto found = std::find_if(options.begin(), options.end(), [&](const OptionName& o) {
            return o.name == name || (!o.brief.empty() && o.brief == name);
        });
        if (found == options.end()) {
            std::vector<std::string> names;
            names.reserve(options.size());
            for (const OptionName& option : options) {
                names.push_back(option.name);
            }
            usage("unknown option '" + printable(name) + "'" + did_you_mean(name, names));
        }
        std::string value;
        if (equals != std::string::npos) {
            if (!found->takes_value) {
                usage(name + " takes no value");
            }
            value = args[i].substr(equals + 1);
        } else if (found->takes_value) {
            if (i + 1 >= args.size()) {
                usage(name + ": a value is missing");
            }
            value = args[++i];
        }
        values_[found->name].push_back(value);
    }
}

void CommandLine::usage(const std::string& message) const {
    throw Error(ExitCode::usage, command_ + ": " + message);
}

std::string CommandLine::value(const std::string& name, const std::string& otherwise) const {
    const auto found = values_.find(name);
    return found == values_.end() ? otherwise : found->second.back();
}

const std::vector<std::string>& CommandLine::values(const std::string& name) const {
    static const std::vector<std::string> none;
    const auto found = values_.find(name);
    return found == values_.end() ? none : found->second;
}

long long CommandLine::number(const std::string& name,
                              long long otherwise,
                              long long low,
                              long long high) const {
    if (!has(name)) {
        return otherwise;
    }
    const std::string text = value(name, "");
    long long number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number < low || number > high) {
        usage(name + " '" + printable(text) + "': a whole number from " + std::to_string(low) +
              " to " + std::to_string(high) + " is expected");
    }
    return number;
}

std::string CommandLine::only_positional(const std::string& what) const {
    if (positional_.size() != 1) {
        usage(positional_.empty() ? "no " + what + " given"
                                  : "one " + what + " is expected, '" + printable(positional_[1]) +
                                        "' is a second");
    }
    return positional_.front();
}

std::string CommandLine::required(const std::string& name) const {
    std::string text = value(name, "");
    if (text.empty()) {
        usage(name + " is missing");
    }
    return text;
}

}  // namespace xpcs::portal
