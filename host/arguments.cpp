// SPDX-License-Identifier: BSD-3-Clause
#include "host/arguments.hpp"

#include "host/text.hpp"

#include <boost/program_options.hpp>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <set>

namespace po = boost::program_options;

namespace xpcs {

namespace {

const std::string help_name = "help";

[[noreturn]] void usage(const std::string& message) {
    throw Error(ExitCode::usage, message);
}

std::string with_dashes(std::string name) {
    std::replace(name.begin(), name.end(), '_', '-');
    return name;
}

bool is_negative_number(const std::string& text) {
    // from_chars also reads "-inf", which is -i nf here.
    if (text.size() < 2 ||
        (std::isdigit(static_cast<unsigned char>(text[1])) == 0 && text[1] != '.')) {
        return false;
    }
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
}

// Options begin with a dash and a letter or a second dash; "-200", "-" and "- 5" are values.
bool is_option(const std::string& token) {
    return token.size() > 1 && token[0] == '-' && !is_negative_number(token) &&
           (token[1] == '-' || std::isalpha(static_cast<unsigned char>(token[1])) != 0);
}

// Turns the tokens at the front of the command line into options with one value each. Boost calls
// it again and again until the line is used up.
class ArgparseStyle {
  public:
    explicit ArgparseStyle(const std::vector<OptionSpec>& specs) : specs_(specs) {
        for (const auto& spec : specs) {
            names_.add_options()(spec.name.c_str(), po::value<std::string>(), "");
            for (const auto& alias : spec.aliases) {
                names_.add_options()(alias.c_str(), po::value<std::string>(), "");
            }
        }
    }
    const po::options_description& names() const { return names_; }

    std::vector<po::option> operator()(std::vector<std::string>& tokens) const {
        const std::string token = tokens.front();
        if (only_positional_ || !is_option(token)) {
            return {positional(tokens)};
        }
        if (token == "--") {
            tokens.erase(tokens.begin());
            only_positional_ = true;
            return tokens.empty() ? std::vector<po::option>{} : operator()(tokens);
        }
        tokens.erase(tokens.begin());
        return token[1] == '-' ? long_option(token, tokens) : short_option(token, tokens);
    }

    const OptionSpec& spec_of(const std::string& name) const {
        return *std::find_if(specs_.begin(), specs_.end(), [&](const OptionSpec& spec) {
            return spec.name == name || std::count(spec.aliases.begin(), spec.aliases.end(), name);
        });
    }

  private:
    const std::vector<OptionSpec>& specs_;
    po::options_description names_;
    mutable bool only_positional_ = false;

    static po::option positional(std::vector<std::string>& tokens) {
        po::option option;
        option.value = {tokens.front()};
        option.original_tokens = {tokens.front()};
        tokens.erase(tokens.begin());
        return option;
    }

    static po::option
    made(const OptionSpec& spec, const std::string& value, const std::string& as_written) {
        po::option option(spec.name, {value});
        option.original_tokens = {as_written};
        return option;
    }

    const OptionSpec* short_spec(const std::string& name) const {
        const auto found = std::find_if(specs_.begin(), specs_.end(), [&](const OptionSpec& spec) {
            return !spec.short_name.empty() && spec.short_name == name;
        });
        return found == specs_.end() ? nullptr : &*found;
    }

    // The value(s) of an option whose value is not attached to it.
    std::vector<po::option> take_values(const OptionSpec& spec,
                                        const std::string& as_written,
                                        std::vector<std::string>& tokens) const {
        if (spec.kind == ValueKind::flag) {
            return {made(spec, "true", as_written)};
        }
        if (tokens.empty() || is_option(tokens.front())) {
            usage(as_written + " needs a value" +
                  (spec.allowed() == "any text" ? "" : " (" + spec.allowed() + ")") +
                  (tokens.empty()
                       ? ""
                       : "; if '" + printable(tokens.front(), 120) + "' is meant, write --" +
                             spec.name + "=" + printable(tokens.front(), 120)));
        }
        std::vector<po::option> out;
        do {
            out.push_back(made(spec, tokens.front(), as_written));
            tokens.erase(tokens.begin());
        } while (spec.kind == ValueKind::list && !tokens.empty() && !is_option(tokens.front()));
        return out;
    }

