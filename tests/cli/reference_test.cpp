// SPDX-License-Identifier: BSD-3-Clause
// The real program on the reference data, against direct float64 sums made elsewhere.
//
// Where those follow the definitions of an earlier program, the difference is not waved through: it
// is computed here from the raw file, once by our definition (must equal our result) and once by
// theirs (must equal their file), so that nothing else can hide in it. They are
//  - pixels in the gaps of the Rigaku 3M count as pixels of their static bin; here they are masked;
//  - without cropping, frame normalisation and intensity run over the whole detector; here over the
//    mask, always;
//  - segments of the SAXS curve are sums divided by T, after normalisation; here means, before it;
//  - pixels without signal enter g2_err as 0; here they are left out.
#include "reference/reference.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <regex>

#include "cli_fixture.hpp"

namespace xpcs::testing {
namespace {

namespace fs = std::filesystem;

constexpr double tolerance = 1e-6;  // relative; our g2 is stored as float32 (6e-8)

std::string shared(const std::string& path) {
    return std::string(XPCS_SHARED_DIR) + "/reference/" + path;
}

std::string raw_of(const std::string& set) {
    const std::string ending = set == "rigaku-250" ? ".bin" : set == "S-3m" ? ".bin.000" : ".h5";
    return shared("data/" + set + "/" + set + ending);
}

std::string qmap_of(const std::string& set) {
    return shared("data/" + set + "/" + set + "_qmap.hdf");
}

/// "nf1_b11e650" -> -nf 1 -b 11 -e 650; "bm200" is -b -200; "crop" has no meaning here.
Arguments options_of(const std::string& name) {
    Arguments options = {"-nf", name.substr(2, 1)};
    const std::size_t rest = name.find('_');
    if (rest == std::string::npos || name.substr(rest) == "_crop") return options;
    const std::string text = name.substr(rest + 1);
    static const std::regex part("(bm|a|f|b|e)([0-9]+)");
    for (std::sregex_iterator it(text.begin(), text.end(), part), end; it != end; ++it) {
        const std::string key = (*it)[1];
        options.push_back("-" + key.substr(0, 1));
        options.push_back((key == "bm" ? "-" : "") + (*it)[2].str());
    }
    return options;
}

std::vector<double> values(const std::string& file, const std::string& path) {
    return h5::read<double>(h5::open_file(file).id(), path);
}

bool has(const std::string& file, const std::string& path) {
    return h5::exists(h5::open_file(file).id(), path);
}

void expect_close(const std::vector<double>& ours,
                  const std::vector<double>& theirs,
                  double relative,
                  const std::string& what) {
    ASSERT_EQ(ours.size(), theirs.size()) << what;
    for (std::size_t i = 0; i < ours.size(); ++i) {
        ASSERT_NEAR(ours[i], theirs[i], relative * std::abs(theirs[i])) << what << "[" << i << "]";
    }
}

struct Maps {
    std::vector<double> mask, dq, sq;
    explicit Maps(const std::string& set)
        : mask(values(qmap_of(set), "/qmap/mask")),
          dq(values(qmap_of(set), "/qmap/dynamic_roi_map")),
          sq(values(qmap_of(set), "/qmap/static_roi_map")) {}
    std::size_t static_bin(std::size_t p) const {
        return mask[p] > 0 && dq[p] > 0 && sq[p] > 0 ? static_cast<std::size_t>(sq[p]) : 0;
    }
};

/// Sums over static bins of the definitions of docs/numerics.md, pixel by pixel, in float64.
class DirectSums {
  public:
    explicit DirectSums(std::int64_t n_frames)
        : lags_(reference::ladder(n_frames)), n_frames_(n_frames) {}

