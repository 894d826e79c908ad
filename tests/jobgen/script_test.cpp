// SPDX-License-Identifier: BSD-3-Clause
// Job scripts as text: golden files, and a strict reader of directives that knows what each
// scheduler does with a wrong one.
#include "jobgen/schedulers/scheduler.hpp"
#include "jobgen/site_check.hpp"
#include "tests/jobgen/support.hpp"

#include <gmock/gmock.h>

#include <map>
#include <regex>
#include <sstream>

namespace xpcs::jobgen {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::sample_job;

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line);
    }
    return lines;
}

/// The directives of a script, read as the scheduler reads them. Throws on everything that a
/// scheduler would refuse, ignore or take for something else.
std::vector<std::string> directives(const std::string& script, const std::string& tag) {
    const auto lines = lines_of(script);
    if (lines.empty() || lines[0].rfind("#!", 0) != 0) {
        throw std::runtime_error("line 1 is no #!");
    }
    if (script.find('\r') != std::string::npos) {
        throw std::runtime_error("carriage return");
    }
    std::vector<std::string> found;
    std::size_t i = 1;
    for (; i < lines.size() && lines[i].rfind(tag + " ", 0) == 0; ++i) {
        const std::string value = lines[i].substr(tag.size() + 1);
        if (value.find('#') != std::string::npos ||
            value.find_first_of("'\"`;\\") != std::string::npos) {
            throw std::runtime_error("comment or quote in a directive: " + lines[i]);
        }
        found.push_back(value);
    }
    for (; i < lines.size(); ++i) {
        // Blanks may stand before #PBS, and nothing need follow it.
        if (std::regex_search(lines[i], std::regex("^\\s*" + tag))) {
            throw std::runtime_error("directive too late: " + lines[i]);
        }
    }
    return found;
}

std::map<std::string, std::string> options_of(const std::vector<std::string>& found) {
    std::map<std::string, std::string> options;
    for (const auto& text : found) {
        std::istringstream words(text);
        std::string name, value, rest;
        words >> name >> value;
        std::string more;
        EXPECT_FALSE(words >> more) << "a third word: " << text;
        if (name == "-l" || name == "-W") {
            name += value.substr(0, value.find('='));
            value = value.substr(value.find('=') + 1);
        }
        if (name.rfind("--", 0) == 0 && name.find('=') != std::string::npos) {
            value = name.substr(name.find('=') + 1);
            name = name.substr(0, name.find('='));
        }
        EXPECT_TRUE(options.emplace(name, value).second) << "twice: " << text;
    }
    return options;
}

void expect_good_script(const std::string& text) {
    const testing::TempDir dir;
    testing::write_file(dir / "job.sh", text);
    EXPECT_EQ(testing::script_faults(dir / "job.sh"), "");
}

const std::vector<std::string> one{"/data/2025-1/comm202503/data/G001_a/G001_a.h5"};
const std::vector<std::string> three{
    "/data/x/r1.bin", "/data/x/r2.bin.000", "/data/x/r3 with blank.imm"};

TEST(Scripts, golden_files_of_every_dialect) {
    const Site site = testing::built_in_site();
    for (const char* name : {"local", "polaris", "sophia", "perlmutter", "theta", "thetagpu"}) {
        const std::string text = script(sample_job(site, name, one));
        expect_good_script(text);
        testing::expect_golden(std::string("scripts/") + name + ".sh", text);
    }
    JobOptions array;
    array.runs_per_element = 1;
    array.dependency = {"123.polaris-pbs-01"};
    const std::string text = script(sample_job(site, "polaris", three, array));
    expect_good_script(text);
    testing::expect_golden("scripts/polaris-array.sh", text);
    array.dependency = {"77", "78"};
    array.queue = "regular";
    array.gpus = 0;
    testing::expect_golden("scripts/perlmutter-array.sh",
                           script(sample_job(site, "perlmutter", three, array)));
}

