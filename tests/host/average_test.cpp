// SPDX-License-Identifier: BSD-3-Clause
#include "host/average.hpp"

#include "host/cmd_average.hpp"
#include "host/errors.hpp"
#include "host/h5.hpp"
#include "host/repeats.hpp"
#include "host/result_file.hpp"
#include "host/result_reader.hpp"
#include "tests/host/errors_of.hpp"
#include "tests/host/result_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <random>

namespace {

using namespace xpcs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using xpcs::testing::TempDir;

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t n_lags = 30, n_bins = 3;

/// Relaxing curves with noise of the size of their errors.
RepeatCurves repeat(unsigned seed, double contrast = 0.2, double offset = 0, double noise = 0.004) {
    std::mt19937_64 engine(seed);
    std::normal_distribution<double> normal;
    RepeatCurves out;
    for (std::size_t lag = 0; lag < n_lags; ++lag) {
        for (std::size_t bin = 0; bin < n_bins; ++bin) {
            const double t = std::pow(10.0, static_cast<double>(lag) / 10);
            const double rate = 0.02 * static_cast<double>((bin + 1) * (bin + 1));
            out.g2.push_back(1 + offset + contrast * std::exp(-2 * rate * t) +
                             noise * normal(engine));
            out.err.push_back(noise);
        }
    }
    return out;
}

std::vector<RepeatCurves> good(int n) {
    std::vector<RepeatCurves> out;
    for (int k = 0; k < n; ++k)
        out.push_back(repeat(100 + static_cast<unsigned>(k)));
    return out;
}

std::vector<std::size_t> dropped(const RepeatJudgement& judgement) {
    std::vector<std::size_t> out;
    for (std::size_t k = 0; k < judgement.verdicts.size(); ++k)
        if (!judgement.verdicts[k].kept) out.push_back(k);
    return out;
}

TEST(Repeats, GoodOnesStay) {
    int lost = 0;
    for (unsigned round = 0; round < 50; ++round) {
        std::vector<RepeatCurves> repeats;
        for (unsigned k = 0; k < 8; ++k)
            repeats.push_back(repeat(1000 * round + k));
        lost += static_cast<int>(dropped(judge_repeats(repeats, n_bins, {})).size());
    }
    // Two scores beyond 3.5 of the larger of two scales: well below 1 % of 400.
    EXPECT_LE(lost, 4);
}

TEST(Repeats, AFlatCurveIsDroppedForItsShape) {
    auto repeats = good(6);
    repeats[2] = repeat(7, 0.0);
    const RepeatJudgement judgement = judge_repeats(repeats, n_bins, {});
    EXPECT_THAT(dropped(judgement), ElementsAre(2));
    EXPECT_THAT(judgement.verdicts[2].reason, HasSubstr("shape of g2: correlation"));
    EXPECT_LT(judgement.verdicts[2].shape, 0.5);
    EXPECT_GT(judgement.verdicts[1].shape, 0.95);
}

TEST(Repeats, AShiftedContrastIsDroppedInTheSecondPass) {
    for (const double contrast : {0.14, 0.28}) {
        auto repeats = good(6);
        repeats[4] = repeat(8, contrast);
        const RepeatJudgement judgement = judge_repeats(repeats, n_bins, {});
        EXPECT_THAT(dropped(judgement), ElementsAre(4));
        EXPECT_THAT(judgement.verdicts[4].reason, HasSubstr("contrast"));
        EXPECT_NEAR(judgement.verdicts[4].amplitude, contrast / 0.2, 0.05);
        EXPECT_GT(judgement.verdicts[4].shape, 0.9);
        EXPECT_GT(std::abs(judgement.verdicts[4].z_amplitude), 3.5);
    }
}

TEST(Repeats, AShiftedBaselineIsDropped) {
    auto repeats = good(5);
    repeats[0] = repeat(9, 0.2, 0.03);
    const RepeatJudgement judgement = judge_repeats(repeats, n_bins, {});
    EXPECT_THAT(dropped(judgement), ElementsAre(0));
    EXPECT_THAT(judgement.verdicts[0].reason, HasSubstr("off the median curve"));
    EXPECT_NEAR(judgement.verdicts[0].offset, 0.03, 0.003);
}

TEST(Repeats, TheFlatOneDoesNotSpoilTheScaleOfTheSecondPass) {
    auto repeats = good(7);
    repeats[1] = repeat(7, 0.0);
    repeats[5] = repeat(8, 0.3);
    EXPECT_THAT(dropped(judge_repeats(repeats, n_bins, {})), ElementsAre(1, 5));
}

TEST(Repeats, LimitsOfZeroKeepAll) {
    auto repeats = good(5);
    repeats[1] = repeat(7, 0.0);
    EXPECT_THAT(dropped(judge_repeats(repeats, n_bins, {0, 0})), IsEmpty());
}

TEST(Repeats, FewerThanThreeAreNotJudged) {
    std::vector<RepeatCurves> repeats = {repeat(1), repeat(2, 0.0)};
    const RepeatJudgement judgement = judge_repeats(repeats, n_bins, {});
    EXPECT_THAT(dropped(judgement), IsEmpty());
    ASSERT_EQ(judgement.notes.size(), 1U);
    EXPECT_THAT(judgement.notes[0], HasSubstr("fewer than 3"));
}

TEST(Repeats, WithoutASignalTheShapeIsNotJudged) {
    std::vector<RepeatCurves> repeats;
    for (unsigned k = 0; k < 6; ++k)
        repeats.push_back(repeat(50 + k, 0.0));
    const RepeatJudgement judgement = judge_repeats(repeats, n_bins, {});
    EXPECT_THAT(dropped(judgement), IsEmpty());
    ASSERT_FALSE(judgement.notes.empty());
    EXPECT_THAT(judgement.notes[0], HasSubstr("no shape above the noise"));
}

TEST(Repeats, BinsAndFilesOfNaNDoNotSpread) {
    auto repeats = good(6);
    for (auto& one : repeats)
        for (std::size_t lag = 0; lag < n_lags; ++lag)
            one.g2[lag * n_bins + 1] = one.err[lag * n_bins + 1] = not_a_number;
    repeats[3].g2.assign(n_lags * n_bins, not_a_number);
    const RepeatJudgement judgement = judge_repeats(repeats, n_bins, {});
    EXPECT_THAT(dropped(judgement), ElementsAre(3));
    EXPECT_EQ(judgement.verdicts[3].reason, "no values of g2");
    for (const std::size_t k : {0U, 1U, 2U, 4U, 5U})
        EXPECT_TRUE(std::isfinite(judgement.verdicts[k].z_amplitude));
}

TEST(Repeats, EqualOnesHaveNoScaleAndAreKept) {
    const std::vector<RepeatCurves> repeats(4, repeat(3));
    EXPECT_THAT(dropped(judge_repeats(repeats, n_bins, {})), IsEmpty());
}

TEST(Repeats, MedianOfEvenAndOddNumbers) {
    EXPECT_EQ(median_of({3, 1, 2}), 2);
    EXPECT_EQ(median_of({4, 1, 2, not_a_number, 3}), 2.5);
    EXPECT_TRUE(std::isnan(median_of({not_a_number})));
}

// --- whole files -------------------------------------------------------------------------------

class Averages : public ::testing::Test {
  protected:
    /// A result file `film_0000k_results.hdf` whose numbers `change` may alter.
    std::string add(int k, const std::function<void(RunResult&)>& change = {}) {
        RunResult result = made_up_;
        std::mt19937_64 engine(static_cast<unsigned>(k));
        std::normal_distribution<double> noise(0, 0.001);
        for (double& value : result.one_time.g2)
            value += noise(engine);
        if (change) change(result);
        const std::string base = "film_0000" + std::to_string(k);
        ResultFile file(result.config, base, result.metadata.file);
        file.write(result);
        files_.push_back(file.commit());
        return files_.back();
    }
    AverageReport run(AverageOptions options = {}) {
        options.files = files_;
        options.output = dir_.file("out");
        return average(options);
    }
    static std::vector<double> read(const std::string& file, const std::string& path) {
        return h5::read<double>(h5::open_file(file).id(), path);
    }
    static std::vector<std::string> texts(const std::string& file, const std::string& path) {
        return h5::read_strings(h5::open_file(file).id(), path);
    }
    TempDir dir_;
    RunResult made_up_ = xpcs::testing::made_up_result(dir_);
    std::vector<std::string> files_;
};

const std::string g2_path = "/xpcs/multitau/normalized_g2";
const std::string err_path = "/xpcs/multitau/normalized_g2_err";

TEST_F(Averages, MeanErrorsAndListsAreThoseOfTheKeptFiles) {
    for (int k = 1; k <= 5; ++k)
        add(k);
    add(6, [](RunResult& r) {
        for (double& value : r.one_time.g2)
            value = 1;
    });
    const AverageReport report = run();
    EXPECT_EQ(std::filesystem::path(report.result).filename(),
              "Average_film_00001_00006_results.hdf");
    std::string reason;
    EXPECT_TRUE(is_complete_result(report.result, reason)) << reason;
    EXPECT_EQ(report.n_kept(), 5U);
    const auto mean = read(report.result, g2_path), err = read(report.result, err_path);
    for (std::size_t i = 0; i < mean.size(); ++i) {
        double sum = 0;
        for (int k = 0; k < 5; ++k)
            sum += read(files_[static_cast<std::size_t>(k)], g2_path)[i];
        ASSERT_NEAR(mean[i], sum / 5, 2e-7);  // float32 near 1: half a unit is 6e-8, five of them
        ASSERT_NEAR(err[i], 0.001 / std::sqrt(5.0), 1e-9);
    }
    auto kept = files_;
    kept.pop_back();
    EXPECT_EQ(texts(report.result, "/xpcs/average/file_list"), kept);
    EXPECT_EQ(texts(report.result, "/xpcs/average/files"), files_);
    EXPECT_THAT(read(report.result, "/xpcs/average/kept"), ElementsAre(1, 1, 1, 1, 1, 0));
    EXPECT_THAT(texts(report.result, "/xpcs/average/reason")[5], HasSubstr("shape of g2"));
    EXPECT_EQ(texts(report.result, "/xpcs/average/reason")[0], "");
    // What does not differ between the files stays as it is.
    for (const char* path : {"/xpcs/multitau/delay_list",
                             "/xpcs/multitau/bin_index",
                             "/xpcs/temporal_mean/scattering_2d",
                             "/xpcs/temporal_mean/scattering_1d_segments",
                             "/xpcs/spatial_mean/intensity_vs_time"}) {
        EXPECT_EQ(read(report.result, path), read(files_[0], path)) << path;
    }
    const auto curve = read(report.result, "/xpcs/temporal_mean/scattering_1d");
    EXPECT_EQ(curve[0], 1);
    EXPECT_TRUE(std::isnan(curve.back()));
    const ResultReader reader(report.result);
    EXPECT_EQ(reader.data().qmap.hash, ResultReader(files_[0]).data().qmap.hash);
    EXPECT_EQ(reader.data().start_time, "2026-01-02 03:04:05.678");
}

TEST_F(Averages, PartialCurvesOfOneKindOnly) {
    const auto with = [](const std::string& kind, double value) {
        return [=](RunResult& r) {
            const std::size_t n = 2 * r.one_time.g2.size();
            r.partial.emplace();
            r.partial->g2.assign(n, value);
            r.partial->g2_err.assign(n, 0.01);
            r.partial->end_frame = {500, 1000};
            r.config.num_partial_g2 = 2;
            r.config.partial = kind;
        };
    };
    const std::string path = "/xpcs/multitau/normalized_g2_partial";
    for (int k = 1; k <= 3; ++k)
        add(k, with("cumulative", 1 + 0.25 * k));
    const AverageReport same = run();
    EXPECT_EQ(read(same.result, path)[0], 1.5);
    {
        const h5::File file = h5::open_file(same.result);
        const h5::Dataset partial = h5::open_dataset(file.id(), path);
        EXPECT_EQ(h5::read_string_attribute(partial.id(), "kind"), "cumulative");
    }
    add(4, with("slices", 2));
    const AverageReport mixed = run();
    EXPECT_EQ(mixed.n_kept(), 4U);
    EXPECT_FALSE(h5::exists(h5::open_file(mixed.result).id(), path));
}

TEST_F(Averages, WeightsByCountsAndErrors) {
    for (int k = 1; k <= 3; ++k) {
        add(k, [k](RunResult& r) {
            for (double& value : r.scattering.intensity)
                value *= k;
            for (double& e : r.one_time.g2_err)
                e = 0.01 * k;
        });
    }
    const std::vector<double> w_counts = {1, 2, 3}, w_errors = {1, 1.0 / 4, 1.0 / 9};
    for (const bool counts : {true, false}) {
        AverageOptions options;
        options.weights = counts ? AverageWeights::counts : AverageWeights::errors;
        options.limits = {0, 0};
        options.overwrite = true;
        const AverageReport report = run(options);
        const auto& w = counts ? w_counts : w_errors;
        const auto mean = read(report.result, g2_path), err = read(report.result, err_path);
        for (std::size_t i = 0; i < mean.size(); i += 7) {
            double sum = 0, weight = 0, variance = 0;
            for (std::size_t k = 0; k < 3; ++k) {
                const double e = 0.01 * static_cast<double>(k + 1);
                sum += w[k] * read(files_[k], g2_path)[i];
                weight += w[k];
                variance += w[k] * w[k] * e * e;
            }
            ASSERT_NEAR(mean[i], sum / weight, 2e-7);
            ASSERT_NEAR(err[i], std::sqrt(variance) / weight, 1e-8);
        }
    }
}

/// At a lag of one pair every pixel gives the same g2: what rounding leaves of the error is none.
TEST_F(Averages, AnErrorThatIsRoundingIsNone) {
    for (int k = 1; k <= 4; ++k) {
        add(k, [k](RunResult& r) {
            for (double& e : r.one_time.g2_err)
                e = 0.01;
            r.one_time.g2_err.front() = k == 1 ? 0.02 : k == 2 ? 0.0 : 1e-10 * k;
            r.one_time.g2_err.back() = k == 1 ? 0.0 : 1e-10 * k;
            // Were this one precise to 1e-10, it would be the shape of the whole curve.
            r.one_time.g2.back() = 1 + 0.2 * k;
        });
    }
    AverageOptions options;
    options.weights = AverageWeights::errors;
    const AverageReport report = run(options);
    EXPECT_EQ(report.n_kept(), 4U);
    const auto mean = read(report.result, g2_path);
    double sum = 0;
    for (const std::string& file : files_)
        sum += read(file, g2_path).back();
    EXPECT_NEAR(mean.back(), sum / 4, 2e-7) << "none has an error: the plain mean";
    EXPECT_NEAR(mean.front(), read(files_[0], g2_path).front(), 2e-7) << "only one has an error";
}

TEST_F(Averages, NaNBinsAreTheMeanOfTheOthers) {
    for (int k = 1; k <= 4; ++k) {
        add(k, [k](RunResult& r) {
            for (std::size_t i = 0; i < r.one_time.g2.size(); i += 3) {
                r.one_time.g2[i] = not_a_number;  // bin 1 never has a value
                if (k == 2) r.one_time.g2[i + 1] = not_a_number;
            }
        });
    }
    const AverageReport report = run();
    EXPECT_EQ(report.n_kept(), 4U);
    const auto mean = read(report.result, g2_path), err = read(report.result, err_path);
    const auto n = read(report.result, "/xpcs/average/n_values");
    EXPECT_TRUE(std::isnan(mean[0]) && std::isnan(err[0]));
    EXPECT_THAT((std::vector<double>{n[0], n[1], n[2]}), ElementsAre(0, 3, 4));
    double sum = 0;
    for (const std::size_t k : {0U, 2U, 3U})
        sum += read(files_[k], g2_path)[1];
    EXPECT_NEAR(mean[1], sum / 3, 2e-7);
    EXPECT_NEAR(err[1], 0.001 / std::sqrt(3.0), 1e-9);
}

TEST_F(Averages, MonitorsAreAveraged) {
    for (int k = 1; k <= 3; ++k) {
        const std::string path = add(k);
        const h5::File file = h5::open_file_for_writing(path);
        h5::write_scalar<double>(
            file.id(), "/entry/instrument/incident_beam/incident_beam_intensity", 10.0 * k);
        h5::write_scalar<double>(
            file.id(), "/entry/instrument/incident_beam/transmitted_beam_intensity", 1.0 * k);
    }
    const AverageReport report = run();
    const h5::File file = h5::open_file(report.result);
    const std::string beam = "/entry/instrument/incident_beam/";
    EXPECT_EQ(h5::read_number(file.id(), beam + "incident_beam_intensity"), 20);
    EXPECT_EQ(h5::read_number(file.id(), beam + "transmitted_beam_intensity"), 2);
    EXPECT_THAT(h5::read<double>(file.id(), "/xpcs/average/incident_beam_intensity"),
                ElementsAre(10, 20, 30));
}

TEST_F(Averages, FilesThatDoNotBelongTogetherAreRefusedWithBothValues) {
    add(1);
    const auto refused = [&](int k, const std::function<void(RunResult&)>& change) {
        add(k, change);
        const auto error = xpcs::testing::error_of([&] { run(); });
        EXPECT_EQ(error.code(), ExitCode::data);
        EXPECT_THAT(error.what(), HasSubstr(files_[0]));
        EXPECT_THAT(error.what(), HasSubstr(files_[1]));
        files_.pop_back();
        EXPECT_FALSE(std::filesystem::exists(dir_.file("out")));
        return std::string(error.what());
    };
    EXPECT_THAT(refused(2, [](RunResult& r) { r.frame_time_s = 40e-6; }),
                ::testing::AllOf(HasSubstr("4e-05 s"), HasSubstr("2e-05 s")));
    const std::string hash = ResultReader(files_[0]).data().qmap.hash;
    EXPECT_THAT(refused(3,
                        [&](RunResult& r) {
                            r.qmap.beam_center_x += 1;
                            r.qmap.file = dir_.file("other.hdf");
                            save_qmap(r.qmap, r.qmap.file, true);
                            r.qmap = load_qmap(r.qmap.file);
                        }),
                ::testing::AllOf(HasSubstr("q-map hash"), HasSubstr(hash)));
    EXPECT_THAT(refused(4,
                        [](RunResult& r) {
                            r.one_time.ladder.lags.pop_back();
                            for (int k = 0; k < 3; ++k) {
                                r.one_time.g2.pop_back();
                                r.one_time.g2_err.pop_back();
                            }
                        }),
                HasSubstr("lags"));
}

TEST_F(Averages, OneFileAndTheSameTwiceAreUsageErrors) {
    add(1);
    EXPECT_EQ(xpcs::testing::error_of([&] { run(); }).code(), ExitCode::usage);
    files_.push_back(files_[0]);
    EXPECT_THAT(xpcs::testing::error_of([&] { run(); }).what(), HasSubstr("given twice"));
}

TEST_F(Averages, AnExistingAverageIsNotReplacedUnlessAsked) {
    add(1);
    add(2);
    const std::string first = run().result, second = run().result;
    EXPECT_THAT(second, HasSubstr("_results_1.hdf"));
    AverageOptions options;
    options.overwrite = true;
    EXPECT_EQ(run(options).result, first);
    // An average of averages is an average.
    files_ = {first, second};
    EXPECT_NO_THROW(run());
}

TEST_F(Averages, TheCommandSaysWhatItKeptAndWhere) {
    const auto last_line = [](const std::string& text) {
        const std::size_t end = text.find_last_not_of('\n');
        return text.substr(text.rfind('\n', end) + 1, end - text.rfind('\n', end));
    };
    for (int k = 1; k <= 4; ++k)
        add(k);
    add(5, [](RunResult& result) {  // another contrast
        for (double& value : result.one_time.g2)
            value += 0.5 * (value - 1);
    });
    std::vector<std::string> args = files_;
    args.insert(args.end(), {"-o", dir_.file("out"), "--weights", "errors"});
    ::testing::internal::CaptureStdout();
    EXPECT_EQ(cmd_average(args), 0);
    std::string printed = ::testing::internal::GetCapturedStdout();
    EXPECT_THAT(printed, HasSubstr("4 of 5 results averaged"));
    const std::string report = last_line(printed);
    EXPECT_EQ(report, dir_.file("out") + "/Average_film_00001_00005_results.hdf");
    EXPECT_TRUE(std::filesystem::exists(report));

    args.insert(args.end(), {"--keep-all", "--overwrite"});
    ::testing::internal::CaptureStdout();
    EXPECT_EQ(cmd_average(args), 0);
    printed = ::testing::internal::GetCapturedStdout();
    EXPECT_THAT(printed, HasSubstr("5 of 5 results averaged"));
    EXPECT_EQ(last_line(printed), report);

    args.back() = "--z-limit=-1";
    EXPECT_THAT(xpcs::testing::error_of([&] { cmd_average(args); }).what(), HasSubstr("z-limit"));
}

TEST(AverageStem, ComesFromWhatTheNamesShare) {
    EXPECT_EQ(average_stem({"/a/film_r00001_results.hdf", "/b/film_r00012_results_1.hdf"}),
              "Average_film_r_00001_00012");
    EXPECT_EQ(average_stem({"A1_a0006_x_results.hdf", "A2_a0006_x_results.hdf"}),
              "Average_A_1_a0006_x_2_a0006_x");
    EXPECT_EQ(average_stem({"1_results.hdf", "2_results.hdf"}), "Average_1_2");
    EXPECT_EQ(average_stem({"x/run_results.hdf", "y/run_results.hdf"}), "Average_run");
}

}  // namespace
