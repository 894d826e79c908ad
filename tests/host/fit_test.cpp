// SPDX-License-Identifier: BSD-3-Clause
#include "host/fit.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace {

using namespace xpcs;

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

struct Curve {
    std::vector<double> t, g2, err;
};

/// Delays of a multi-tau ladder of 20 000 frames of 20 us, noise that grows with the delay.
Curve curve(double contrast, double tau, double c, double baseline, double noise, unsigned seed) {
    std::mt19937_64 engine(seed);
    std::normal_distribution<double> normal;
    Curve out;
    for (int lag = 1; lag <= 8; ++lag) {
        out.t.push_back(20e-6 * lag);
    }
    for (int level = 1; level <= 11; ++level) {
        for (int x = 5; x <= 8; ++x) {
            out.t.push_back(20e-6 * x * (1 << level));
        }
    }
    for (std::size_t i = 0; i < out.t.size(); ++i) {
        const double sigma = noise * (1 + static_cast<double>(i) / 20);
        out.err.push_back(sigma);
        out.g2.push_back(single_model(out.t[i], contrast, tau, c, baseline) +
                         sigma * normal(engine));
    }
    return out;
}

TEST(FitSingle, RecoversContrastTauAndBaseline) {
    int outside = 0, n = 0;
    for (const double tau : {60e-6, 1e-3, 20e-3}) {
        for (unsigned seed = 0; seed < 40; ++seed) {
            const Curve data = curve(0.2, tau, 1, 1.01, 0.003, 100 + seed);
            const FitResult fit = fit_single(data.t, data.g2, data.err);
            ASSERT_TRUE(fit.ok) << fit.reason << " tau " << tau << " seed " << seed;
            EXPECT_EQ(fit.n_free, 3);
            EXPECT_EQ(fit.values[fit_exponent], 1.0);
            EXPECT_EQ(fit.errors[fit_exponent], 0.0);
            const double truth[] = {0.2, tau, 1, 1.01};
            for (const std::size_t p : {fit_contrast, fit_tau, fit_baseline}) {
                ++n;
                outside += std::abs(fit.values[p] - truth[p]) > 3 * fit.errors[p];
                EXPECT_LT(std::abs(fit.values[p] - truth[p]), 6 * fit.errors[p]);
            }
        }
    }
    // 0.27 % of normal deviates lie beyond three sigma; 2 % leaves room for 360 of them.
    EXPECT_LE(outside, n / 50);
}

TEST(FitSingle, ErrorsHaveTheSizeOfTheScatter) {
    double sum = 0, sum_of_squares = 0, mean_error = 0;
    constexpr int n = 200;
    for (unsigned seed = 0; seed < n; ++seed) {
        const Curve data = curve(0.15, 2e-3, 1, 1, 0.004, 7000 + seed);
        const FitResult fit = fit_single(data.t, data.g2, data.err);
        ASSERT_TRUE(fit.ok) << fit.reason;
        sum += fit.values[fit_tau];
        sum_of_squares += fit.values[fit_tau] * fit.values[fit_tau];
        mean_error += fit.errors[fit_tau] / n;
    }
    const double scatter = std::sqrt(sum_of_squares / n - (sum / n) * (sum / n));
    // The scatter of 200 fits is known to 1 / sqrt(400) = 5 %; four times that.
    EXPECT_NEAR(mean_error / scatter, 1.0, 0.2);
}

TEST(FitSingle, ErrorsDoNotDependOnTheScaleOfTheWeights) {
    Curve data = curve(0.2, 1e-3, 1, 1, 0.003, 5);
    const FitResult once = fit_single(data.t, data.g2, data.err);
    for (double& e : data.err) {
        e *= 10;
    }
    const FitResult ten = fit_single(data.t, data.g2, data.err);
    ASSERT_TRUE(once.ok && ten.ok);
    EXPECT_NEAR(ten.errors[fit_tau] / once.errors[fit_tau], 1, 1e-4);
    EXPECT_NEAR(ten.values[fit_tau] / once.values[fit_tau], 1, 1e-6);
    EXPECT_NEAR(ten.chi2 / once.chi2, 0.01, 1e-6);
}

TEST(FitSingle, RecoversAStretchedExponent) {
    SingleFitOptions options;
    options.exponent = {0.5, 2};
    for (const double c : {0.7, 1.6}) {
        const Curve data = curve(0.3, 1e-3, c, 1, 0.001, 11);
        const FitResult fit = fit_single(data.t, data.g2, data.err, options);
        ASSERT_TRUE(fit.ok) << fit.reason;
        EXPECT_EQ(fit.n_free, 4);
        EXPECT_NEAR(fit.values[fit_exponent], c, 4 * fit.errors[fit_exponent]);
        EXPECT_GT(fit.errors[fit_exponent], 0);
    }
}