    std::vector<po::option> long_option(const std::string& token,
                                        std::vector<std::string>& tokens) const {
        const auto equals = token.find('=');
        const std::string written = token.substr(0, equals);
        const OptionSpec& spec = resolve(written);
        if (equals != std::string::npos) {
            return {made(spec, token.substr(equals + 1), written)};
        }
        return take_values(spec, written, tokens);
    }

    const OptionSpec& resolve(const std::string& written) const {
        const std::string name = with_dashes(written.substr(2));
        try {
            if (const auto* found = names_.find_nothrow(name, true)) {
                return spec_of(found->long_name());
            }
        } catch (const po::ambiguous_option& e) {
            std::set<std::string> meant;
            for (const auto& alternative : e.alternatives()) {
                meant.insert(spec_of(alternative).name);
            }
            if (meant.size() == 1) {
                return spec_of(*meant.begin());
            }
            std::string list;
            for (const auto& one : meant) {
                list += (list.empty() ? "--" : ", --") + one;
            }
            usage("option '" + printable(written, 120) + "' may mean " + list +
                  "; write it in full");
        }
        unknown(written, name);
    }

    [[noreturn]] void unknown(const std::string& written, const std::string& name) const {
        const std::string near = nearest(name, option_names(specs_));
        usage("unknown option '" + printable(written, 120) + "'" +
              (near.empty() ? "; --help lists the options" : " (did you mean '--" + near + "'?)"));
    }

    std::vector<po::option> short_option(const std::string& token,
                                         std::vector<std::string>& tokens) const {
        const auto equals = token.find('=');
        const std::string written = token.substr(0, equals);
        if (const OptionSpec* spec = short_spec(written.substr(1))) {
            if (equals != std::string::npos) {
                return {made(*spec, token.substr(equals + 1), written)};
            }
            return take_values(*spec, written, tokens);
        }
        refuse_lookalikes(token, written);
        return cluster(token, tokens);
    }

    // -nf0 would be read as -n -f 0, and -begin_frame as -b egin_frame: never what was meant.
    void refuse_lookalikes(const std::string& token, const std::string& written) const {
        if (token.size() > 3 && short_spec(token.substr(1, 2)) != nullptr) {
            usage("'" + printable(token, 120) + "': write " + token.substr(0, 3) + " " +
                  printable(token.substr(3), 120) + ", with a space");
        }
        const std::string name = with_dashes(written.substr(1));
        if (name.size() > 2 && names_.find_nothrow(name, false) != nullptr) {
            unknown(written, name);
        }
    }

    // -vwG are three flags; -i0 is -i 0; -vi0 is both.
    std::vector<po::option> cluster(const std::string& token,
                                    std::vector<std::string>& tokens) const {
        std::vector<po::option> out;
        for (std::size_t at = 1; at < token.size(); ++at) {
            const std::string written = std::string("-") + token[at];
            const OptionSpec* spec = short_spec(written.substr(1));
            if (spec == nullptr) {
                unknown(token, with_dashes(token.substr(1)));
            }
            if (spec->kind == ValueKind::flag) {
                out.push_back(made(*spec, "true", written));
                continue;
            }
            if (at + 1 < token.size()) {
                out.push_back(made(*spec, token.substr(at + 1), written));
                return out;
            }
            const auto values = take_values(*spec, written, tokens);
            out.insert(out.end(), values.begin(), values.end());
        }
        return out;
    }
};

std::vector<OptionSpec> with_help(std::vector<OptionSpec> specs) {
    OptionSpec help;
    help.name = help_name;
    help.short_name = "h";
    help.kind = ValueKind::flag;
    specs.push_back(help);
    return specs;
}

// Breaks a text at blanks so that no line is longer than `width`.
std::vector<std::string> wrapped(const std::string& text, std::size_t width) {
    std::vector<std::string> lines(1);
    std::size_t at = 0;
    while (at < text.size()) {
        const auto end = std::min(text.find(' ', at), text.size());
        const std::string word = text.substr(at, end - at);
        if (!lines.back().empty() && lines.back().size() + 1 + word.size() > width) {
            lines.emplace_back();
        }
        lines.back() += (lines.back().empty() ? "" : " ") + word;
        at = end + 1;
    }
    return lines;
}

std::string shown_default(const OptionSpec& spec) {
    if (spec.kind == ValueKind::flag || spec.kind == ValueKind::list) {
        return "";
    }
    return spec.default_text;
}

std::string markdown_cell(std::string text) {
    for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) {
        text.insert(at, 1, '\\');
    }
    return text;
}

std::vector<std::string> groups_of(const std::vector<OptionSpec>& specs) {
    std::vector<std::string> groups;
    for (const auto& spec : specs) {
        if (std::find(groups.begin(), groups.end(), spec.group) == groups.end()) {
            groups.push_back(spec.group);
        }
    }
    return groups;
}

bool has_range(const OptionSpec& spec) {
    return spec.kind == ValueKind::integer || spec.kind == ValueKind::real ||
           spec.kind == ValueKind::choice || spec.kind == ValueKind::boolean;
}

}  // namespace

