// SPDX-License-Identifier: BSD-3-Clause
#include "host/benchmark_data.hpp"

#include "host/errors.hpp"
#include "host/make_qmap.hpp"
#include "host/readers/rigaku_word.hpp"
#include "host/simulate_random.hpp"
#include "host/simulate_write.hpp"
#include "host/stop.hpp"

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <set>

namespace xpcs {

namespace {

namespace tbb = oneapi::tbb;
using namespace rigaku;

constexpr std::int64_t n_checked = 320;
constexpr std::int64_t n_checked_hot = 8;
constexpr double hot_rate = 0.9;

/// Where the checked pixels lie: position in BenchmarkTruth::pixel + 1 of every detector index.
using Places = std::vector<std::uint32_t>;

QMap plain_qmap(const BenchmarkSet& set) {
    MakeQmapOptions options;
    if (set.format == BenchmarkFormat::rigaku3m) {
        options.detector = "rigaku3m";
    } else {
        options.rows = set.rows;
        options.cols = set.cols;
        options.pixel_size_m = 76e-6;
    }
    options.energy_keV = 10;
    options.distance_m = 4;
    options.beam_center_x_px = 500;
    options.beam_center_y_px = -200;
    return make_qmap(validate(options));
}

/// Gives the last dynamic bin to the checked pixels; those that it had join the bin before.
void give_last_bin(QMap& qmap, BenchmarkTruth& truth) {
    const std::uint32_t last = qmap.n_dynamic();
    std::set<std::uint32_t> bins;
    std::uint32_t neighbour = 0;
    for (std::size_t i = 0; i < qmap.dynamic_roi_map.size(); ++i) {
        if (qmap.dynamic_roi_map[i] == last) bins.insert(qmap.static_roi_map[i]);
        if (qmap.dynamic_roi_map[i] == last - 1) neighbour = qmap.static_roi_map[i];
    }
    for (std::size_t i = 0; i < qmap.dynamic_roi_map.size(); ++i) {
        if (qmap.dynamic_roi_map[i] != last) continue;
        qmap.dynamic_roi_map[i] = last - 1;
        qmap.static_roi_map[i] = neighbour;
    }
    const std::vector<std::uint32_t> labels(bins.begin(), bins.end());
    truth.n_bins = static_cast<int>(labels.size());
    for (std::size_t k = 0; k < truth.pixel.size(); ++k) {
        const std::size_t bin = k % labels.size();
        truth.bin.push_back(static_cast<int>(bin));
        qmap.dynamic_roi_map[truth.pixel[k]] = last;
        qmap.static_roi_map[truth.pixel[k]] = labels[bin];
    }
}

/// `n` different pixels of the mask.
std::vector<std::uint32_t> draw_pixels(const QMap& qmap, std::int64_t n, RandomStream& random) {
    std::set<std::uint32_t> chosen;
    while (static_cast<std::int64_t>(chosen.size()) < n) {
        const auto pixel = static_cast<std::uint32_t>(
            random.uniform() * static_cast<double>(qmap.dynamic_roi_map.size()));
        if (qmap.dynamic_roi_map[pixel] > 0) chosen.insert(pixel);
    }
    return {chosen.begin(), chosen.end()};
}

/// Appends the events of one frame of a module: `pixel_at(local)` is its index on the detector.
class FrameMaker {
  public:
    FrameMaker(const BenchmarkSet& set,
               const Places& places,
               const std::vector<std::uint8_t>& hot,
               BenchmarkTruth& truth)
        : rate_(set.occupancy), scale_(1 / std::log1p(-set.occupancy)), places_(&places),
          hot_(&hot), truth_(&truth) {}

    template <class PixelAt>
    void operator()(std::int64_t frame,
                    std::uint32_t offset,
                    const PixelAt& pixel_at,
                    RandomStream random,
                    std::vector<std::uint64_t>& words) const {
        const double n = static_cast<double>(module_pixels);
        std::uint64_t photons = 0;
        const auto emit = [&](std::uint32_t local, std::uint32_t pixel, std::uint32_t count) {
            words.push_back(make_word(frame, local + offset, count));
            photons += count;
            if ((*places_)[pixel] != 0) {
                truth_
                    ->counts[((*places_)[pixel] - 1) * static_cast<std::size_t>(truth_->n_frames) +
                             static_cast<std::size_t>(frame)] = static_cast<std::uint8_t>(count);
            }
        };
        double at = -1;
        while (true) {
            // The distance to the next event is geometric.
            at += 1 + std::floor(std::log(random.uniform_above_0()) * scale_);
            if (!(at < n)) break;
            const auto local = static_cast<std::uint32_t>(at);
            const std::uint32_t pixel = pixel_at(local);
            const std::uint64_t bits = random.bits();
            if ((*hot_)[pixel] != 0) continue;
            emit(local, pixel, 1 + ((bits & 31) == 0 ? 1 : 0));
        }
        truth_->frame_photons[static_cast<std::size_t>(frame)] += photons;
    }