TEST(FitSingle, ExactDataGiveTheExactAnswer) {
    const Curve data = curve(0.25, 3e-4, 1, 1, 0, 1);
    const FitResult fit = fit_single(data.t, data.g2, {});
    ASSERT_TRUE(fit.ok) << fit.reason;
    EXPECT_NEAR(fit.values[fit_tau] / 3e-4, 1, 1e-6);
    EXPECT_NEAR(fit.values[fit_contrast], 0.25, 1e-6);
}

TEST(FitSingle, SaysThatFlatNoiseIsNotFitted) {
    int fitted = 0;
    for (unsigned seed = 0; seed < 300; ++seed) {
        const Curve data = curve(0, 1e-3, 1, 1, 0.01, 900 + seed);
        const FitResult fit = fit_single(data.t, data.g2, data.err);
        fitted += fit.ok;
        if (!fit.ok) {
            EXPECT_FALSE(fit.reason.empty());
            EXPECT_TRUE(std::isnan(fit.errors[fit_tau]));
        }
    }
    EXPECT_LE(fitted, 3);
}

TEST(FitSingle, ADecayBeyondTheDelaysIsNotInvented) {
    const Curve data = curve(0.2, 50, 1, 1, 0.001, 3);  // delays end at 0.3 s
    EXPECT_FALSE(fit_single(data.t, data.g2, data.err).ok);
}

TEST(FitSingle, LeavesOutLagsThatAreNotNumbers) {
    Curve data = curve(0.2, 1e-3, 1, 1, 0.002, 21);
    data.g2[0] = missing;
    data.g2[20] = std::numeric_limits<double>::infinity();
    data.err[5] = missing;
    data.err[6] = 0;
    const FitResult fit = fit_single(data.t, data.g2, data.err);
    ASSERT_TRUE(fit.ok) << fit.reason;
    EXPECT_EQ(fit.n_points, static_cast<int>(data.t.size()) - 2);
    EXPECT_NEAR(fit.values[fit_tau], 1e-3, 5 * fit.errors[fit_tau]);
}

TEST(FitSingle, TooFewOrNoPoints) {
    EXPECT_FALSE(fit_single({}, {}, {}).ok);
    EXPECT_FALSE(fit_single({1, 2, 3}, {missing, missing, missing}, {1, 1, 1}).ok);
    const FitResult few = fit_single({1, 2, 3}, {1.2, 1.1, 1.0}, {0.1, 0.1, 0.1});
    EXPECT_FALSE(few.ok);
    EXPECT_THAT(few.reason, ::testing::HasSubstr("5 needed"));
}

TEST(FitSingle, AnyOrderOfDelaysGivesTheSame) {
    const Curve data = curve(0.2, 1e-3, 1, 1, 0.002, 8);
    Curve reversed = data;
    std::reverse(reversed.t.begin(), reversed.t.end());
    std::reverse(reversed.g2.begin(), reversed.g2.end());
    std::reverse(reversed.err.begin(), reversed.err.end());
    EXPECT_EQ(fit_single(data.t, data.g2, data.err).values,
              fit_single(reversed.t, reversed.g2, reversed.err).values);
}

TEST(FitPowerLaw, RecoversDiffusion) {
    std::mt19937_64 engine(4);
    std::normal_distribution<double> normal;
    int outside = 0;
    constexpr int n = 100;
    for (int trial = 0; trial < n; ++trial) {
        std::vector<double> q, tau, err;
        for (int i = 0; i < 12; ++i) {
            q.push_back(0.002 + 0.001 * i);
            const double truth = 1 / (5e6 * q.back() * q.back());
            err.push_back(0.05 * truth);
            tau.push_back(truth * (1 + 0.05 * normal(engine)));
        }
        const FitResult fit = fit_power_law(q, tau, err);
        ASSERT_TRUE(fit.ok) << fit.reason;
        // Student's t with 10 degrees of freedom: 1.3 % beyond three sigma.
        outside += std::abs(fit.values[1] + 2) > 3 * fit.errors[1];
        outside += std::abs(fit.values[0] - 2e-7) > 3 * fit.errors[0] &&
                   std::abs(std::log(fit.values[0] / 2e-7)) > 3 * fit.errors[0] / fit.values[0];
    }
    EXPECT_LE(outside, 12);
}

TEST(FitPowerLaw, FailsWithAReason) {
    EXPECT_THAT(fit_power_law({0.1, 0.2}, {1, 2}, {0.1, 0.1}).reason,
                ::testing::HasSubstr("3 needed"));
    const FitResult same = fit_power_law({0.1, 0.1, 0.1}, {1, 2, 3}, {0.1, 0.1, 0.1});
    EXPECT_FALSE(same.ok);
    EXPECT_FALSE(fit_power_law({0.1, 0.2, -1, 0.3}, {1, missing, 1, 1}, {}).ok);
}

}  // namespace
