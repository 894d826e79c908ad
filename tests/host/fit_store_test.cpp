// SPDX-License-Identifier: BSD-3-Clause
// Two relaxations, and fits inside result files.
#include "host/fit_store.hpp"

#include "host/cmd_fit.hpp"
#include "host/errors.hpp"
#include "host/result_file.hpp"
#include "tests/host/errors_of.hpp"
#include "tests/host/result_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <random>

namespace {

using namespace xpcs;
namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::internal::CaptureStdout;
using ::testing::internal::GetCapturedStdout;
using xpcs::testing::error_of;
using xpcs::testing::TempDir;

constexpr double no_value = std::numeric_limits<double>::quiet_NaN();

struct StoredCurve {
    std::vector<double> t, g2, err;
};

StoredCurve curve(const std::vector<double>& parameters, double noise, unsigned seed) {
    std::mt19937_64 engine(seed);
    std::normal_distribution<double> normal;
    StoredCurve out;
    for (int i = 0; i < 60; ++i) {
        out.t.push_back(1e-5 * std::pow(10.0, i / 10.0));
        out.g2.push_back(double_model(out.t.back(), parameters) + noise * normal(engine));
        out.err.push_back(noise);
    }
    return out;
}

TEST(FitDouble, RecoversTwoRelaxations) {
    const std::vector<double> truth{0.3, 3e-4, 1, 1, 2e-2, 1, 0.6};
    int outside = 0;
    for (unsigned seed = 0; seed < 20; ++seed) {
        const StoredCurve data = curve(truth, 0.001, seed);
        const FitResult fit = fit_double(data.t, data.g2, data.err);
        ASSERT_TRUE(fit.ok) << fit.reason << " seed " << seed;
        EXPECT_EQ(fit.n_free, 5);
        for (const std::size_t p : {fit_contrast, fit_tau, fit_baseline, fit_tau2, fit_fraction}) {
            outside += std::abs(fit.values[p] - truth[p]) > 3 * fit.errors[p];
            EXPECT_LT(std::abs(fit.values[p] - truth[p]), 6 * fit.errors[p]) << p;
        }
    }
    EXPECT_LE(outside, 3);  // 0.27 % of 100 expected; three have a chance of 3e-4
}

TEST(FitDouble, TheFasterRelaxationComesFirst) {
    const StoredCurve data = curve({0.3, 2e-2, 1, 1, 3e-4, 1, 0.4}, 1e-4, 1);
    const FitResult fit = fit_double(data.t, data.g2, data.err);
    ASSERT_TRUE(fit.ok) << fit.reason;
    EXPECT_NEAR(fit.values[fit_tau] / 3e-4, 1, 0.02);
    EXPECT_NEAR(fit.values[fit_fraction], 0.6, 0.01);
}

TEST(FitDouble, SaysThatOneRelaxationIsEnough) {
    const StoredCurve data = curve({0.3, 1e-3, 1, 1, 1e-2, 1, 1}, 0.002, 4);
    const FitResult fit = fit_double(data.t, data.g2, data.err);
    EXPECT_FALSE(fit.ok);
    EXPECT_THAT(fit.reason, HasSubstr("one relaxation describes it as well"));
    EXPECT_TRUE(std::isnan(fit.errors[fit_tau]));
}

TEST(FitDouble, WithAFractionOfOneItIsTheSingleModel) {
    for (const double t : {1e-5, 1e-3, 0.1}) {
        EXPECT_DOUBLE_EQ(double_model(t, {0.3, 1e-3, 0.8, 1.01, 5, 2, 1}),
                         single_model(t, 0.3, 1e-3, 0.8, 1.01));
    }
}

class StoredFits : public ::testing::Test {
  protected:
    std::string write(const std::function<void(RunResult&)>& change = {}) {
        RunResult result = xpcs::testing::made_up_result(dir_);
        if (change) change(result);
        ResultFile file(result.config, "run", result.metadata.file);
        file.write(result);
        return file.commit();
    }
    static int fit(std::vector<std::string> arguments) {
        struct Quiet {
            Quiet() { CaptureStdout(); }
            ~Quiet() { GetCapturedStdout(); }
        } const quiet;
        return cmd_fit(arguments);
    }
    TempDir dir_;
};

TEST_F(StoredFits, ComeBackAsTheyWereAndTheFileStaysAResult) {
    const std::string path = write();
    const auto before = h5::read<double>(h5::open_file(path).id(), "/xpcs/multitau/normalized_g2");
    fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_FALSE(read_fit(ResultReader(path).data(), FitModel::single).has_value());
    ASSERT_EQ(fit({path}), 0);
    std::string reason;
    EXPECT_TRUE(is_complete_result(path, reason)) << reason;
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_EQ(h5::read<double>(h5::open_file(path).id(), "/xpcs/multitau/normalized_g2"), before);

    const ResultReader reader(path);
    const auto stored = read_fit(reader.data(), FitModel::single);
    ASSERT_TRUE(stored.has_value());
    const FitTable made = fit_result(reader.data(), std::nullopt, false);
    ASSERT_EQ(stored->bins.size(), 3U);
    for (std::size_t k = 0; k < 3; ++k) {
        EXPECT_TRUE(stored->bins[k].fit.ok);
        EXPECT_EQ(stored->bins[k].fit.values, made.bins[k].fit.values);
        EXPECT_EQ(stored->bins[k].fit.errors, made.bins[k].fit.errors);
    }
    EXPECT_EQ(stored->power_law.values, made.power_law.values);
    EXPECT_EQ(to_text(*stored), to_text(made));
    // The stored curve is the model at the delays.
    const auto curves = h5::read<double>(h5::open_file(path).id(), "/xpcs/fit/single/curve");
    const auto& one = reader.data().one_time;
    for (std::size_t lag = 0; lag < one.delay_s.size(); ++lag) {
        EXPECT_NEAR(curves[3 * lag + 1], one.g2.at(static_cast<std::int64_t>(lag), 1), 0.006);
    }
    EXPECT_EQ(h5::read_strings(h5::open_file(path).id(), "/xpcs/fit/single/names").front(),
              "contrast");
}

TEST_F(StoredFits, AFailedFitIsNaNWithItsReason) {
    const std::string path = write([](RunResult& r) {
        for (std::size_t i = 1; i < r.one_time.g2.size(); i += 3)
            r.one_time.g2[i] = no_value;
    });
    ASSERT_EQ(fit({path}), 0);
    const h5::File file = h5::open_file(path);
    const auto values = h5::read<double>(file.id(), "/xpcs/fit/single/parameters");
    ASSERT_EQ(values.size(), 3U * 2 * 4);
    for (std::size_t i = 8; i < 16; ++i)
        EXPECT_TRUE(std::isnan(values[i])) << i;
    EXPECT_FALSE(std::isnan(values[0]));
    EXPECT_THAT(h5::read<int>(file.id(), "/xpcs/fit/single/fitted"),
                ::testing::ElementsAre(1, 0, 1));
    EXPECT_EQ(h5::read_strings(file.id(), "/xpcs/fit/single/reason")[1], "no data");
}

TEST_F(StoredFits, ASecondFitReplacesTheFirstAndModelsStandSideBySide) {
    const std::string path = write();
    ASSERT_EQ(fit({path}), 0);
    ASSERT_EQ(fit({path, "--fix", "baseline=1", "--q-range=0:0.025"}), 0);
    ASSERT_EQ(fit({path, "--model", "double"}), 0);
    const ResultReader reader(path);
    const auto single = read_fit(reader.data(), FitModel::single);
    const auto both = read_fit(reader.data(), FitModel::double_);
    ASSERT_TRUE(single && both);
    EXPECT_EQ(single->bins[0].fit.values[fit_baseline], 1);
    EXPECT_EQ(single->bins[0].fit.errors[fit_baseline], 0);
    EXPECT_FALSE(single->power_law.ok);
    EXPECT_THAT(single->power_law.reason, HasSubstr("2 relaxation times"));
    EXPECT_FALSE(both->bins[0].fit.ok);
    EXPECT_THAT(both->bins[0].fit.reason, HasSubstr("one relaxation"));
}

TEST_F(StoredFits, NothingIsLeftWhereTheFileCannotBeReplaced) {
    EXPECT_EQ(error_of([&] { fit({dir_.file("none.hdf")}); }).code(), ExitCode::no_input);
    if (::geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
    const std::string path = write();
    fs::permissions(dir_.path(), fs::perms::owner_read | fs::perms::owner_exec);
    EXPECT_EQ(error_of([&] { fit({path}); }).code(), ExitCode::cannot_create);
    fs::permissions(dir_.path(), fs::perms::owner_all);
}

TEST_F(StoredFits, WrongBoundsAreUsageErrors) {
    const std::string path = write();
    for (const char* option : {"--bounds=contrast",
                               "--bounds=contrast=1",
                               "--bounds=contrast=2:1",
                               "--bounds=contrast=-1:1",
                               "--bounds=tau=0:1",
                               "--bounds=tau2=1e-3:1",
                               "--bounds=speed=0:1",
                               "--fix=tau=0",
                               "--fix=exponent=x",
                               "--q-range=1",
                               "--model=triple",
                               "--expected-D=0"}) {
        EXPECT_EQ(error_of([&] { fit({path, option}); }).code(), ExitCode::usage) << option;
    }
    EXPECT_EQ(fit({path, "--no-store", "--bounds", "tau=1e-6:1", "--bounds", "contrast=0.04:0.8"}),
              0);
}

}  // namespace
