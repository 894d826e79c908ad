// SPDX-License-Identifier: BSD-3-Clause
// Every raw format of the reference data, from the command line to the curves: against direct
// float64 sums of the same photons.
#include "host/h5.hpp"
#include "tests/host/temp_dir.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace xpcs {
namespace {

constexpr const char* g2_path = "/xpcs/multitau/normalized_g2";

struct ReferenceCase {
    const char* set;
    const char* raw;
    const char* name;  ///< of the reference file
    const char* options;
};

std::ostream& operator<<(std::ostream& out, const ReferenceCase& which) {
    return out << which.set << "__" << which.name;
}

class ReferenceFormats : public ::testing::TestWithParam<ReferenceCase> {};

TEST_P(ReferenceFormats, G2IsThatOfDirectSums) {
    namespace fs = std::filesystem;
    const ReferenceCase& which = GetParam();
    const fs::path reference = fs::path(XPCS_SHARED_DIR) / "reference";
    const fs::path data = reference / "data" / which.set;
    if (!fs::exists(data)) GTEST_SKIP() << "no reference data beside the source tree";
    const testing::TempDir out;
    const std::string command = std::string(XPCS_BIN_DIR) + "/xpcs-corr -r '" +
                                (data / which.raw).string() + "' -q '" +
                                (data / which.set).string() + "_qmap.hdf' -o '" + out.path() +
                                "' " + which.options + " --threads 2 >/dev/null 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;

    const auto found = h5::open_file(out.file(std::string(which.set) + "_results.hdf"));
    const auto expected = h5::open_file(
        (reference / "float64" / (std::string(which.set) + "__" + which.name + ".hdf")).string());
    const auto got = h5::read<double>(found.id(), g2_path);
    const auto want = h5::read<double>(expected.id(), g2_path);
    ASSERT_EQ(got.size(), want.size());
    // Results are stored as float32: half a unit in the last place is 6e-8 relative.
    std::size_t compared = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
        if (std::isnan(got[i])) continue;
        ++compared;
        ASSERT_NEAR(got[i], want[i], 1e-6 * std::abs(want[i])) << i;
    }
    EXPECT_GT(compared, got.size() / 2);
}

// With frame normalisation the reference takes the mean frame over masked pixels too, except in
// its "crop" cases (and where the mask leaves every pixel in).
INSTANTIATE_TEST_SUITE_P(
    Sets,
    ReferenceFormats,
    ::testing::Values(ReferenceCase{"S-imm", "S-imm.imm", "nf0", "-nf 0"},
                      ReferenceCase{"S-imm", "S-imm.imm", "nf1_crop", "-nf 1"},
                      ReferenceCase{"S-imm", "S-imm.imm", "nf0_a3", "-nf 0 -a 3"},
                      ReferenceCase{"S-imm", "S-imm.imm", "nf0_a3f2", "-nf 0 -a 3 -f 2"},
                      ReferenceCase{"S-immdense", "S-immdense.imm", "nf0", "-nf 0"},
                      ReferenceCase{"S-phi", "S-phi.imm", "nf0", "-nf 0"},
                      ReferenceCase{"S-hdf", "S-hdf.h5", "nf0", "-nf 0"},
                      ReferenceCase{"S-hdf", "S-hdf.h5", "nf0_bm200", "-nf 0 -b -200"},
                      ReferenceCase{
                          "rigaku-250", "rigaku-250.bin", "nf0_b37e201", "-nf 0 -b 37 -e 201"}),
    [](const auto& tested) {
        std::string name = std::string(tested.param.set) + "_" + tested.param.name;
        for (char& c : name) {
            if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
        }
        return name;
    });

}  // namespace
}  // namespace xpcs