TEST(Scripts, pbs_directives) {
    const Site site = testing::built_in_site();
    JobOptions options;
    options.nodes = 2;
    options.walltime_s = 1800;
    options.queue = "debug";
    const auto o =
        options_of(directives(script(sample_job(site, "polaris", one, options)), "#PBS"));
    EXPECT_EQ(o.at("-q"), "debug");
    EXPECT_EQ(o.at("-A"), "XPCS8");
    EXPECT_EQ(o.at("-lselect"), "2:system=polaris");
    EXPECT_EQ(o.at("-lwalltime"), "00:30:00");
    EXPECT_EQ(o.at("-lfilesystems"), "home:eagle");
    EXPECT_EQ(o.at("-lplace"), "scatter");
    EXPECT_EQ(o.at("-r"), "y");
    EXPECT_EQ(o.at("-j"), "oe");
    EXPECT_TRUE(std::regex_match(o.at("-N"), std::regex("[A-Za-z][A-Za-z0-9_.+-]{0,229}")));
    EXPECT_EQ(o.count("-J"), 0u);
    for (const auto& [name, value] : o) {
        EXPECT_TRUE(std::regex_match(name, std::regex("-(N|A|q|j|o|r|J|l[a-z]+|W[a-z]+)"))) << name;
    }
}

TEST(Scripts, pbs_arrays_keep_the_limits_and_one_element_is_a_plain_job) {
    const Site site = testing::built_in_site();
    JobOptions options;
    options.runs_per_element = 2;
    std::vector<std::string> many;
    for (int i = 0; i < 50; ++i) {
        many.push_back("/d/r" + std::to_string(i) + ".bin");
    }
    auto o = options_of(directives(script(sample_job(site, "polaris", many, options)), "#PBS"));
    EXPECT_EQ(o.at("-J"), "0-24%20");
    EXPECT_EQ(o.at("-r"), "y");
    // PBS refuses -J 0-0.
    o = options_of(
        directives(script(sample_job(site, "polaris", {many[0], many[1]}, options)), "#PBS"));
    EXPECT_EQ(o.count("-J"), 0u);
    options.queue = "debug";
    EXPECT_THAT(error_of([&] { sample_job(site, "polaris", many, options); }),
                HasSubstr("queue 'debug' takes no job array"));
}

TEST(Scripts, sophia_asks_for_gpus) {
    const Site site = testing::built_in_site();
    JobOptions options;
    options.gpus = 4;
    const auto o = options_of(directives(script(sample_job(site, "sophia", one, options)), "#PBS"));
    EXPECT_EQ(o.at("-lselect"), "4");
    EXPECT_EQ(o.count("-lplace"), 0u);
    options.gpus = 3;
    EXPECT_THAT(error_of([&] { sample_job(site, "sophia", one, options); }),
                HasSubstr("gpus is 3; allowed in queue 'by-gpu': 1, 2, 4, 8"));
}

TEST(Scripts, slurm_directives) {
    const Site site = testing::built_in_site();
    auto o = options_of(directives(script(sample_job(site, "perlmutter", one)), "#SBATCH"));
    EXPECT_EQ(o.at("--qos"), "shared");
    EXPECT_EQ(o.at("--constraint"), "gpu");
    EXPECT_EQ(o.at("--gpus"), "1");
    EXPECT_EQ(o.at("--cpus-per-task"), "32");
    EXPECT_EQ(o.at("--time"), "00:30:00");
    EXPECT_EQ(o.at("--signal"), "B:USR1@120");
    EXPECT_EQ(o.at("--open-mode"), "append");
    JobOptions whole;
    whole.queue = "regular";
    whole.gpus = 0;
    whole.dependency = {"12", "13"};
    o = options_of(directives(script(sample_job(site, "perlmutter", one, whole)), "#SBATCH"));
    EXPECT_EQ(o.at("--gpus-per-node"), "4");
    EXPECT_EQ(o.at("--gpu-bind"), "none");
    EXPECT_EQ(o.at("--cpus-per-task"), "128");
    EXPECT_EQ(o.at("--dependency"), "afterok:12:13");
    EXPECT_EQ(o.at("--kill-on-invalid-dep"), "yes");
}

