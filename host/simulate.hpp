// SPDX-License-Identifier: BSD-3-Clause
// Simulated runs of known dynamics, in the layouts of real detectors.
//
// Model: every pixel sees its own speckle, M independent complex fields E_m(t) (Ornstein-Uhlenbeck,
// mean square 1) of the relaxation rate Gamma = D q^2 of Brownian motion:
//   <E(t) E*(t + tau)> = exp(-Gamma tau),   I(t) = 1 - f + f / M * sum_m |E_m(t)|^2,
//   contrast = f^2 / M (M whole, f <= 1),   g2(tau) = 1 + contrast * exp(-2 Gamma tau).
// Counts of a frame are Poisson with mean mu(p) * I(t): mu is the occupancy, or with a falloff
// falls as (1 + (q / q_f)^2)^-2 with the occupancy as its mean over the lit pixels.
// Hot pixels fire at random, with no memory, whatever the light.
//
// Every pixel draws from its own counter-based stream, so the bytes depend on the options alone,
// not on the number of threads or the memory.
#pragma once

#include "host/writers/frame_writer.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace xpcs {

enum class SimulateFormat {
    rigaku,
    rigaku3m,
    hdf5,         ///< one dataset of frames
    imm,          ///< sparse
    imm_dense,    ///< whole frames
    ftf,          ///< Rigaku fast transfer, six files of a 3M
    ufxc,         ///< words
    hdf5_sparse,  ///< frame_ptr, index, intensity
    dectris,      ///< master with external links
    dectris4d,    ///< master with a virtual dataset of two channels
    timepix4      ///< raw SPIDR4 stream
};
using SimulateCompression = FrameCompression;

const char* name_of(SimulateFormat format);

struct SimulateOptions {
    SimulateFormat format = SimulateFormat::rigaku;
    /// .bin (rigaku; rigaku3m: six files .bin.00N), .imm, .ufxc, .tpx, else .h5 (ftf: six files
    /// .h5.00N; masters: NAME_master.h5 of NAME.h5, with NAME_data_00000N.h5)
    std::string output;
    bool overwrite = false;        ///< replace earlier files
    std::int64_t n_frames = 1000;  ///< 1 ... 2^40
    double occupancy = 0.002;      ///< mean counts per lit pixel and frame, hot pixels apart; > 0
    std::uint64_t seed = 1;
    std::int64_t rows = 512;   ///< rigaku: rows * cols <= 2^21; rigaku3m and ftf always have 1676 x
    std::int64_t cols = 1024;  ///< 2100 pixels, ufxc 128 x 256, timepix4 512 x 448

    double frame_time_s = 2e-5;
    double energy_keV = 10.0;
    double distance_m = 4.0;
    double pixel_size_m = 76e-6;
    std::optional<double> beam_center_x;  ///< column, px, may lie outside; default: the middle
    std::optional<double> beam_center_y;  ///< row, px

    /// D in A^2/s, or 0: D = 1 / (tau_s * q^2) from the relaxation time of the field at q.
    double diffusion = 0;
    double tau_s = 1e-3;
    double tau_at_q_inv_angstrom = 0.005;
    double contrast = 0.2;                ///< in (0, 1]
    double falloff_q_inv_angstrom = 0;    ///< q_f; 0 = the same mean everywhere
    double beamstop_radius_px = 0;        ///< no photons nearer to the beam centre
    std::int64_t n_hot = 0;               ///< hot pixels, chosen by the seed
    double temperature_K = 295;           ///< in the metadata; > 0
    double start_after_s = 0;             ///< start, in the metadata: after 2026-01-01 09:00:00
    double hot_rate = 0.9;                ///< probability that a hot pixel fires in a frame
    std::vector<std::int64_t> hot_given;  ///< detector indices, instead of n_hot

    int sample_bytes = 2;  ///< HDF5 frames: 1, 2, 4; counts stop one below the all-ones value
    int ftf_bits = 2;      ///< ftf: 2, 4, 8
    SimulateCompression compression = SimulateCompression::none;
    bool contiguous = false;  ///< HDF5 frames: no chunks (else one frame each)
    int threads = 0;          ///< 0 = all

    /// Called with the fraction done, from the calling thread; may throw to give up.
    std::function<void(double)> progress;
};

/// What was written, for the log and for tests.
struct SimulateReport {
    std::vector<std::string> raw_files;
    std::string metadata_file;  ///< <stem>_metadata.hdf
    std::string truth_file;     ///< <stem>_truth.json
    std::int64_t rows = 0, cols = 0;
    double diffusion = 0;  ///< A^2/s
    double beam_center_x = 0, beam_center_y = 0;
    std::int64_t n_events = 0;   ///< (pixel, frame) pairs with counts
    std::int64_t n_photons = 0;  ///< hot pixels included
    std::int64_t n_clipped = 0;  ///< counts that the format cannot hold: written as its largest
    std::int64_t lit_pixels = 0;
    std::vector<std::int64_t> hot_pixels;
};

/// Throws Error (config) naming the option, its value and what is allowed.
void validate(const SimulateOptions& options);

/// q in 1/A of a pixel: alpha = atan(r / distance), q = 2 k sin(alpha / 2).
double simulated_q(const SimulateOptions& options, double row, double col);

/// Writes the raw file(s), the metadata file and the truth. All appear complete, or none.
/// Throws Error: config (validate), cannot_create (exists already, directory), io (disk full).
SimulateReport simulate(const SimulateOptions& options);

}  // namespace xpcs