    template <class PixelAt>
    void hot(std::int64_t frame,
             std::uint32_t offset,
             const PixelAt& pixel_at,
             const std::vector<std::uint32_t>& locals,
             RandomStream random,
             std::vector<std::uint64_t>& words) const {
        for (const std::uint32_t local : locals) {
            if (random.uniform() >= hot_rate) continue;
            const auto count = static_cast<std::uint32_t>(1 + random.bits() % 3);
            const std::uint32_t pixel = pixel_at(local);
            words.push_back(make_word(frame, local + offset, count));
            truth_->frame_photons[static_cast<std::size_t>(frame)] += count;
            if ((*places_)[pixel] != 0) {
                truth_
                    ->counts[((*places_)[pixel] - 1) * static_cast<std::size_t>(truth_->n_frames) +
                             static_cast<std::size_t>(frame)] = static_cast<std::uint8_t>(count);
            }
        }
    }

  private:
    double rate_, scale_;
    const Places* places_;
    const std::vector<std::uint8_t>* hot_;
    BenchmarkTruth* truth_;
};

void write_all(std::ofstream& out, const std::string& path, const void* bytes, std::size_t n) {
    out.write(static_cast<const char*>(bytes), static_cast<std::streamsize>(n));
    if (!out) throw Error(ExitCode::io, "benchmark: writing " + path + ": " + std::strerror(errno));
}

std::ofstream create(const std::string& path) {
    std::ofstream out(path, std::ios::binary);
    if (!out) {
        throw Error(ExitCode::cannot_create, "benchmark: " + path + ": " + std::strerror(errno));
    }
    return out;
}

struct Maker {
    const BenchmarkSet& set;
    std::uint64_t seed;
    const QMap& qmap;
    Places places;
    std::vector<std::uint8_t> is_hot;
    BenchmarkFiles& files;

