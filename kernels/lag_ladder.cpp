// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/lag_ladder.hpp"

#include <stdexcept>
#include <string>

namespace xpcs {

LagLadder make_lag_ladder(std::int64_t n_frames) {
    if (n_frames < 2) {
        throw std::invalid_argument("multi-tau needs at least 2 frames, not " +
                                    std::to_string(n_frames));
    }
    LagLadder ladder;
    ladder.n_frames = n_frames;
    for (int x = 1; x <= 4 && x < n_frames; ++x) {
        ladder.lags.push_back({0, x, x, n_frames - x});
    }
    ladder.n_levels = 1;
    for (int level = 0; level < LagLadder::max_levels; ++level) {
        const std::int64_t n_blocks = ladder.n_blocks(level);
        for (int x = 5; x <= 8; ++x) {
            if (x >= n_blocks) return ladder;
            ladder.lags.push_back({level, x, std::int64_t{x} << level, n_blocks - x});
            ladder.n_levels = level + 1;
        }
    }
    return ladder;
}

}  // namespace xpcs
