// SPDX-License-Identifier: BSD-3-Clause
// Known physics, from simulate through make-qmap and correlate to fit.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>
#include <sstream>

#include "cli_fixture.hpp"

namespace xpcs::testing {
namespace {

using Json = nlohmann::json;

std::vector<std::string> split(const std::string& line) {
    std::vector<std::string> fields;
    std::istringstream in(line);
    for (std::string field; std::getline(in, field, ',');)
        fields.push_back(field);
    return fields;
}

/// Rows of the table of `fit`, by name of the column.
std::vector<std::map<std::string, std::string>> read_csv(const std::string& path) {
    std::istringstream in(bytes_of(path));
    std::string line;
    std::getline(in, line);
    const auto names = split(line);
    std::vector<std::map<std::string, std::string>> rows;
    while (std::getline(in, line)) {
        const auto fields = split(line);
        auto& row = rows.emplace_back();
        for (std::size_t i = 0; i < names.size() && i < fields.size(); ++i)
            row[names[i]] = fields[i];
    }
    return rows;
}

/// 128 x 128 pixels, 6000 frames of 0.1 ms, contrast 0.3, relaxation in 4 ms at 0.003 1/A. Three
/// standard deviations of eight bins hold for 98 % of the seeds; the seed is fixed.
class Diffusion : public ::testing::Test {
  protected:
    void correlate() {
        const std::string raw = dir.file("run.bin");
        ok({"simulate", "-o",           raw,        "--rows",       "128",
            "--cols",   "128",          "--frames", "6000",         "--occupancy",
            "0.1",      "--seed",       "42",       "--frame-time", "1e-4",
            "--tau",    "4e-3",         "--tau-q",  "0.003",        "--contrast",
            "0.3",      "--pixel-size", "3e-4",     "--distance",   "8"});
        const std::string qmap = dir.file("qmap.hdf");
        ok({"make-qmap", "-o",           qmap,   "--rows",   "128",   "--cols",
            "128",       "--pixel-size", "3e-4", "--energy", "10",    "--distance",
            "8",         "--beam-x",     "63.5", "--beam-y", "63.5",  "--static-q",
            "80",        "--dynamic-q",  "8",    "--q-min",  "0.003", "--q-max",
            "0.009"});
        const Outcome outcome = ok({"-r", raw, "-q", qmap, "-o", dir.path(), "-nf", "0"});
        result = outcome.last_line_of_out();
        truth = Json::parse(bytes_of(dir.file("run_truth.json")));
    }
    static Outcome ok(const Arguments& arguments) {
        const Outcome outcome = run(arguments);
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        return outcome;
    }
    TempDir dir;
    std::string result;
    Json truth;
};

TEST_F(Diffusion, FitFindsTheTruth) {
    correlate();
    const double diffusion = truth["diffusion_angstrom2_per_s"];
    ok({"fit", result, "--expected-D", std::to_string(diffusion), "--csv", dir.file("fit.csv")});
    const auto rows = read_csv(dir.file("fit.csv"));
    ASSERT_EQ(rows.size(), 8U);
    double sum_x = 0, sum_y = 0, sum_xx = 0, sum_xy = 0, sum_w = 0;
    for (const auto& row : rows) {
        ASSERT_EQ(row.at("fitted"), "1") << row.at("bin");
        const double tau = std::stod(row.at("tau_s")), error = std::stod(row.at("tau_err_s"));
        const double expected = std::stod(row.at("expected_tau_s"));
        EXPECT_NEAR(tau, expected, 3 * error) << "bin " << row.at("bin");
        EXPECT_LT(error, 0.04 * tau) << "an error bar that says nothing";
        EXPECT_NEAR(std::stod(row.at("contrast")), 0.3, 3 * std::stod(row.at("contrast_err")));
        EXPECT_NEAR(std::stod(row.at("baseline")), 1, 1e-3);
        const double w = std::pow(tau / error, 2);
        const double x = std::log(std::sqrt(1 / (diffusion * expected))), y = std::log(tau);
        sum_w += w;
        sum_x += w * x;
        sum_y += w * y;
        sum_xx += w * x * x;
        sum_xy += w * x * y;
    }
    // tau = 1 / (D q^2): slope -2 of log tau against log q.
    const double determinant = sum_w * sum_xx - sum_x * sum_x;
    const double slope = (sum_w * sum_xy - sum_x * sum_y) / determinant;
    EXPECT_NEAR(slope, -2, 3 * std::sqrt(sum_w / determinant));
}

TEST(Physics, ConstantIlluminationGivesG2Of1) {
    SmallRun small;
    // Every pixel its own brightness, the same in each frame: one pixel per static bin would be
    // exactly 1; a bin of unequal pixels is <I^2> / <I>^2, at every lag the same.
    std::vector<std::uint16_t> equal(500 * 2048, 3), unequal(equal);
    for (std::size_t i = 0; i < unequal.size(); ++i)
        unequal[i] = static_cast<std::uint16_t>(1 + i % 2);
    for (const char* engine : {"sparse", "dense"}) {
        for (const char* nf : {"0", "1"}) {
            small.write_dense(equal, 500);
            small.expect_done({}, {"--engine", engine, "-nf", nf});
            for (const double value : small.read(g2_path))
                ASSERT_NEAR(value, 1, 1e-7) << engine << nf;
            small.write_dense(unequal, 500);
            small.expect_done({}, {"--engine", engine, "-nf", nf});
            for (const double value : small.read(g2_path))
                ASSERT_NEAR(value, 2.5 / 2.25, 1e-6) << engine << nf;
        }
    }
}

TEST(Physics, PoissonCountsGiveG2Of1WithinTheError) {
    constexpr double mean = 0.05;
    SmallRun small;
    small.write_events(poisson_events(4000, 2048, mean, 31));
    for (const char* nf : {"0", "1"}) {
        small.expect_done({}, {"-nf", nf});
        const auto g2 = small.read(g2_path), pairs = small.read("/xpcs/multitau/n_pairs"),
                   level = small.read("/xpcs/multitau/level");
        double chi2 = 0;
        int n = 0;
        for (std::size_t lag = 0; lag < pairs.size(); ++lag) {
            for (std::size_t d = 0; d < 4; ++d) {
                // sigma = 1 / (counts per block sqrt(pairs pixels)), a product of Poisson counts.
                const double block = mean * std::pow(2.0, level[lag]);
                const double sigma =
                    std::sqrt((1 + 2 * block) / (block * block) / (pairs[lag] * 512));
                const double deviation = (g2[lag * 4 + d] - 1) / sigma;
                EXPECT_LT(std::abs(deviation), 5) << "lag " << lag << " bin " << d;
                chi2 += deviation * deviation;
                ++n;
            }
        }
        // Neighbouring lags are correlated at high levels, and the total counts are not random for
        // g2: smaller than n, but not by much, and never far above.
        EXPECT_GT(chi2 / n, 0.3) << nf;
        EXPECT_LT(chi2 / n, 1.5) << nf;
    }
}

}  // namespace
}  // namespace xpcs::testing
