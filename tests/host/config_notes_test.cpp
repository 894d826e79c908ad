// SPDX-License-Identifier: BSD-3-Clause
#include "host/config_notes.hpp"

#include "host/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xpcs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Args = std::vector<std::string>;

std::vector<std::string> notes(Args args) {
    args.insert(args.begin(), {"-r", "a.bin", "-q", "q.hdf"});
    return options_without_effect(parse_correlate(args));
}

std::vector<std::string> notes(Args args, const std::string& format, bool sparse) {
    args.insert(args.begin(), {"-r", "a.bin", "-q", "q.hdf"});
    SourceInfo source;
    source.format = format;
    source.sparse = sparse;
    return options_without_effect(parse_correlate(args), source);
}

TEST(OptionsWithoutEffect, OfTheAnalysis) {
    EXPECT_THAT(notes({}), IsEmpty());
    for (const char* type : {"Twotime", "TwotimeMultitau"}) {
        EXPECT_THAT(notes({"-t", type, "-G"}), ElementsAre(HasSubstr("-G has no effect")));
        EXPECT_THAT(notes({"-t", type, "-np", "3"}), ElementsAre(HasSubstr("-np has no effect")));
        EXPECT_THAT(notes({"-t", type, "-d", "1,2"}), IsEmpty());
    }
    EXPECT_THAT(notes({"-d", "1,2"}), ElementsAre(HasSubstr("-d 1,2 has no effect")));
    for (const char* type : {"Multitau", "TwotimeMultitau"}) {
        EXPECT_THAT(notes({"-t", type, "-s", "dqmap"}),
                    ElementsAre(HasSubstr("-s dqmap has no effect")));
    }
    EXPECT_THAT(notes({"-t", "Both", "-s", "dqmap", "-d", "1", "-G", "-np", "2"}), IsEmpty());
    // What the production scripts always pass says nothing.
    EXPECT_THAT(notes({"-t", "Multitau", "-s", "sqmap", "-d", "all", "--bin-time-s", "1e-6"}),
                IsEmpty());
    EXPECT_THAT(notes({"-n", "--summary", "s.json"}), ElementsAre(HasSubstr("--summary")));
}

TEST(OptionsWithoutEffect, OfTheFormat) {
    struct Case {
        Args args;
        const char* fits;
        bool sparse;
    };
    const Case cases[] = {{{"--dataset", "/x"}, "hdf5", false},
                          {{"--dataset", "/x"}, "hdf5-sparse", true},
                          {{"--channel", "1"}, "hdf5", false},
                          {{"--ftf-bit-order", "high-first"}, "rigaku3m-ftf", true},
                          {{"--run-config-path", "rc"}, "timepix4", true},
                          {{"--allow-missing-module"}, "rigaku3m", true},
                          {{"--overflow", "frame"}, "hdf5", false},
                          {{"--bin-time-s", "2e-6"}, "timepix4", true}};
    for (const Case& c : cases) {
        EXPECT_THAT(notes(c.args, c.fits, c.sparse), IsEmpty()) << c.args[0];
        const bool wrong_is_sparse = c.args[0] != "--bin-time-s";
        EXPECT_THAT(notes(c.args, "imm", wrong_is_sparse),
                    ElementsAre(HasSubstr(c.args[0] + (c.args[0] == "--overflow" ? " frame" : "") +
                                          " has no effect")))
            << c.args[0];
    }
    // Frames that are cut are known to two readers only.
    EXPECT_THAT(notes({"--allow-truncated"}, "imm", true), IsEmpty());
    EXPECT_THAT(notes({"--allow-truncated"}, "timepix4", true), IsEmpty());
    EXPECT_THAT(notes({"--allow-truncated"}, "rigaku64", true),
                ElementsAre(HasSubstr("--allow-truncated has no effect")));
    // The time bin of an event file may be its frame time.
    EXPECT_THAT(notes({"--bin-time-s", "2e-6"}, "rigaku64", true), IsEmpty());
}

}  // namespace
}  // namespace xpcs
