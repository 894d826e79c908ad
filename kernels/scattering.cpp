// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/scattering.hpp"

#include <limits>
#include <numeric>
#include <stdexcept>

namespace xpcs {

SegmentPlan plan_segments(std::int64_t n_frames) {
    SegmentPlan plan;
    plan.frames = 1;
    while (n_frames / plan.frames > 16)
        plan.frames *= 2;
    plan.n_segments = static_cast<int>(n_frames / plan.frames);
    return plan;
}

Scattering make_scattering(const Partition& partition,
                           const MultitauSums& sums,
                           const std::vector<std::uint64_t>& frame_photons,
                           const SegmentPlan& segments,
                           std::int64_t average) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    if (sums.segment_photons.size() !=
        std::size_t{partition.n_static} * static_cast<std::size_t>(segments.n_segments)) {
        throw std::invalid_argument("scattering: sums made for other segments");
    }
    Scattering out;
    const auto n_frames = static_cast<double>(frame_photons.size());
    const double per_frame = 1.0 / (n_frames * static_cast<double>(average));
    const std::vector<std::int64_t>& n_pixels = sums.whole.n_pixels;

    out.saxs_2d.assign(partition.slot.size(), 0.0);
    std::vector<std::uint64_t> bin_photons(partition.n_static, 0);
    for (std::size_t k = 0; k < partition.pixel.size(); ++k) {
        out.saxs_2d[partition.pixel[k]] = static_cast<double>(sums.pixel_photons[k]) * per_frame;
        bin_photons[partition.static_bin[k]] += sums.pixel_photons[k];
    }

    out.saxs_1d.assign(partition.n_static, nan);
    out.n_segments = segments.n_segments;
    const auto n_segments = static_cast<std::size_t>(segments.n_segments);
    out.saxs_1d_segments.assign(n_segments * partition.n_static, nan);
    const double per_segment_frame =
        1.0 / (static_cast<double>(segments.frames) * static_cast<double>(average));
    for (std::size_t s = 0; s < partition.n_static; ++s) {
        if (n_pixels[s] == 0) continue;
        const double per_pixel = 1.0 / static_cast<double>(n_pixels[s]);
        out.saxs_1d[s] = static_cast<double>(bin_photons[s]) * per_frame * per_pixel;
        for (std::size_t k = 0; k < n_segments; ++k) {
            out.saxs_1d_segments[k * partition.n_static + s] =
                static_cast<double>(sums.segment_photons[s * n_segments + k]) * per_segment_frame *
                per_pixel;
        }
    }

    const std::int64_t kept = std::accumulate(n_pixels.begin(), n_pixels.end(), std::int64_t{0});
    const double per_sample =
        kept > 0 ? 1.0 / (static_cast<double>(kept) * static_cast<double>(average)) : 0;
    out.intensity.reserve(frame_photons.size());
    for (const std::uint64_t photons : frame_photons) {
        out.intensity.push_back(static_cast<double>(photons) * per_sample);
    }
    return out;
}

}  // namespace xpcs
