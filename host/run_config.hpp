// SPDX-License-Identifier: BSD-3-Clause
// The options of one correlation, their one home: command line, help, configuration files, job
// scripts and flows are all made from RunConfig and run_options(). Standard library only.
#pragma once

#include "host/option_table.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace xpcs {

enum class AnalysisType { multitau, twotime, both, twotime_multitau };
enum class EngineChoice { automatic, sparse, dense };

/// Names, meanings and defaults are those of the production correlator where it has the option;
/// docs/options.md lists the differences. Ranges are in run_options().
struct RunConfig {
    std::vector<std::string> raw;                ///< -r --raw; several files are several runs
    std::string qmap;                            ///< -q --qmap
    std::string output = "cluster_results";      ///< -o --output, a directory
    std::string smooth = "sqmap";                ///< -s --smooth sqmap | dqmap | time | none
    int gpu_id = -1;                             ///< -i --gpu-id: -1 CPU, -2 automatic, N that GPU
    bool normalize_frame = true;                 ///< -nf --normalize-frame
    std::int64_t begin_frame = 0;                ///< -b, 0-based; negative counts from the end
    std::int64_t end_frame = -1;                 ///< -e, exclusive; 0 and -1 mean all
    std::int64_t stride_frame = 1;               ///< -f
    std::int64_t avg_frame = 1;                  ///< -a
    AnalysisType type = AnalysisType::multitau;  ///< -t
    std::string dq_selection = "all";            ///< -d, e.g. "1,2,5-7" (two-time)
    bool verbose = false;                        ///< -v
    bool save_G2 = false;                        ///< -G
    bool dry_run = false;                        ///< -n
    std::int64_t num_partial_g2 = 0;             ///< -np
    std::string prefix;                          ///< -p
    std::string suffix;                          ///< -u
    bool overwrite = false;                      ///< -w
    std::string config_file;                     ///< -c; its values are already in this struct
    double bin_time_s = 1e-6;                    ///< --bin-time-s (Timepix4)
    std::string run_config_path;                 ///< --run-config-path (Timepix4)
    double crop_ratio_threshold = 0.5;           ///< accepted; the mask always crops

    // Ours.
    std::string device;     ///< --device cpu | gpu:N | gpu:all | auto; "" = from -i
    int threads = 0;        ///< --threads, 0 = all
    double memory_gib = 0;  ///< --memory, 0 = automatic
    EngineChoice engine = EngineChoice::automatic;  ///< --engine
    std::string decode = "auto";  ///< --decode auto | cpu | gpu: what takes words of a file apart
    std::string metadata;         ///< --metadata FILE
    bool follow = false;          ///< --follow
    double follow_quiet_s = 10;   ///< --follow-quiet
    double wait_s = 0;            ///< --wait-raw
    bool no_metadata = false;     ///< --no-metadata: a minimal /entry is written
    double frame_time_s = 0;      ///< --frame-time, 0 = from the metadata
    std::int64_t n_frames = 0;    ///< --n-frames, 0 = from the file
    std::string dataset;          ///< --dataset PATH (HDF5)
    bool series = false;          ///< --series: the files of -r are one run, in order (HDF5)
    std::string channel;          ///< --channel NAME (4-D HDF5)
    std::string ftf_bit_order = "low-first";  ///< --ftf-bit-order (Rigaku fast transfer)
    bool transpose_qmap = false;              ///< --transpose-qmap
    bool split_static = false;                ///< --split-static
    bool strict = false;                      ///< --strict: trailing bytes are an error
    bool mask_hot = false;                    ///< --mask-hot
    std::string partial = "slices";           ///< --partial slices | cumulative: curves of -np
    std::string monitor;                      ///< --monitor FILE | FILE:/PATH | /PATH (metadata)
    bool errors = false;                      ///< --errors
    std::string dark;                         ///< --dark FILE
    std::string dark_frames;                  ///< --dark-frames FIRST:END, "" = all of --dark
    std::string flat;                         ///< --flat FILE:/PATH
    double lld = 0;                           ///< --lld
    double sigma = 0;                         ///< --sigma
    bool drop_bad_index = false;              ///< --drop-bad-index
    bool allow_missing_module = false;        ///< --allow-missing-module (3M)
    bool allow_truncated = false;             ///< --allow-truncated (IMM)
    std::string overflow = "run";             ///< --overflow run | frame: scope of a no-data sample
    std::string summary;                      ///< --summary FILE
    std::string progress = "auto";            ///< --progress auto | always | never
    std::string log_level = "info";           ///< --log-level debug | info | warning | error
    std::string log_format = "text";          ///< --log-format text | json

    bool operator==(const RunConfig&) const = default;
};

/// The table of options.
const OptionTable<RunConfig>& run_options();

/// Arguments (without the program name) that give this configuration back when parsed; only values
/// that differ from the defaults appear. A configuration that came from a file names every option,
/// since the file would otherwise be heard where the command line had set a default.
std::vector<std::string> to_command_line(const RunConfig& config);

/// What can be said before any file is opened. Throws Error: usage (needed option missing, value
/// malformed), config (combination impossible).
void check_config(const RunConfig& config);

/// "cpu", "gpu:N", "gpu:all" or "auto": --device, else what -i says.
std::string device_of(const RunConfig& config);

/// Dynamic labels of a selection like "1,2,5-7", ascending, each once; empty for "all". Throws
/// Error (usage).
std::vector<std::int64_t> parse_dq_selection(const std::string& text);

/// FIRST:END of --dark-frames, END exclusive; end 0 for "". Throws Error (usage).
struct FrameSpan {
    std::int64_t first = 0, end = 0;
};
FrameSpan parse_dark_frames(const std::string& text);

/// Whether dark frames, a flat field or a threshold change the samples.
bool corrects_frames(const RunConfig& config);

/// Whether the type has a multi-tau part, and a two-time part with maps.
bool has_multitau(AnalysisType type);
bool has_twotime(AnalysisType type);

std::string to_string(AnalysisType type);
std::string to_string(EngineChoice engine);

}  // namespace xpcs
