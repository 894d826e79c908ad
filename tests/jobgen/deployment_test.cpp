// SPDX-License-Identifier: BSD-3-Clause
#include "jobgen/json.hpp"
#include "jobgen/raw_yaml.hpp"
#include "tests/jobgen/support.hpp"

#include <gmock/gmock.h>

namespace xpcs::jobgen {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string with(const std::string& text) {
    return error_of([&] {
        load_site_texts({{"built.yaml", built_in_deployments()}, {"mine.yaml", text}});
    });
}

TEST(Deployments, built_in_file_has_every_known_site) {
    const Site site = testing::built_in_site();
    for (const char* name : {"local",
                             "voyager-8idi-polaris",
                             "voyager-xpcs8-polaris",
                             "aps8idi-polaris",
                             "nersc",
                             "talc-prod",
                             "polaris",
                             "sophia",
                             "perlmutter",
                             "theta",
                             "thetagpu"}) {
        EXPECT_TRUE(site.deployments.count(name)) << name;
    }
    EXPECT_EQ(site.default_deployment, "local");
    EXPECT_TRUE(site.machines.at("theta").retired);
    EXPECT_EQ(site.machines.at("thetagpu").scheduler, Scheduler::cobalt);
    const Deployment& voyager = site.deployment("voyager-8idi-polaris");
    EXPECT_EQ(site.collection_of(voyager, "source").id, "ed03fe07-632e-47a9-9df7-9b8b236ac0b4");
    EXPECT_EQ(site.collection_of(voyager, "staging").path, "/eagle/APSDataProcessing/aps8idi/");
    EXPECT_EQ(voyager.compute.endpoint, "d88919ea-026a-493e-9124-fe3c46defa54");
    EXPECT_TRUE(voyager.service_account);
    EXPECT_EQ(voyager.organization, "ALCF");
    EXPECT_EQ(site.deployment("nersc").compute.earlier_functions.at("acquire_nodes"),
              "dc9496aa-51b4-4e7b-98d9-62208204acff");
    EXPECT_FALSE(site.deployment("nersc").service_account);
}

TEST(Deployments, a_later_file_overrides_single_fields_and_extends) {
    const Site site = load_site_texts(
        {{"built.yaml", built_in_deployments()},
         {"mine.yaml",
          "schema: 1\ndeployments:\n  polaris: {queue: debug}\n  mine:\n    extends: polaris\n"
          "    account: ABC\n    walltime: \"00:30:00\"\n"
          "machines: {polaris: {queues: {debug: {array_limit: 3}}}}\n"}});
    EXPECT_EQ(site.deployment("polaris").queue, "debug");
    EXPECT_EQ(site.deployment("polaris").walltime_s, 3600);
    EXPECT_EQ(site.deployment("mine").account, "ABC");
    EXPECT_EQ(site.deployment("mine").queue, "debug");
    EXPECT_EQ(site.machines.at("polaris").queues.at("debug").array_limit, 3);
    EXPECT_EQ(site.machines.at("polaris").queues.at("debug").max_count, 2);
}

struct Fault {
    const char* text;
    const char* expected;
};

class DeploymentFaults : public ::testing::TestWithParam<Fault> {};

TEST_P(DeploymentFaults, are_refused_with_place_and_what_is_allowed) {
    const std::string message = with(std::string("schema: 1\n") + GetParam().text);
    EXPECT_THAT(message, StartsWith("78 mine.yaml:"));
    EXPECT_THAT(message, HasSubstr(GetParam().expected));
    EXPECT_THAT(message, ::testing::Not(HasSubstr("\n")));
}

INSTANTIATE_TEST_SUITE_P(
    Each,
    DeploymentFaults,
    ::testing::Values(
        Fault{"deployments:\n  polaris: {qeue: debug}\n",
              "mine.yaml:3: deployment 'polaris': key 'qeue' is not known (did you mean 'queue'?)"},
        Fault{"deployments:\n  polaris:\n    queue: degub\n",
              "mine.yaml:4: deployment 'polaris': queue 'degub' is not known on polaris (did you "
              "mean 'debug'?); allowed: "},
        Fault{"deployments:\n  polaris: {queue: debug, walltime: \"02:00:00\"}\n",
              "walltime is 02:00:00; allowed in queue 'debug': 00:05:00 to 01:00:00"},
        Fault{"deployments:\n  polaris: {queue: prod}\n",
              "nodes is 1; allowed in queue 'prod': 10 to 496"},
        Fault{"deployments:\n  polaris: {queue: small}\n", "queue 'small' takes no job directly"},
        Fault{"deployments:\n  sophia: {queue: bigmem}\n",
              "closed: unavailable until further notice"},
        Fault{"deployments:\n  sophia: {gpus: 3}\n",
              "gpus is 3; allowed in queue 'by-gpu': 1, 2, 4, 8"},
        Fault{"deployments:\n  polaris: {filesystems: [home, grand]}\n",
              "file system 'grand' does not exist on polaris; allowed: home, eagle"},
        Fault{"deployments:\n  polaris: {filesystems: []}\n", "no file system is named"},
        Fault{"deployments:\n  polaris: {walltime: 3600}\n",
              "walltime is '3600'; allowed: \"HH:MM:SS\""},
        Fault{"deployments:\n  polaris: {walltime: \"1:75:00\"}\n", "allowed: \"HH:MM:SS\""},
        Fault{"deployments:\n  x: {machine: polari}\n",
              "machine 'polari' is not known (did you mean 'polaris'?)"},
        Fault{"deployments:\n  x: {}\n", "`machine` is missing"},
        Fault{"deployments:\n  x: {extends: localx}\n",
              "extends 'localx', which is not known (did you mean 'local'?)"},
        Fault{"deployments:\n  x: {extends: y}\n  y: {extends: x}\n", "extends itself"},
        Fault{"deployments:\n  local: {source: nowhere}\n", "collection 'nowhere' is not known"},
        Fault{"deployments:\n  local: {account: \"a b\"}\n", "account is 'a b'; allowed: letters"},
        Fault{"deployments:\n  \"a b\": {machine: localhost}\n", "name of a deployment is 'a b'"},
        Fault{"deployments:\n  local: {report: maybe}\n",
              "report is 'maybe'; allowed: auto, required, off"},
        Fault{"deployments:\n  local: {service_account: yes}\n", "is 'yes'; allowed: true, false"},
        Fault{"deployments:\n  local: {nodes: 2}\n", "nodes is 2; allowed without a scheduler: 1"},
        Fault{"deployments:\n  local: {environment: {variables: {\"A B\": x}}}\n",
              "'A B' is no name of a variable"},
        Fault{"deployments:\n  local: {group: 368beb47}\n", "is '368beb47'; allowed: a uuid"},
        Fault{"deployments:\n  local: {machine: localhost, machine: polaris}\n",
              "key 'machine' stands twice"},
        Fault{"collections:\n  c: {id: not-a-uuid, path: /}\n",
              "collection 'c': id is 'not-a-uuid'; allowed: a uuid"},
        Fault{"collections:\n  c: {id: 74DEFD5B-5f61-42fc-bcc4-834c9f376a4f, path: /}\n",
              "allowed: a uuid"},
        Fault{"collections:\n  c: {id: 74defd5b-5f61-42fc-bcc4-834c9f376a4f, path: relative/}\n",
              "an absolute directory that ends with '/'"},
        Fault{"collections:\n  c: {path: /}\n", "needs `id` and `path`"},
        Fault{"machines:\n  m: {scheduler: slrum}\n",
              "scheduler is 'slrum'; allowed: shell, slurm, pbs, cobalt (did you mean 'slurm'?)"},
        Fault{"machines:\n  m: {scheduler: slurm}\n", "has a scheduler and no queues"},
        Fault{"machines:\n  m: {gpus_per_node: 2, gpu_cpus: [0-3]}\n",
              "gpu_cpus has 1 entries; one for each of the 2 GPUs"},
        Fault{"machines:\n  m: {gpus_per_node: 1, gpu_cpus: [\"0;reboot\"]}\n",
              "gpu_cpus holds '0;reboot'"},
        Fault{"machines:\n  m: {select: \"a b\"}\n", "cannot stand in a directive"},
        Fault{"machines:\n  m: {scheduler: pbs, queues: {q: {nodes: [5, 1]}}}\n",
              "must be [least, most]"},
        Fault{"defaults: {deployment: loca}\n", "'loca' is not known (did you mean 'local'?)"},
        Fault{"defaults: {path_rules: [{below: /x, deployment: nope}]}\n", "'nope' is not known"},
        Fault{"deploments: {}\n",
              "mine.yaml:2: key 'deploments' is not known (did you mean 'deployments'?)"},
        Fault{"deployments: [1, 2]\n", "deployments must be a list of `name: value`"},
        Fault{"deployments: {x: *nowhere}\n", "not YAML"},
        Fault{"a: b: c\n", "not YAML"}));

TEST(Deployments, schema_is_needed_and_checked) {
    EXPECT_THAT(with("deployments: {}\n"), HasSubstr("`schema: 1` is missing"));
    EXPECT_THAT(with("schema: 2\n"), HasSubstr("schema is '2'"));
    EXPECT_EQ(with(""), "no error");  // an empty file changes nothing
}

TEST(Deployments, nearest_name_and_missing_collections) {
    const Site site = testing::built_in_site();
    EXPECT_THAT(error_of([&] { site.deployment("polris"); }),
                HasSubstr("64 deployment 'polris' is not known (did you mean 'polaris'?)"));
    EXPECT_THAT(error_of([&] { site.collection_of(site.deployment("talc-prod"), "source"); }),
                HasSubstr("78 deployment 'talc-prod' names no source collection"));
}

TEST(Deployments, words_in_braces) {
    const Site site = testing::built_in_site();
    const Deployment& d = site.deployment("nersc");
    EXPECT_EQ(expand(d.staging_dir, d, "user"), "/global/homes/u/user/xpcs_staging");
    EXPECT_THAT(error_of([&] { expand("/x/{account}", d, "user"); }), HasSubstr("{account}"));
    EXPECT_THAT(error_of([&] { expand("/x/{home", d, "user"); }), HasSubstr("no value"));
}

TEST(Deployments, aliases_of_aliases_are_counted) {
    std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 10; ++i) {
        const std::string before = "*a" + std::to_string(i - 1), name = "a" + std::to_string(i);
        text += name + ": &" + name + " [";
        for (int k = 0; k < 10; ++k)
            text += (k > 0 ? ", " : "") + before;
        text += "]\n";
    }
    const std::string error = error_of([&] { parse_yaml(text, "site.yaml"); });
    EXPECT_THAT(error, StartsWith("78 site.yaml:"));
    EXPECT_THAT(error, HasSubstr("more than 100000 values"));
}

