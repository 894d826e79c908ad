// SPDX-License-Identifier: BSD-3-Clause
#include "host/config_notes.hpp"

#include <algorithm>

namespace xpcs {

namespace {

/// Options that only some of the readers know, by the beginning of the format's name.
struct FormatOption {
    const char* name;
    bool (*given)(const RunConfig&);
    std::vector<std::string> formats;
};

const std::vector<FormatOption>& format_options() {
    static const RunConfig defaults;
    static const std::vector<FormatOption> options{
        {"--dataset", [](const RunConfig& c) { return !c.dataset.empty(); }, {"hdf5"}},
        {"--channel", [](const RunConfig& c) { return !c.channel.empty(); }, {"hdf5"}},
        {"--ftf-bit-order",
         [](const RunConfig& c) { return c.ftf_bit_order != defaults.ftf_bit_order; },
         {"rigaku3m-ftf"}},
        {"--run-config-path",
         [](const RunConfig& c) { return !c.run_config_path.empty(); },
         {"timepix4"}},
        {"--allow-missing-module",
         [](const RunConfig& c) { return c.allow_missing_module; },
         {"rigaku3m"}},
        {"--allow-truncated",
         [](const RunConfig& c) { return c.allow_truncated; },
         {"imm", "timepix4"}}};
    return options;
}

}  // namespace

std::vector<std::string> options_without_effect(const RunConfig& config) {
    const RunConfig defaults;
    const std::string type = to_string(config.type);
    std::vector<std::string> notes;
    const auto note = [&](bool idle, const std::string& option, const std::string& owner) {
        if (idle) notes.push_back(option + " has no effect: it belongs to " + owner);
    };
    const bool multitau = has_multitau(config.type), maps = has_twotime(config.type);
    const bool two_time = config.type != AnalysisType::multitau;
    note(config.save_G2 && !multitau, "-G", "the multi-tau analysis, -t is " + type);
    note(config.num_partial_g2 > 0 && !multitau, "-np", "the multi-tau analysis, -t is " + type);
    note(config.dq_selection != defaults.dq_selection && !two_time,
         "-d " + config.dq_selection,
         "the two-time analyses, -t is " + type);
    note(config.smooth != defaults.smooth && !maps,
         "-s " + config.smooth,
         "two-time maps, -t is " + type);
    note(config.dry_run && !config.summary.empty(), "--summary", "runs, and --dry-run makes none");
    return notes;
}

std::vector<std::string> options_without_effect(const RunConfig& config, const SourceInfo& source) {
    std::vector<std::string> notes;
    for (const FormatOption& option : format_options()) {
        const bool known =
            std::any_of(option.formats.begin(), option.formats.end(), [&](const std::string& name) {
                return source.format.starts_with(name);
            });
        if (option.given(config) && !known) {
            notes.push_back(std::string(option.name) + " has no effect on a file of format " +
                            source.format);
        }
    }
    if (!source.sparse && config.bin_time_s != RunConfig{}.bin_time_s) {
        notes.push_back("--bin-time-s has no effect on frames (format " + source.format + ")");
    }
    if (source.sparse && config.overflow != RunConfig{}.overflow) {
        notes.push_back("--overflow " + config.overflow +
                        " has no effect: events have no value for \"no data\" (format " +
                        source.format + ")");
    }
    return notes;
}

}  // namespace xpcs
