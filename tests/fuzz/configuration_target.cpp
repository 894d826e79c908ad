// SPDX-License-Identifier: BSD-3-Clause
// Configuration files, JSON and YAML, and command lines.
#include "host/options.hpp"
#include "host/run_config.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <vector>

namespace xpcs::fuzz {

namespace {

void round_trip(const RunConfig& config) {
    const auto words = to_command_line(config);
    const RunConfig again = parse_options({words.begin(), words.end()});
    if (to_command_line(again) != words) found("a configuration that its command line alters");
}

}  // namespace

void one_input(Bytes input) {
    static Scratch json("c.json"), yaml("c.yaml");
    Choices choices(input);
    const std::uint8_t kind = choices.byte() % 3;
    const std::string_view text = text_of(choices.rest());
    tolerate([&] {
        if (kind == 0) {
            std::vector<std::string> words;
            for (std::size_t at = 0; at <= text.size();) {
                const std::size_t end = std::min(text.find('\n', at), text.size());
                words.emplace_back(text.substr(at, end - at));
                at = end + 1;
            }
            if (asks_for_help(words)) return;
            return round_trip(parse_options(words));
        }
        Scratch& file = kind == 1 ? json : yaml;
        round_trip(parse_options({"--config", file.write(text)}));
    });
}

}  // namespace xpcs::fuzz