TEST(Scripts, cobalt_directives_begin_on_line_two_and_have_no_arrays) {
    const Site site = testing::built_in_site();
    JobOptions options;
    options.runs_per_element = 1;
    options.dependency = {"5", "6"};
    const Job job = sample_job(site, "thetagpu", three, options);
    EXPECT_FALSE(job.is_array());
    ASSERT_EQ(job.warnings.size(), 1u);
    EXPECT_THAT(job.warnings[0], HasSubstr("retired"));
    const auto o = options_of(directives(script(job), "#COBALT"));
    EXPECT_EQ(o.at("-t"), "01:00:00");
    EXPECT_EQ(o.at("-n"), "1");
    EXPECT_EQ(o.at("--attrs"), "filesystems=home,eagle");
    EXPECT_EQ(o.at("--dependencies"), "5:6");
    const auto theta = options_of(directives(script(sample_job(site, "theta", one)), "#COBALT"));
    EXPECT_EQ(theta.at("--attrs"), "mcdram=cache:numa=quad:filesystems=home,eagle");
    JobOptions blank;
    blank.run_dir = "/a b/c";
    EXPECT_THAT(error_of([&] { sample_job(site, "theta", one, blank); }),
                HasSubstr("not possible with Cobalt"));
}

TEST(Scripts, what_a_scheduler_would_refuse_is_refused_first) {
    const Site site = testing::built_in_site();
    const auto fault = [&](auto change) {
        JobOptions options;
        change(options);
        return error_of([&] { sample_job(site, "polaris", one, options); });
    };
    EXPECT_THAT(fault([](JobOptions& o) { o.queue = "prod"; }),
                HasSubstr("allowed in queue 'prod': 10 to 496"));
    EXPECT_THAT(fault([](JobOptions& o) { o.walltime_s = 60; }), HasSubstr("walltime is 00:01:00"));
    EXPECT_THAT(fault([](JobOptions& o) { o.account = "a b"; }), HasSubstr("64 account 'a b'"));
    EXPECT_THAT(fault([](JobOptions& o) { o.account = "-x"; }), HasSubstr("64 account '-x'"));
    EXPECT_THAT(fault([](JobOptions& o) { o.dependency = {"1;reboot"}; }), HasSubstr("no job id"));
    EXPECT_THAT(fault([](JobOptions& o) { o.filesystems = {"grand"}; }),
                HasSubstr("'grand' does not exist"));
    const auto run = make_run(
        [] {
            RunConfig c;
            c.qmap = "q";
            return c;
        }(),
        "/d/x.bin",
        site.deployment("polaris"));
    EXPECT_THAT(error_of([&] { make_job(site, "polaris", {run}, "", {}); }),
                HasSubstr("needs one: give --account"));
}

TEST(Scripts, hostile_names_keep_directives_and_syntax) {
    const Site site = testing::built_in_site();
    const std::vector<std::string> bad{"/d/$(touch x)/a b.h5",
                                       "/d/x\n#PBS -q prod\n#SBATCH -p z.h5",
                                       "/d/`id`';\".bin",
                                       "/d/-rf \xc3\xbc.imm"};
    for (const char* name : {"local", "polaris", "perlmutter"}) {
        JobOptions options;
        options.name = "x;reboot\n#PBS -A other";
        options.run_dir = "/r/$(id)\n#SBATCH --uid=0/";
        Job job = sample_job(site, name, bad, options);
        job.command = {"xpcs-jobgen", "script", "-r", bad[1]};
        const std::string text = script(job);
        expect_good_script(text);
        for (const char* tag : {"#PBS", "#SBATCH"}) {
            EXPECT_NO_THROW(directives(text, tag)) << name;
        }
        for (const auto& line : lines_of(text)) {
            EXPECT_EQ(line.rfind("#SBATCH -p", 0), std::string::npos);
        }
    }
}

TEST(Scripts, data_set_names) {
    EXPECT_EQ(dataset_name("/x/Ha0277_PO2.v2_a0002.h5", "first-dot"), "Ha0277_PO2");
    EXPECT_EQ(dataset_name("/x/Ha0277_PO2.v2_a0002.h5", "stem"), "Ha0277_PO2.v2_a0002");
    EXPECT_EQ(dataset_name("/x/run.bin.000", "stem"), "run");
    EXPECT_EQ(dataset_name("run", "first-dot"), "run");
    EXPECT_THAT(error_of([] { dataset_name("/x/", "first-dot"); }), HasSubstr("no data set name"));
    EXPECT_THAT(error_of([] { dataset_name("/x/.h5", "first-dot"); }),
                HasSubstr("no data set name"));
    EXPECT_EQ(qmap_name("/q/timepix_Sq90_Dq9.log.hdf"), "timepix_Sq90_Dq9.log");
    EXPECT_EQ(qmap_name("qmap"), "qmap");
}

}  // namespace
}  // namespace xpcs::jobgen
