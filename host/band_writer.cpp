// SPDX-License-Identifier: BSD-3-Clause
#include "host/band_writer.hpp"

#include <algorithm>

namespace xpcs {

BandWriter::BandWriter(UnnormalizedSink& sink,
                       const Partition& partition,
                       int n_lags,
                       std::int64_t average)
    : sink_(&sink), partition_(&partition), n_lags_(n_lags), average_(static_cast<double>(average)),
      band_rows_(sink.band_rows()) {
    values_.assign(static_cast<std::size_t>(n_lags_ * 3 * band_rows_ * partition.cols), 0.0F);
}

void BandWriter::add(const PixelMeans& means) {
    const std::int64_t cols = partition_->cols;
    const auto divided = [](float value, double by) {
        return static_cast<float>(static_cast<double>(value) / by);
    };
    for (std::int64_t p = 0; p < means.n_pixels; ++p) {
        const std::int64_t pixel =
            partition_->pixel[static_cast<std::size_t>(means.first_slot + p)];
        const std::int64_t band = pixel / cols / band_rows_;
        if (band != band_) {
            flush();
            band_ = band;
        }
        const std::int64_t in_band = pixel - band * band_rows_ * cols;
        for (std::int64_t lag = 0; lag < n_lags_; ++lag) {
            const auto from = static_cast<std::size_t>(lag * means.n_pixels + p);
            float* to = values_.data() + 3 * lag * band_rows_ * cols + in_band;
            to[0] = divided(means.G2[from], average_ * average_);
            to[band_rows_ * cols] = divided(means.future[from], average_);
            to[2 * band_rows_ * cols] = divided(means.past[from], average_);
        }
    }
}

void BandWriter::flush() {
    if (band_ < 0) return;
    const std::int64_t first = band_ * band_rows_;
    const std::int64_t rows = std::min(band_rows_, partition_->rows - first);
    if (rows < band_rows_) {
        // The last band is shorter: close the gaps between its images.
        for (std::int64_t i = 1; i < 3 * n_lags_; ++i) {
            std::copy_n(values_.begin() + i * band_rows_ * partition_->cols,
                        rows * partition_->cols,
                        values_.begin() + i * rows * partition_->cols);
        }
    }
    sink_->write_rows(first, rows, values_.data());
    std::fill(values_.begin(), values_.end(), 0.0F);
}

void BandWriter::finish() {
    flush();
    band_ = -1;
}

}  // namespace xpcs
