// SPDX-License-Identifier: BSD-3-Clause
#include "portal/reprocess_form.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"
#include "portal/page_parts.hpp"

#include <algorithm>

namespace xpcs::portal {

namespace {

bool good_value(const FormOption& option, const std::string& value) {
    const auto only = [&](const char* letters) {
        return value.size() <= 200 && value.find_first_not_of(letters) == std::string::npos;
    };
    switch (option.kind) {
    case FieldKind::whole:
        return value.size() <= 13 && only("-0123456789") && value.rfind('-') + 1 <= 1 &&
               value != "-" && !value.empty();
    case FieldKind::list:
        return only("0123456789,-") && !value.starts_with("-");
    default:
        return std::any_of(option.choices.begin(), option.choices.end(), [&](const char* choice) {
            return value == choice;
        });
    }
}

std::string text_field(const char* name, const std::string& label, const std::string& value) {
    return fmt::format("<label>{} <input type=\"text\" name=\"{}\" value=\"{}\" required></label>",
                       escape(label),
                       name,
                       escape(value));
}

std::string option_field(const FormOption& option, const std::string& value) {
    std::string field;
    if (option.kind == FieldKind::choice || option.kind == FieldKind::flag) {
        field = fmt::format("<select name=\"{}\">", option.name);
        for (const char* choice : option.choices) {
            const std::string shown = option.kind == FieldKind::choice  ? choice
                                      : std::string_view(choice) == "1" ? "yes"
                                                                        : "no";
            field += portal::option(choice, shown, value);
        }
        field += "</select>";
    } else {
        const bool number = option.kind == FieldKind::whole;
        field = fmt::format("<input type=\"{}\" name=\"{}\" value=\"{}\"{}>",
                            number ? "number" : "text",
                            option.name,
                            escape(value),
                            number ? " step=\"1\"" : " placeholder=\"all, or 1,2,5-7\"");
    }
    return fmt::format("<label>{} {}</label>", escape(option.label), field);
}

std::string value_of(const ReprocessForm& form, const FormOption& option) {
    const auto found = form.options.find(option.name);
    return found == form.options.end() ? option.otherwise : found->second;
}

std::string deployment_field(const ReprocessForm& form) {
    if (form.deployments.empty()) {
        return text_field("deployment", "Deployment", form.deployment);
    }
    std::string out = "<label>Deployment <select name=\"deployment\">";
    for (const std::string& name : form.deployments) {
        out += option(name, name, form.deployment);
    }
    return out + "</select></label>";
}

/// Everything of the form again, for the button that submits what was shown.
std::string all_hidden(const ReprocessForm& form) {
    std::string out;
    for (const ReprocessForm::Run& run : form.runs) {
        out += hidden("run", std::to_string(run.id)) + hidden("raw", run.raw);
    }
    out += hidden("qmap", form.qmap) + hidden("suffix", form.suffix) +
           hidden("deployment", form.deployment) + hidden("type", form.type);
    for (const FormOption& option : form_options()) {
        out += hidden(option.name, value_of(form, option));
    }
    return out;
}

std::string fields(const ReprocessForm& form) {
    std::string out;
    for (const ReprocessForm::Run& run : form.runs) {
        const std::string label = form.runs.size() == 1 ? "Raw file, below the portal's root"
                                                        : "Raw file of " + run.title;
        out += hidden("run", std::to_string(run.id)) + text_field("raw", label, run.raw);
    }
    out += fmt::format("<label>q-map file, below the portal's root <input type=\"text\" "
                       "name=\"qmap\" value=\"{}\" list=\"qmaps\" required></label><datalist "
                       "id=\"qmaps\">",
                       escape(form.qmap));
    for (const std::string& name : form.known_qmaps) {
        out += fmt::format("<option value=\"{}\">", escape(name));
    }
    out += "</datalist>" + text_field("suffix", "Suffix of the new data set", form.suffix) +
           deployment_field(form) + "<label>Analysis <select name=\"type\">";
    for (const char* type : {"Multitau", "Twotime", "Both"}) {
        out += option(type, type, form.type);
    }
    out += "</select></label><fieldset><legend>Options of the correlation</legend>";
    for (const FormOption& option : form_options()) {
        out += option_field(option, value_of(form, option));
    }
    return out + "</fieldset>";
}

std::string result_link(std::int64_t run) {
    return fmt::format("<a class=\"{}primary\" data-job-run href=\"/run/{}\">Open the new "
                       "result</a>",
                       run > 0 ? "" : "hidden ",
                       run);
}

}  // namespace

const std::vector<FormOption>& form_options() {
    static const std::vector<FormOption> options{
        {"begin", "--begin-frame", "begin_frame", "First frame", FieldKind::whole, "0", {}},
        {"end",
         "--end-frame",
         "end_frame",
         "Frame after the last; -1 is all",
         FieldKind::whole,
         "-1",
         {}},
        {"stride", "--stride-frame", "stride_frame", "Every n-th group", FieldKind::whole, "1", {}},
        {"average", "--avg-frame", "avg_frame", "Frames averaged", FieldKind::whole, "1", {}},
        {"normalise",
         "--normalize-frame",
         "normalize_frame",
         "Divide each frame by its intensity",
         FieldKind::flag,
         "1",
         {"1", "0"}},
        {"partial",
         "--num-partial-g2",
         "num_partial_g2",
         "Slices for partial g2",
         FieldKind::whole,
         "0",
         {}},
        {"bins", "--dq-selection", "", "Bins of two-time", FieldKind::list, "", {}},
        {"smooth",
         "--smooth",
         "smooth",
         "Smoothing of two-time",
         FieldKind::choice,
         "sqmap",
         {"sqmap", "dqmap", "time", "none"}},
        {"mask_hot",
         "--mask-hot",
         "mask_hot",
         "Leave hot pixels out",
         FieldKind::flag,
         "0",
         {"0", "1"}}};
    return options;
}

std::vector<std::string> option_words(const std::map<std::string, std::string>& values) {
    std::vector<std::string> words;
    for (const FormOption& option : form_options()) {
        const auto found = values.find(option.name);
        if (found == values.end() || found->second == option.otherwise) {
            continue;
        }
        if (!good_value(option, found->second)) {
            throw Error(ExitCode::usage,
                        std::string(option.label) + " '" + printable(found->second, 100) +
                            "': not a value of this field");
        }
        const bool bare = std::string_view(option.name) == "mask_hot";
        words.push_back(bare ? option.word : std::string(option.word) + "=" + found->second);
    }
    return words;
}

Html reprocess_body(const PageContext& context, const ReprocessForm& form) {
    const std::string csrf = hidden("csrf", context.session ? context.session->csrf : "");
    std::string out = form.runs.size() == 1
                          ? "<h1>Reprocess " + escape(form.runs.front().title) + "</h1>"
                          : fmt::format("<h1>Reprocess {} runs</h1>", form.runs.size());
    if (!form.message.empty()) {
        out += "<p class=\"finding serious\" role=\"alert\">" + escape(form.message) + "</p>";
    }
    out += "<form class=\"form card\" method=\"post\" action=\"/reprocess/preview\">" + csrf +
           fields(form) + "<button>Show the job script</button></form>";
    if (!form.script.empty()) {
        out += "<section class=\"card\"><h2>What would be submitted</h2><pre id=\"script\" "
               "tabindex=\"0\">" +
               escape(form.script) + "</pre><form method=\"post\" action=\"/reprocess/submit\">" +
               csrf + all_hidden(form) +
               "<button class=\"primary\" id=\"submit\">Submit</button></form></section>";
    }
    return {out};
}

Html jobs_body(const std::vector<std::pair<std::int64_t, JobState>>& jobs) {
    if (jobs.empty()) {
        return {"<h1>Reprocessings</h1><p>None since the portal was started.</p>"};
    }
    std::string out = "<h1>Reprocessings</h1><div class=\"card scroll\"><table><tr><th>no.</th><th "
                      "class=\"text\">data set</th><th class=\"text\">state</th><th "
                      "class=\"text\">result</th></tr>";
    for (const auto& [id, job] : jobs) {
        out += fmt::format("<tr data-job=\"{0}\"><td><a href=\"/jobs/{0}\">{0}</a></td><td "
                           "class=\"text\">{1}</td><td class=\"text\" data-job-state "
                           "role=\"status\">{2}</td><td class=\"text\">{3}</td></tr>",
                           id,
                           escape(job.title),
                           escape(job.state),
                           result_link(job.run));
    }
    return {out + "</table></div>"};
}

Html job_body(std::int64_t id, const JobState& job) {
    std::string steps;
    for (const char* step : {"waiting", "submitting", "running", "reporting", "done"}) {
        steps += fmt::format("<li data-step=\"{0}\">{0}</li>", step);
    }
    return {
        fmt::format("<h1>Reprocessing {0}: {1}</h1><section class=\"card\" id=\"job\" "
                    "data-job=\"{0}\"><ol class=\"steps\" aria-hidden=\"true\">{2}</ol><p>State: "
                    "<strong id=\"job-state\" data-job-state role=\"status\">{3}</strong></p>"
                    "<p>{4}</p><pre data-job-log tabindex=\"0\">{5}</pre></section><p><a "
                    "href=\"/jobs\">All reprocessings</a></p>",
                    id,
                    escape(job.title),
                    steps,
                    escape(job.state),
                    result_link(job.run),
                    escape(job.log))};
}

}  // namespace xpcs::portal