    /// `series` [n_frames] of one pixel with counts. `bin` and `dynamic` from 1.
    void add(std::size_t bin, std::size_t dynamic, const std::vector<double>& series) {
        Bin& sums = bins_[bin];
        sums.dynamic = dynamic;
        sums.values.resize(lags_.size());
        std::vector<std::vector<double>> level = {series};
        for (std::size_t i = 0; i < lags_.size(); ++i) {
            const reference::Lag& lag = lags_[i];
            while (level.size() <= static_cast<std::size_t>(lag.level)) {
                const std::vector<double>& fine = level.back();
                std::vector<double> coarse(fine.size() / 2);
                for (std::size_t j = 0; j < coarse.size(); ++j)
                    coarse[j] = fine[2 * j] + fine[2 * j + 1];
                level.push_back(std::move(coarse));
            }
            const std::vector<double>& blocks = level[static_cast<std::size_t>(lag.level)];
            const auto x = static_cast<std::size_t>(lag.blocks);
            double G2 = 0, past = 0, future = 0;
            for (std::size_t j = 0; j + x < blocks.size(); ++j) {
                G2 += blocks[j] * blocks[j + x];
                past += blocks[j];
                future += blocks[j + x];
            }
            sums.values[i][0] += G2;
            sums.values[i][1] += past;
            sums.values[i][2] += future;
        }
    }

    /// [lag][dynamic bin]; `n_pixels` of every static bin, those without counts included.
    std::vector<double> g2(const std::map<std::size_t, std::int64_t>& n_pixels) const {
        std::map<std::size_t, std::vector<double>> of_dynamic;
        for (const auto& [s, bin] : bins_) {
            auto& row = of_dynamic[bin.dynamic];
            row.resize(2 * lags_.size());
            for (std::size_t i = 0; i < lags_.size(); ++i) {
                const auto& [G2, past, future] = bin.values[i];
                if (!(past * future > 0)) continue;
                const double weight = static_cast<double>(lags_[i].pairs * n_pixels.at(s));
                row[2 * i] += weight * G2 / (past * future);
                row[2 * i + 1] += 1;
            }
        }
        std::vector<double> out;
        for (std::size_t i = 0; i < lags_.size(); ++i) {
            for (const auto& [d, row] : of_dynamic)
                out.push_back(row[2 * i] / row[2 * i + 1]);
        }
        return out;
    }

  private:
    struct Bin {
        std::size_t dynamic = 0;
        std::vector<std::array<double, 3>> values;
    };
    std::vector<reference::Lag> lags_;
    std::int64_t n_frames_;
    std::map<std::size_t, Bin> bins_;
};

class Reference : public ::testing::TestWithParam<std::pair<const char*, const char*>> {
  protected:
    void SetUp() override {
        if (!fs::exists(shared("float64"))) {
            GTEST_SKIP() << "no reference data in " << XPCS_SHARED_DIR;
        }
    }
    /// Result of the program for a case; fails the test if the run does.
    std::string correlate(const std::string& set, const std::string& name) {
        Arguments arguments = {"-r", raw_of(set), "-q", qmap_of(set), "-o", dir_.path(), "-w"};
        const Arguments options = options_of(name);
        arguments.insert(arguments.end(), options.begin(), options.end());
        arguments.insert(arguments.end(), {"--device", "cpu"});
        const Outcome outcome = run(arguments);
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        return outcome.last_line_of_out();
    }
    static std::string expected(const std::string& set, const std::string& name) {
        return shared("float64/" + set + "__" + name + ".hdf");
    }
    /// Lags, curve, image and segments: the same by both definitions.
    static void
    expect_common(const std::string& ours, const std::string& set, const std::string& name) {
        const std::string theirs = expected(set, name);
        EXPECT_EQ(values(ours, delay_path), values(theirs, delay_path));
        expect_close(values(ours, "/xpcs/temporal_mean/scattering_1d"),
                     values(theirs, "/xpcs/temporal_mean/scattering_1d"),
                     tolerance,
                     "scattering_1d");
        expect_image(ours, theirs, set);
        // Their segments are normalised with nf1: those of the same selection without are not.
        std::string plain = "nf0" + name.substr(3);
        if (plain == "nf0_crop") plain = "nf0";
        if (fs::exists(expected(set, plain))) expect_segments(ours, expected(set, plain));
    }
    static void
    expect_image(const std::string& ours, const std::string& theirs, const std::string& set) {
        if (!has(theirs, image_path)) return;
        const Maps maps(set);
        const auto a = values(ours, image_path), b = values(theirs, image_path);
        ASSERT_EQ(a.size(), b.size());
        for (std::size_t p = 0; p < a.size(); ++p) {
            if (maps.static_bin(p) > 0) {
                ASSERT_NEAR(a[p], b[p], tolerance * b[p]) << p;
            } else {
                ASSERT_EQ(a[p], 0) << p;
            }
        }
    }
    static void expect_segments(const std::string& ours, const std::string& theirs) {
        const auto n_frames = static_cast<double>(values(theirs, intensity_path).size() / 2);
        double width = 1;
        while (std::floor(n_frames / width) > 16)
            width *= 2;
        auto segments = values(theirs, "/xpcs/temporal_mean/scattering_1d_segments");
        for (double& value : segments)
            value *= n_frames / width;
        expect_close(values(ours, "/xpcs/temporal_mean/scattering_1d_segments"),
                     segments,
                     tolerance,
                     "segments");
    }

