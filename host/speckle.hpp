// SPDX-License-Identifier: BSD-3-Clause
// The simulated sample and detector pixels (model: simulate.hpp), advanced slab of frames by slab.
#pragma once

#include "host/simulate_random.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace xpcs {

/// Number of speckle modes M and the part f of the intensity that fluctuates: contrast = f^2 / M.
struct SpeckleModes {
    int n = 1;
    double fluctuating = 1;
    double bound = 1;  ///< intensity that is practically never exceeded (see speckle.cpp)
};
SpeckleModes modes_for(double contrast);

/// What a pixel is, constant during a run.
struct PixelModel {
    double mean = 0;        ///< counts per frame; 0 = dark
    double relaxation = 0;  ///< Gamma in 1/frame
    bool hot = false;
};

class SpecklePixels {
  public:
    SpecklePixels(std::vector<PixelModel> pixels,
                  SpeckleModes modes,
                  std::uint64_t seed,
                  double hot_rate,
                  std::uint32_t hot_counts);

    std::size_t size() const { return pixels_.size(); }
    const PixelModel& model(std::size_t pixel) const { return pixels_[pixel]; }

    /// Calls emit(frame, count) for every frame of [begin, end) with counts, in order. Slabs of one
    /// pixel must follow each other without gaps; pixels are independent (any thread).
    template <class Emit>
    void advance(std::size_t pixel, std::int64_t begin, std::int64_t end, Emit&& emit) {
        const PixelModel& model = pixels_[pixel];
        if (model.hot) {
            advance_hot(pixel, begin, end, emit);
        } else if (model.mean <= 0) {
            return;
        } else if (model.mean * modes_.bound < thinning_below) {
            advance_thinned(pixel, begin, end, emit);
        } else {
            advance_stepwise(pixel, begin, end, emit);
        }
    }

  private:
    static constexpr double thinning_below = 0.5;

    struct State {
        RandomStream random;
        double next_candidate = 0;  ///< thinned: time in frames
        std::int64_t frame = -1;    ///< frame of the fields, -1 = not drawn yet
    };

    /// Moves the fields of a pixel to `frame` exactly: E' = a E + sqrt(1 - a^2) xi with
    /// a = exp(-Gamma dt), xi complex normal. Returns the intensity.
    double intensity(std::size_t pixel, std::int64_t frame) {
        State& state = states_[pixel];
        double* field = &fields_[pixel * static_cast<std::size_t>(2 * modes_.n)];
        const double steps = static_cast<double>(frame - state.frame);
        const double memory = state.frame < 0 ? 0.0 : std::exp(-pixels_[pixel].relaxation * steps);
        const double noise = std::sqrt(0.5 * (1 - memory * memory));
        double sum = 0;
        for (int i = 0; i < 2 * modes_.n; ++i) {
            field[i] = memory * field[i] + noise * state.random.normal();
            sum += field[i] * field[i];
        }
        state.frame = frame;
        return 1 - modes_.fluctuating + modes_.fluctuating * sum / modes_.n;
    }

    /// Candidates come from a Poisson process of the bounding rate; each stays with probability
    /// I / bound. Photons of one frame see one intensity.
    template <class Emit>
    void advance_thinned(std::size_t pixel, std::int64_t begin, std::int64_t end, Emit& emit) {
        State& state = states_[pixel];
        const double gap = 1 / (pixels_[pixel].mean * modes_.bound);
        if (begin == 0) state.next_candidate = gap * state.random.exponential();
        std::int64_t frame = -1;
        std::uint32_t count = 0;
        double accept = 0;
        while (state.next_candidate < static_cast<double>(end)) {
            const auto at = static_cast<std::int64_t>(state.next_candidate);
            if (at != frame) {
                if (count > 0) emit(frame, count);
                count = 0;
                frame = at;
                accept = intensity(pixel, frame) / modes_.bound;
            }
            count += state.random.uniform() < accept;
            state.next_candidate += gap * state.random.exponential();
        }
        if (count > 0) emit(frame, count);
    }

    template <class Emit>
    void advance_stepwise(std::size_t pixel, std::int64_t begin, std::int64_t end, Emit& emit) {
        State& state = states_[pixel];
        for (std::int64_t frame = begin; frame < end; ++frame) {
            const double mean = pixels_[pixel].mean * intensity(pixel, frame);
            const std::int64_t count = state.random.poisson(mean);
            if (count > 0) emit(frame, static_cast<std::uint32_t>(count));
        }
    }

    template <class Emit>
    void advance_hot(std::size_t pixel, std::int64_t begin, std::int64_t end, Emit& emit) {
        State& state = states_[pixel];
        for (std::int64_t frame = begin; frame < end; ++frame) {
            if (state.random.uniform() < hot_rate_) emit(frame, hot_counts_);
        }
    }

    std::vector<PixelModel> pixels_;
    SpeckleModes modes_;
    double hot_rate_;
    std::uint32_t hot_counts_;
    std::vector<State> states_;
    std::vector<double> fields_;  ///< [pixel][mode][re, im]
};

}  // namespace xpcs
