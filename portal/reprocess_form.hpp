// SPDX-License-Identifier: BSD-3-Clause
// The form that asks for a reprocessing, and the pages of what was started.
#pragma once

#include "portal/jobs.hpp"
#include "portal/pages.hpp"

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace xpcs::portal {

enum class FieldKind { whole, list, choice, flag };

/// A field of the form that becomes an option of the correlator.
struct FormOption {
    const char* name;    ///< of the field
    const char* word;    ///< of the correlator
    const char* config;  ///< name in the configuration that a result keeps, or ""
    const char* label;
    FieldKind kind;
    const char* otherwise;             ///< not passed on if it is this
    std::vector<const char*> choices;  ///< of a choice
};
const std::vector<FormOption>& form_options();

struct ReprocessForm {
    struct Run {
        std::int64_t id = 0;
        std::string title, raw;
    };
    std::vector<Run> runs;
    std::string qmap, suffix, type, deployment;
    std::map<std::string, std::string> options;  ///< by name of the field
    std::vector<std::string> known_qmaps, deployments;
    std::string script, message;
};

/// Options of the correlator for what differs from the defaults, as words. Throws Error (usage)
/// for anything but numbers, lists of numbers and known choices.
std::vector<std::string> option_words(const std::map<std::string, std::string>& values);

Html reprocess_body(const PageContext& context, const ReprocessForm& form);
Html jobs_body(const std::vector<std::pair<std::int64_t, JobState>>& jobs);
Html job_body(std::int64_t id, const JobState& job);

}  // namespace xpcs::portal