  private:
    TempDir dir_;
};

// --- the same by both definitions ---------------------------------------------------------------

using SameDefinition = Reference;

TEST_P(SameDefinition, AgreesWithFloat64) {
    const auto& [set, name] = GetParam();
    const std::string ours = correlate(set, name), theirs = expected(set, name);
    expect_common(ours, set, name);
    const auto g2 = values(ours, g2_path);
    expect_close(g2, values(theirs, g2_path), tolerance, "g2");

    // Equal error bars wherever every pixel has signal.
    const auto without = values(ours, "/xpcs/multitau/pixels_without_signal");
    const auto a = values(ours, g2_err_path), b = values(theirs, g2_err_path);
    ASSERT_EQ(a.size(), b.size());
    const std::size_t n_bins = a.size() / without.size();
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (without[i / n_bins] == 0) {
            EXPECT_NEAR(a[i], b[i], tolerance * b[i]) << i;
        }
        EXPECT_GE(a[i], 0) << i;  // 0 where a lag has one pair: every ratio is 1 then
    }
}

INSTANTIATE_TEST_SUITE_P(Rigaku,
                         SameDefinition,
                         ::testing::Values(std::pair{"rigaku-250", "nf0"},
                                           std::pair{"rigaku-250", "nf0_a3"},
                                           std::pair{"rigaku-250", "nf0_b37e201"},
                                           std::pair{"rigaku-250", "nf0_f2"},
                                           std::pair{"rigaku-250", "nf1"}),
                         [](const auto& c) { return std::string(c.param.second); });
INSTANTIATE_TEST_SUITE_P(Hdf5,
                         SameDefinition,
                         ::testing::Values(std::pair{"S-hdf", "nf0"},
                                           std::pair{"S-hdf", "nf0_a3"},
                                           std::pair{"S-hdf", "nf0_a3f2"},
                                           std::pair{"S-hdf", "nf0_bm200"},
                                           std::pair{"S-hdf", "nf0_f2"},
                                           std::pair{"S-hdf", "nf1_crop"}),
                         [](const auto& c) { return std::string(c.param.second); });

// --- intensity: theirs over the whole detector where they do not crop --------------------------

TEST_F(Reference, IntensityOfTheMask) {
    for (const char* name : {"nf0", "nf0_b37e201"}) {
        expect_close(values(correlate("rigaku-250", name), intensity_path),
                     values(expected("rigaku-250", name), intensity_path),
                     tolerance,
                     name);
    }
    expect_close(values(correlate("S-hdf", "nf1_crop"), intensity_path),
                 values(expected("S-hdf", "nf1_crop"), intensity_path),
                 tolerance,
                 "S-hdf nf1_crop");
}

// --- frame normalisation without cropping ------------------------------------------------------

/// Dense frames with the selection of a case; averaging adds, g2 does not care.
struct Frames {
    std::int64_t n_frames = 0;
    std::size_t n_pixels = 0;
    std::vector<double> counts;  ///< [n_frames][n_pixels]