    void words(const std::string& path, int module);
    void frames(const std::string& path);
};

/// One file of words, frames in order; batches of frames are made in parallel.
void Maker::words(const std::string& path, int module) {
    const bool many = set.format == BenchmarkFormat::rigaku3m;
    const ModuleOrigin origin = many ? layout_3m::origin(module) : ModuleOrigin{0, 0};
    const std::int64_t cols = qmap.cols;
    const auto pixel_at = [&](std::uint32_t local) {
        if (!many) return local;
        return static_cast<std::uint32_t>((origin.row + local / module_cols) * cols + origin.col +
                                          local % module_cols);
    };
    std::vector<std::uint32_t> hot;
    for (std::uint32_t local = 0; local < module_pixels; ++local) {
        if (is_hot[pixel_at(local)] != 0) hot.push_back(local);
    }
    const FrameMaker make(set, places, is_hot, files.truth);
    const std::uint32_t offset = many ? module_offset : 0;
    const double per_frame = set.occupancy * static_cast<double>(module_pixels) + 1;
    const auto batch =
        std::clamp<std::int64_t>(static_cast<std::int64_t>(4e5 / per_frame), 1, 4096);
    constexpr std::int64_t parts = 16;
    std::vector<std::vector<std::uint64_t>> made(parts);
    std::ofstream out = create(path);
    for (std::int64_t first = 0; first < set.n_frames; first += batch * parts) {
        throw_if_stopped();
        tbb::parallel_for(std::int64_t{0}, parts, [&](std::int64_t part) {
            auto& into = made[static_cast<std::size_t>(part)];
            into.clear();
            const std::int64_t begin = first + part * batch;
            const std::int64_t end = std::min(set.n_frames, begin + batch);
            for (std::int64_t frame = begin; frame < end; ++frame) {
                const auto stream =
                    static_cast<std::uint64_t>(frame * 16 + std::int64_t{2} * module);
                make(frame, offset, pixel_at, RandomStream(seed, stream), into);
                make.hot(frame, offset, pixel_at, hot, RandomStream(seed, stream + 1), into);
            }
        });
        for (const auto& part : made) {
            write_all(out, path, part.data(), part.size() * word_bytes);
            files.truth.n_events += static_cast<std::int64_t>(part.size());
        }
    }
    out.close();
    if (!out) throw Error(ExitCode::io, "benchmark: writing " + path + ": " + std::strerror(errno));
    files.all.push_back(path);
}

/// Counts that follow a Poisson distribution as well as 16 random bits can tell.
std::vector<std::uint8_t> poisson_table(double mean) {
    std::vector<std::uint8_t> table(65536);
    double probability = std::exp(-mean), sum = probability;
    std::uint8_t count = 0;
    for (std::size_t i = 0; i < table.size(); ++i) {
        while (static_cast<double>(i) + 0.5 > sum * 65536 && count < 200) {
            ++count;
            probability *= mean / count;
            sum += probability;
        }
        table[i] = count;
    }
    return table;
}

void Maker::frames(const std::string& path) {
    FrameLayout layout{set.n_frames, set.rows, set.cols, set.sample_bytes};
    if (set.bitshuffle) layout.compression = FrameCompression::bslz4;
    FrameWriter writer(path, layout);
    const std::vector<std::uint8_t> table = poisson_table(set.occupancy);
    const auto n_pixels = static_cast<std::size_t>(set.rows * set.cols);
    const auto width = static_cast<std::size_t>(set.sample_bytes);
    constexpr std::int64_t batch = 16;
    std::vector<std::byte> samples(batch * n_pixels * width);
    BenchmarkTruth& truth = files.truth;
    std::vector<std::int64_t> events(batch);
    for (std::int64_t first = 0; first < set.n_frames; first += batch) {
        throw_if_stopped();
        const std::int64_t n = std::min(batch, set.n_frames - first);
        std::memset(samples.data(), 0, samples.size());
        tbb::parallel_for(std::int64_t{0}, n, [&](std::int64_t k) {
            const std::int64_t frame = first + k;
            RandomStream random(seed, static_cast<std::uint64_t>(frame));
            std::byte* out = samples.data() + static_cast<std::size_t>(k) * n_pixels * width;
            std::uint64_t bits = 0, photons = 0;
            std::int64_t lit = 0;
            for (std::size_t pixel = 0; pixel < n_pixels; ++pixel) {
                if (pixel % 4 == 0) bits = random.bits();
                const std::uint8_t count = table[(bits >> (16 * (pixel % 4))) & 0xFFFF];
                out[pixel * width] = std::byte{count};
                photons += count;
                lit += count > 0;
                if (places[pixel] == 0) continue;
                truth.counts[(places[pixel] - 1) * static_cast<std::size_t>(set.n_frames) +
                             static_cast<std::size_t>(frame)] = count;
            }
            truth.frame_photons[static_cast<std::size_t>(frame)] = photons;
            events[static_cast<std::size_t>(k)] = lit;
        });
        for (std::int64_t k = 0; k < n; ++k)
            truth.n_events += events[static_cast<std::size_t>(k)];
        writer.write(first, n, samples.data());
    }
    writer.close();
    files.all.push_back(path);
}

void write_files(Maker& maker, const std::string& stem) {
    const BenchmarkSet& set = maker.set;
    BenchmarkFiles& files = maker.files;
    if (set.format == BenchmarkFormat::frames) {
        files.raw = stem + ".h5";
        maker.frames(files.raw);
        return;
    }
    if (set.format == BenchmarkFormat::rigaku) {
        files.raw = stem + ".bin";
        maker.words(files.raw, 0);
        return;
    }
    for (int module = 0; module < layout_3m::n_modules; ++module) {
        maker.words(stem + ".bin.00" + std::to_string(module), module);
    }
    files.raw = stem + ".bin.000";
}

}  // namespace

BenchmarkFiles make_benchmark_files(const BenchmarkSet& set,
                                    const std::string& directory,
                                    std::uint64_t seed,
                                    int threads) {
    QMap qmap = plain_qmap(set);
    BenchmarkFiles files;
    BenchmarkTruth& truth = files.truth;
    RandomStream random(seed, UINT64_MAX);
    std::vector<std::uint32_t> hot = draw_pixels(qmap, set.n_hot, random);
    const std::vector<std::uint32_t> quiet = draw_pixels(qmap, n_checked, random);
    std::set<std::uint32_t> checked(quiet.begin(), quiet.end());
    const std::int64_t some = std::min<std::int64_t>(n_checked_hot, set.n_hot);
    for (std::int64_t k = 0; k < some; ++k)
        checked.insert(hot[static_cast<std::size_t>(k * set.n_hot / some)]);
    truth.pixel.assign(checked.begin(), checked.end());
    truth.n_frames = set.n_frames;
    truth.counts.assign(truth.pixel.size() * static_cast<std::size_t>(set.n_frames), 0);
    truth.frame_photons.assign(static_cast<std::size_t>(set.n_frames), 0);
    give_last_bin(qmap, truth);

    Maker maker{set, seed, qmap, Places(qmap.mask.size(), 0), {}, files};
    maker.is_hot.assign(qmap.mask.size(), 0);
    for (const std::uint32_t pixel : hot)
        maker.is_hot[pixel] = 1;
    for (std::size_t k = 0; k < truth.pixel.size(); ++k)
        maker.places[truth.pixel[k]] = static_cast<std::uint32_t>(k + 1);

    const std::string stem = directory + "/benchmark";
    files.qmap = stem + "_qmap.hdf";
    save_qmap(qmap, files.qmap, true);
    files.all.push_back(files.qmap);
    tbb::task_arena arena(threads > 0 ? threads : tbb::task_arena::automatic);
    arena.execute([&] { write_files(maker, stem); });
    for (const std::string& path : files.all) {
        if (path == files.qmap) continue;
        std::ifstream in(path, std::ios::binary | std::ios::ate);
        files.raw_bytes += static_cast<std::uint64_t>(in.tellg());
    }
    const double modules = set.format == BenchmarkFormat::rigaku3m ? layout_3m::n_modules : 0;
    const double pixels =
        modules > 0 ? modules * module_pixels : static_cast<double>(set.rows * set.cols);
    files.samples = pixels * static_cast<double>(set.n_frames);
    return files;
}

}  // namespace xpcs