std::vector<std::string> option_names(const std::vector<OptionSpec>& specs) {
    std::vector<std::string> names;
    for (const auto& spec : specs) {
        names.push_back(spec.name);
        names.insert(names.end(), spec.aliases.begin(), spec.aliases.end());
    }
    return names;
}

Arguments parse_arguments(const std::vector<std::string>& args,
                          const std::vector<OptionSpec>& specs,
                          bool takes_positional) {
    const std::vector<OptionSpec> all = with_help(specs);
    const ArgparseStyle style(all);
    const auto parsed =
        po::command_line_parser(args)
            .options(style.names())
            .extra_style_parser([&](std::vector<std::string>& t) { return style(t); })
            .run();
    Arguments out;
    std::vector<std::string> surplus;
    for (const auto& option : parsed.options) {
        if (option.string_key.empty()) {
            surplus.push_back(option.value.front());
            continue;
        }
        const auto index = static_cast<std::size_t>(&style.spec_of(option.string_key) - all.data());
        if (index == specs.size()) {
            out.help = true;
            return out;
        }
        out.assignments.push_back({index, option.value.front(), option.original_tokens.front()});
    }
    if (!takes_positional && !surplus.empty()) {
        usage("unexpected argument '" + printable(surplus.front(), 120) +
              "'; every value follows an option, and a value with blanks needs quotes");
    }
    out.positional = std::move(surplus);
    return out;
}

std::string option_remark(const OptionSpec& spec) {
    std::string out = has_range(spec) ? spec.allowed() : "";
    const std::string value = shown_default(spec);
    if (!value.empty()) {
        out += (out.empty() ? "default " : "; default ") + value;
    }
    return out.empty() ? "" : "[" + out + "]";
}

std::string options_help(const std::vector<OptionSpec>& specs) {
    constexpr std::size_t column = 26, width = 80;
    std::string out;
    for (const auto& group : groups_of(specs)) {
        out += (out.empty() ? "" : "\n") + group + ":\n";
        for (const auto& spec : specs) {
            if (spec.group != group) {
                continue;
            }
            std::string left = "  " +
                               (spec.short_name.empty() ? "" : "-" + spec.short_name + ", ") +
                               "--" + spec.name + (spec.metavar.empty() ? "" : " " + spec.metavar);
            const std::string remark = option_remark(spec);
            const auto lines =
                wrapped(spec.help + (remark.empty() ? "" : " " + remark), width - column);
            if (left.size() + 2 > column) {
                out += left + "\n";
                left.clear();
            }
            for (const auto& line : lines) {
                left.resize(column, ' ');
                out += left + line + "\n";
                left.clear();
            }
        }
    }
    return out;
}

std::string options_markdown(const std::vector<OptionSpec>& specs) {
    std::string out;
    for (const auto& group : groups_of(specs)) {
        out += (out.empty() ? "### " : "\n### ") + group +
               "\n\n| option | value | default | meaning |\n|---|---|---|---|\n";
        for (const auto& spec : specs) {
            if (spec.group != group) {
                continue;
            }
            std::string names = spec.short_name.empty() ? "" : "`-" + spec.short_name + "` ";
            names += "`--" + spec.name + "`";
            for (const auto& alias : spec.aliases) {
                names += ", `--" + alias + "`";
            }
            std::string value = spec.metavar;
            if (has_range(spec)) {
                value = spec.allowed();
            }
            out += "| " + markdown_cell(names) + " | " + markdown_cell(value) + " | " +
                   markdown_cell(shown_default(spec)) + " | " + markdown_cell(spec.help) + " |\n";
        }
    }
    return out;
}

}  // namespace xpcs