TEST(Deployments, a_zero_byte_is_refused) {
    // The parser went on to further documents for ever.
    using namespace std::string_literals;
    for (const std::string& text : {"\0,l"s, "schema: 1\n\0"s, "schema: \0\n"s}) {
        const std::string error = error_of([&] { parse_yaml(text, "site.yaml"); });
        EXPECT_THAT(error, StartsWith("78 site.yaml:"));
        EXPECT_THAT(error, HasSubstr("zero byte"));
    }
}

TEST(Deployments, a_comma_at_the_beginning_is_refused) {
    // The parser found documents for ever.
    for (const char* text : {",", ",a", ",lll\xF1", "--- ,\n", "schema: 1\n---\n,\n"}) {
        EXPECT_THAT(error_of([&] { parse_yaml(text, "site.yaml"); }), StartsWith("78 site.yaml"))
            << text;
    }
    EXPECT_THAT(error_of([&] { parse_yaml("a: 1\n---\nb: 2\n", "site.yaml"); }),
                HasSubstr("several documents"));
}

TEST(Deployments, nesting_is_bounded) {
    for (const char* open : {"[", "{a: ", "- ", "a:\n "}) {
        std::string text;
        for (int i = 0; i < 20'000; ++i)
            text += open;
        EXPECT_THAT(error_of([&] { parse_yaml(text, "site.yaml"); }), StartsWith("78 "));
    }
    const std::string json(1'000'000, '[');
    EXPECT_THAT(error_of([&] { parse_json(json, "flow.json"); }), StartsWith("65 flow.json"));
}

TEST(Deployments, random_bytes_never_crash) {
    unsigned state = 12345;
    const std::string good = built_in_deployments();
    for (int round = 0; round < 60; ++round) {
        std::string text = good;
        for (int i = 0; i < 5; ++i) {
            state = state * 1103515245u + 12345u;
            text[(state >> 8) % text.size()] = static_cast<char>(state >> 24);
        }
        error_of([&] { load_site_texts({{"x", text}}); });  // either reads or throws Error
    }
}

}  // namespace
}  // namespace xpcs::jobgen
