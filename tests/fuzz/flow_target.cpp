// SPDX-License-Identifier: BSD-3-Clause
// Flow definitions and inputs that people edit, and the answers of schedulers.
#include "jobgen/flow/flow.hpp"
#include "jobgen/local_flow.hpp"
#include "jobgen/queue_client.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace xpcs::fuzz {

void one_input(Bytes input) {
    static const jobgen::Json schemas[] = {jobgen::flow::input_schema("online"),
                                           jobgen::flow::input_schema("batch")};
    Choices choices(input);
    const std::uint8_t kind = choices.byte() % 5;
    const std::string text(text_of(choices.rest()));
    if (kind < 2) {
        tolerate([&] {
            jobgen::flow::check_input(jobgen::parse_json(text, "input.json"), schemas[kind]);
        });
    } else if (kind == 2) {
        tolerate([&] {
            const jobgen::Json json = jobgen::parse_json(text, "definition.json");
            jobgen::dump(json);
            jobgen::flow::faults(json, schemas[0]);
            jobgen::flow::schema_faults(json, schemas[1]);
            jobgen::text_at(json, "Comment");
        });
    } else if (kind == 3) {
        tolerate([&] { jobgen::parse_qstat(text, "12[].server"); });
        tolerate([&] { jobgen::parse_scontrol(text); });
        tolerate([&] { jobgen::parse_sacct(text); });
        tolerate([&] { jobgen::parse_cobalt_qstat(text, "12"); });
        tolerate([&] { jobgen::parse_cobaltlog(text); });
        tolerate([&] { jobgen::parse_job_id(text); });
    } else {
        tolerate([&] { jobgen::at_path(jobgen::parse_json("{\"a\":[1,{\"b\":2}]}", "x"), text); });
    }
}

}  // namespace xpcs::fuzz