    Frames(const std::string& set, std::int64_t begin, std::int64_t end, int stride, int average) {
        const auto raw = values(raw_of(set), "/entry/data/data");
        n_pixels = Maps(set).mask.size();
        const auto in_file = static_cast<std::int64_t>(raw.size() / n_pixels);
        n_frames = (std::min(end, in_file) - begin) / (stride * average);
        counts.assign(static_cast<std::size_t>(n_frames) * n_pixels, 0.0);
        for (std::int64_t k = 0; k < n_frames; ++k) {
            for (int a = 0; a < average; ++a) {
                const std::int64_t t = begin + k * stride * average + a * stride;
                for (std::size_t p = 0; p < n_pixels; ++p) {
                    counts[static_cast<std::size_t>(k) * n_pixels + p] +=
                        raw[static_cast<std::size_t>(t) * n_pixels + p];
                }
            }
        }
    }
};

std::vector<double> normalised_g2(const Frames& frames, const Maps& maps, bool whole_detector) {
    const auto n_frames = static_cast<std::size_t>(frames.n_frames);
    std::vector<double> sum(n_frames, 0.0);
    for (std::size_t t = 0; t < n_frames; ++t) {
        for (std::size_t p = 0; p < frames.n_pixels; ++p) {
            if (whole_detector || maps.static_bin(p) > 0)
                sum[t] += frames.counts[t * frames.n_pixels + p];
        }
    }
    DirectSums direct(frames.n_frames);
    std::map<std::size_t, std::int64_t> n_pixels;
    std::vector<double> series(n_frames);
    for (std::size_t p = 0; p < frames.n_pixels; ++p) {
        const std::size_t bin = maps.static_bin(p);
        if (bin == 0) continue;
        ++n_pixels[bin];
        for (std::size_t t = 0; t < n_frames; ++t)
            series[t] = frames.counts[t * frames.n_pixels + p] / sum[t];
        direct.add(bin, static_cast<std::size_t>(maps.dq[p]), series);
    }
    return direct.g2(n_pixels);
}

using WithoutCropping = Reference;

TEST_P(WithoutCropping, FrameNormalisationIsThatOfTheMask) {
    const auto& [set, name] = GetParam();
    const std::string ours = correlate(set, name), theirs = expected(set, name);
    expect_common(ours, set, name);
    const std::string text = name;
    const bool cut = text == "nf1_b11e650";
    const Frames frames(
        set, cut ? 11 : 0, cut ? 650 : 700, text == "nf1_f2" ? 2 : 1, text == "nf1_a3" ? 3 : 1);
    const Maps maps(set);
    const auto g2 = values(ours, g2_path), other = values(theirs, g2_path);
    expect_close(g2, normalised_g2(frames, maps, false), tolerance, "ours");
    expect_close(other, normalised_g2(frames, maps, true), tolerance, "theirs");
    double largest = 0;
    for (std::size_t i = 0; i < g2.size(); ++i)
        largest = std::max(largest, std::abs(g2[i] / other[i] - 1));
    EXPECT_LT(largest, 5e-4) << "more than pixels outside the mask can do here";
}

INSTANTIATE_TEST_SUITE_P(Hdf5,
                         WithoutCropping,
                         ::testing::Values(std::pair{"S-hdf", "nf1"},
                                           std::pair{"S-hdf", "nf1_a3"},
                                           std::pair{"S-hdf", "nf1_b11e650"},
                                           std::pair{"S-hdf", "nf1_f2"}),
                         [](const auto& c) { return std::string(c.param.second); });
INSTANTIATE_TEST_SUITE_P(Bitshuffle,
                         WithoutCropping,
                         ::testing::Values(std::pair{"S-hdfc", "nf1"}),
                         [](const auto& c) { return std::string(c.param.second); });

// --- the gaps of the Rigaku 3M -----------------------------------------------------------------

struct Event3m {
    std::uint32_t pixel, frame, count;
};

std::vector<Event3m> events_of_3m() {
    constexpr std::array<std::array<std::uint32_t, 2>, 6> origin = {
        {{0, 1076}, {582, 1076}, {1164, 1076}, {1164, 0}, {582, 0}, {0, 0}}};
    std::vector<Event3m> events;
    for (std::size_t m = 0; m < 6; ++m) {
        const std::string bytes = bytes_of(shared("data/S-3m/S-3m.bin.00" + std::to_string(m)));
        for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
            std::uint64_t word = 0;
            std::copy_n(bytes.data() + at, 8, reinterpret_cast<char*>(&word));
            const auto index = static_cast<std::uint32_t>((word >> 16) & 0xFFFFF);
            const std::uint32_t row = origin[m][0] + index / 1024;
            const std::uint32_t col = origin[m][1] + index % 1024;
            events.push_back({row * 2100 + col,
                              static_cast<std::uint32_t>(word >> 40),
                              static_cast<std::uint32_t>(word & 0xFFF)});
        }
    }
    std::sort(events.begin(), events.end(), [](const Event3m& a, const Event3m& b) {
        return a.pixel < b.pixel;
    });
    return events;
}

