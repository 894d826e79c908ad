// SPDX-License-Identifier: BSD-3-Clause
// Photons of every frame of a run whose length is only known at its end. Frames come in pages that
// are made when a photon falls into them, so nothing is copied as the run grows and long stretches
// without photons take nothing. A page has 4 bytes per frame, and 8 from the first sum on that
// needs them: sums are exact.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace xpcs {

class FramePhotons {
  public:
    static constexpr std::size_t page_frames = std::size_t{1} << 14;

    /// Frames up to the last one that was ever added to.
    std::size_t size() const { return size_; }

    std::uint64_t operator[](std::size_t frame) const {
        const std::size_t page = frame / page_frames;
        if (page >= pages_.size()) return 0;
        const Page& p = pages_[page];
        const std::size_t at = frame % page_frames;
        return p.wide ? p.wide[at] : p.narrow ? p.narrow[at] : 0;
    }

    void add(std::size_t frame, std::uint64_t photons) {
        size_ = std::max(size_, frame + 1);
        set(frame, (*this)[frame] + photons);
    }
    /// Not more than there are.
    void remove(std::size_t frame, std::uint64_t photons) { set(frame, (*this)[frame] - photons); }

    std::vector<std::uint64_t> to_vector() const {
        std::vector<std::uint64_t> all(size_);
        for (std::size_t frame = 0; frame < size_; ++frame)
            all[frame] = (*this)[frame];
        return all;
    }

  private:
    struct Page {
        std::unique_ptr<std::uint32_t[]> narrow;
        std::unique_ptr<std::uint64_t[]> wide;  ///< instead
    };

    void set(std::size_t frame, std::uint64_t photons) {
        const std::size_t page = frame / page_frames;
        if (page >= pages_.size()) pages_.resize(page + 1);
        Page& p = pages_[page];
        if (!p.narrow && !p.wide) p.narrow = std::make_unique<std::uint32_t[]>(page_frames);
        if (p.narrow && photons > UINT32_MAX) {
            p.wide = std::make_unique<std::uint64_t[]>(page_frames);
            std::copy_n(p.narrow.get(), page_frames, p.wide.get());
            p.narrow.reset();
        }
        if (p.wide) {
            p.wide[frame % page_frames] = photons;
        } else {
            p.narrow[frame % page_frames] = static_cast<std::uint32_t>(photons);
        }
    }

    std::vector<Page> pages_;
    std::size_t size_ = 0;
};

}  // namespace xpcs
