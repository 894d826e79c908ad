// SPDX-License-Identifier: BSD-3-Clause
// deployments.yaml: a site's file on top of the built-in one, what it says, and a job script of it.
#include "jobgen/deployment.hpp"
#include "jobgen/job.hpp"
#include "jobgen/site_check.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace xpcs::fuzz {

void one_input(Bytes input) {
    Choices choices(input);
    const bool alone = choices.flag();
    const std::string text(text_of(choices.rest()));
    tolerate([&] {
        const auto site =
            alone ? jobgen::load_site_texts({{"site.yaml", text}})
                  : jobgen::load_site_texts(
                        {{"built-in", jobgen::built_in_deployments()}, {"site.yaml", text}});
        jobgen::list_text(site);
        for (const auto& entry : site.deployments) {
            const auto& deployment = entry.second;
            tolerate([&] { jobgen::show_text(site, entry.first); });
            tolerate([&] { jobgen::expand(deployment.staging_dir, deployment, "someone"); });
        }
    });
}

}  // namespace xpcs::fuzz