using Gaps = Reference;

TEST_P(Gaps, AreNoPixelsOfTheirStaticBin) {
    const auto& [set, name] = GetParam();
    const std::string ours = correlate(set, name);
    EXPECT_EQ(values(ours, delay_path), values(expected(set, name), delay_path));

    constexpr std::size_t n_frames = 100;
    const Maps maps(set);
    std::map<std::size_t, std::int64_t> with_gaps, without_gaps;
    for (std::size_t p = 0; p < maps.mask.size(); ++p) {
        const std::size_t bin = maps.static_bin(p), row = p / 2100, col = p % 2100;
        if (bin == 0) continue;
        const bool gap =
            (row >= 512 && row < 582) || (row >= 1094 && row < 1164) || (col >= 1024 && col < 1076);
        ++with_gaps[bin];
        without_gaps[bin] += gap ? 0 : 1;
    }
    const std::vector<Event3m> events = events_of_3m();
    std::vector<double> sum(n_frames, 0.0);
    for (const Event3m& event : events) {
        if (maps.static_bin(event.pixel) > 0) sum[event.frame] += event.count;
    }
    DirectSums direct(n_frames);
    std::vector<double> series(n_frames, 0.0);
    const bool normalise = std::string(name) == "nf1";
    for (std::size_t i = 0; i < events.size();) {
        const std::uint32_t pixel = events[i].pixel;
        std::fill(series.begin(), series.end(), 0.0);
        for (; i < events.size() && events[i].pixel == pixel; ++i) {
            series[events[i].frame] +=
                normalise ? events[i].count / sum[events[i].frame] : events[i].count;
        }
        const std::size_t bin = maps.static_bin(pixel);
        if (bin > 0) direct.add(bin, static_cast<std::size_t>(maps.dq[pixel]), series);
    }
    expect_close(values(ours, g2_path), direct.g2(without_gaps), tolerance, "ours");
    expect_close(values(expected(set, name), g2_path), direct.g2(with_gaps), tolerance, "theirs");
    std::int64_t in_gaps = 0;
    for (const auto& [bin, n] : with_gaps)
        in_gaps += n - without_gaps.at(bin);
    EXPECT_GT(in_gaps, 1000) << "the q-map has labels in the gaps";
}

INSTANTIATE_TEST_SUITE_P(Rigaku3m,
                         Gaps,
                         ::testing::Values(std::pair{"S-3m", "nf0"}, std::pair{"S-3m", "nf1"}),
                         [](const auto& c) { return std::string(c.param.second); });

}  // namespace
}  // namespace xpcs::testing
