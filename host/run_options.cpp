// SPDX-License-Identifier: BSD-3-Clause
// The table of options of a run: names, units, ranges and help.
#include "host/run_config.hpp"

namespace xpcs {

namespace {

// A row of the table, written in the order in which one reads about an option.
struct Row : OptionSpec {
    Row(std::string group_name, std::string long_name, std::string short_form, std::string value) {
        group = std::move(group_name);
        name = std::move(long_name);
        short_name = std::move(short_form);
        metavar = std::move(value);
    }
    Row& says(std::string text) {
        help = std::move(text);
        return *this;
    }
    Row& in(std::string text) {
        unit = std::move(text);
        return *this;
    }
    Row& from(double low) {
        minimum = low;
        return *this;
    }
    Row& above(double low) {
        minimum = low;
        above_minimum = true;
        return *this;
    }
    Row& one_of(std::vector<std::string> names) {
        choices = std::move(names);
        return *this;
    }
    Row& also(std::vector<std::string> names) {
        aliases = std::move(names);
        return *this;
    }
    Row& is(ValueKind value_kind) {
        kind = value_kind;
        return *this;
    }
};

using Rows = std::vector<Option<RunConfig>>;
using C = RunConfig;

void add_files(Rows& rows) {
    const std::string g = "Input and output";
    rows.push_back(option_row(
        Row(g, "raw", "r", "FILE...")
            .says("Raw data file; several files are several runs. For a detector of several "
                  "modules any one of its files. A single .txt file lists one raw file per line."),
        &C::raw));
    rows.push_back(option_row(Row(g, "qmap", "q", "FILE").says("q-map file (HDF5)."), &C::qmap));
    rows.push_back(option_row(
        Row(g, "output", "o", "DIR").says("Directory for the result; created if it is missing."),
        &C::output));
    rows.push_back(option_row(Row(g, "metadata", "", "FILE")
                                  .also({"meta-fname"})
                                  .says("Metadata file. Without it the one beside the raw file, "
                                        "NAME_metadata.hdf for NAME.bin."),
                              &C::metadata));
    rows.push_back(option_row(Row(g, "no-metadata", "", "")
                                  .is(ValueKind::flag)
                                  .says("Go without a metadata file; the result gets a minimal "
                                        "/entry group."),
                              &C::no_metadata));
    rows.push_back(option_row(Row(g, "follow", "", "")
                                  .is(ValueKind::flag)
                                  .says("The detector still writes the raw file (Rigaku): wait for "
                                        "it and take events as they come. The end is told by the "
                                        "metadata file appearing, by --n-frames, or by "
                                        "--follow-quiet."),
                              &C::follow));
    rows.push_back(option_row(Row(g, "follow-quiet", "", "SECONDS")
                                  .in("s")
                                  .above(0)
                                  .says("A followed file that has not grown for so long is "
                                        "complete."),
                              &C::follow_quiet_s));
    rows.push_back(option_row(Row(g, "wait-raw", "", "SECONDS")
                                  .in("s")
                                  .from(0)
                                  .says("A raw file that cannot be opened yet (not there, being "
                                        "written, cut): try again for so long before it is an "
                                        "error."),
                              &C::wait_s));
    rows.push_back(option_row(Row(g, "config", "c", "FILE")
                                  .says("Read options from a JSON or YAML file; its keys are the "
                                        "long names, with _ or -. The command line wins."),
                              &C::config_file));
    rows.push_back(option_row(
        Row(g, "prefix", "p", "TEXT").says("Put before the name of the result."), &C::prefix));
    rows.push_back(option_row(
        Row(g, "suffix", "u", "TEXT").says("Put after the name of the result."), &C::suffix));
    rows.push_back(option_row(Row(g, "overwrite", "w", "")
                                  .is(ValueKind::flag)
                                  .says("Replace an existing result. Without it the new one is "
                                        "called ..._results_1.hdf and so on."),
                              &C::overwrite));
    rows.push_back(option_row(Row(g, "save-G2", "G", "")
                                  .is(ValueKind::flag)
                                  .also({"save-g2"})
                                  .says("Store G2, IP and IF of every pixel."),
                              &C::save_G2));
    rows.push_back(option_row(
        Row(g, "summary", "", "FILE").says("Write everything that the log says as JSON."),
        &C::summary));
}

void add_frames(Rows& rows) {
    const std::string g = "Frames";
    rows.push_back(option_row(Row(g, "begin-frame", "b", "N")
                                  .in("frames")
                                  .says("First frame used, from 0; a negative number counts from "
                                        "the end."),
                              &C::begin_frame));
    rows.push_back(option_row(Row(g, "end-frame", "e", "N")
                                  .in("frames")
                                  .says("Frame after the last one used; 0 and -1 mean all."),
                              &C::end_frame));
    rows.push_back(option_row(Row(g, "stride-frame", "f", "N")
                                  .in("frames")
                                  .from(1)
                                  .says("Use every N-th group of --avg-frame frames."),
                              &C::stride_frame));
    rows.push_back(option_row(
        Row(g, "avg-frame", "a", "N").in("frames").from(1).says("Average N frames into one."),
        &C::avg_frame));
    rows.push_back(option_row(Row(g, "n-frames", "", "N")
                                  .in("frames")
                                  .from(0)
                                  .says("Frames of the acquisition, also those without photons; "
                                        "0 = as the file says."),
                              &C::n_frames));
    rows.push_back(
        option_row(Row(g, "frame-time", "", "SECONDS")
                       .in("s")
                       .from(0)
                       .says("Time from one frame to the next; 0 = as the metadata say."),
                   &C::frame_time_s));
}

void add_analysis(Rows& rows) {
    const std::string g = "Analysis";
    rows.push_back(option_row(Row(g, "type", "t", "TYPE")
                                  .one_of({"Multitau", "Twotime", "Both", "TwotimeMultitau"})
                                  .says("Kind of correlation; Both is Multitau and Twotime, and "
                                        "TwotimeMultitau is two-time with a resolution that falls "
                                        "with the lag, for runs too long for whole maps."),
                              &C::type));
    rows.push_back(option_row(Row(g, "normalize-frame", "nf", "0|1")
                                  .is(ValueKind::boolean)
                                  .says("Divide each frame by its intensity."),
                              &C::normalize_frame));
    rows.push_back(option_row(Row(g, "monitor", "", "FILE")
                                  .says("Divide each frame by this instead of its own intensity, "
                                        "whatever -nf says: a text file with one number per frame "
                                        "of the raw file, FILE:/PATH in an HDF5 file, or /PATH in "
                                        "the metadata file. 0 leaves the frame out."),
                              &C::monitor));
    rows.push_back(option_row(Row(g, "errors", "", "")
                                  .is(ValueKind::flag)
                                  .says("Also store the scatter over static bins, the delta "
                                        "method and the shot noise as errors of g2."),
                              &C::errors));
    rows.push_back(option_row(Row(g, "num-partial-g2", "np", "N")
                                  .from(0)
                                  .says("Also correlate N consecutive slices of the run, each on "
                                        "its own; 0 = none."),
                              &C::num_partial_g2));
    rows.push_back(option_row(Row(g, "partial", "", "KIND")
                                  .one_of({"slices", "cumulative"})
                                  .says("The curves of -np: of N slices, or of the frames from the "
                                        "first to the end of each slice."),
                              &C::partial));
    rows.push_back(option_row(Row(g, "dq-selection", "d", "LIST")
                                  .says("Dynamic bins of the two-time analysis, e.g. 1,2,5-7."),
                              &C::dq_selection));
    rows.push_back(option_row(Row(g, "smooth", "s", "MAP")
                                  .one_of({"sqmap", "dqmap", "time", "none"})
                                  .says("What divides the counts in the two-time analysis: the "
                                        "mean of their static bin (sqmap) or dynamic bin (dqmap) "
                                        "in the same frame, the mean of their static bin over all "
                                        "frames (time), or nothing (none)."),
                              &C::smooth));
}

void add_detector(Rows& rows) {
    const std::string g = "Detector files and q-map";
    const auto flag = [&](const char* name, bool C::*member, const char* help) {
        rows.push_back(option_row(Row(g, name, "", "").is(ValueKind::flag).says(help), member));
    };
    rows.push_back(option_row(
        Row(g, "dataset", "", "PATH").says("Dataset in an HDF5 raw file, e.g. /entry/data/data."),
        &C::dataset));
    rows.push_back(option_row(Row(g, "channel", "", "NAME")
                                  .says("Channel of a 4-D dataset: its name or its number from 0; "
                                        "without it the one that the file's default_slice names."),
                              &C::channel));
    flag("series",
         &C::series,
         "The HDF5 files of -r are one run, in the order given; raw Timepix4 streams are parts of "
         "one run, such as the two halves.");
    rows.push_back(option_row(Row(g, "ftf-bit-order", "", "ORDER")
                                  .one_of({"low-first", "high-first"})
                                  .says("Rigaku fast transfer: where in its byte the first "
                                        "pixel lies. No document tells; see docs/formats.md."),
                              &C::ftf_bit_order));
    rows.push_back(option_row(Row(g, "overflow", "", "SCOPE")
                                  .one_of({"run", "frame"})
                                  .says("What a sample without data (all bits set) excludes: its "
                                        "pixel from the whole run, or from that frame."),
                              &C::overflow));
    flag("strict", &C::strict, "Bytes after the last whole record are an error.");
    flag("mask-hot",
         &C::mask_hot,
         "Leave hot pixels (outliers of their static bin, docs/numerics.md) out of everything; "
         "the q-map in the result then lacks them and has a hash of its own.");
    rows.push_back(option_row(Row(g, "dark", "", "FILE")
                                  .says("Subtract the mean of the frames of this file from every "
                                        "frame (integrating detectors)."),
                              &C::dark));
    rows.push_back(option_row(Row(g, "dark-frames", "", "FIRST:END")
                                  .says("Dark frames: of the --dark file, or of the raw file where "
                                        "there is none. END is exclusive."),
                              &C::dark_frames));
    rows.push_back(option_row(Row(g, "flat", "", "FILE:/PATH")
                                  .says("Multiply every pixel with its value in this dataset."),
                              &C::flat));
    rows.push_back(
        option_row(Row(g, "lld", "", "COUNTS")
                       .in("counts")
                       .from(0)
                       .says("Samples not above this, after the dark, are 0 (lower level)."),
                   &C::lld));
    rows.push_back(option_row(Row(g, "sigma", "", "N")
                                  .from(0)
                                  .says("Add N standard deviations of the pixel's dark frames to "
                                        "--lld."),
                              &C::sigma));
    flag("drop-bad-index",
         &C::drop_bad_index,
         "Drop and count records beyond the last pixel instead of refusing the file.");
    flag("allow-missing-module",
         &C::allow_missing_module,
         "Take a file of several modules although some are missing.");
    flag("allow-truncated",
         &C::allow_truncated,
         "Use what is complete in a file that is cut (IMM, raw Timepix4).");
    flag("transpose-qmap", &C::transpose_qmap, "Swap rows and columns of the q-map.");
    flag("split-static",
         &C::split_static,
         "Split a static bin that lies in several dynamic bins instead of refusing the q-map.");
    rows.push_back(option_row(Row(g, "crop-ratio-threshold", "", "RATIO")
                                  .from(0)
                                  .says("Accepted for compatibility, without effect: masked "
                                        "pixels are never stored."),
                              &C::crop_ratio_threshold));
    rows.push_back(option_row(
        Row(g, "bin-time-s", "", "SECONDS")
            .in("s")
            .above(0)
            .says("Time bin of raw Timepix4 streams, rounded to 25 ns / 128; it is the frame "
                  "time of their results. For other event files it is the frame time where "
                  "neither --frame-time nor the metadata give one."),
        &C::bin_time_s));
    rows.push_back(
        option_row(Row(g, "run-config-path", "", "FILE")
                       .says("Run configuration of a raw Timepix4 stream (JSON, docs/formats.md)."),
                   &C::run_config_path));
}

void add_device(Rows& rows) {
    const std::string g = "Device";
    rows.push_back(option_row(Row(g, "device", "", "cpu|gpu:N|gpu:all|auto")
                                  .says("Where to compute; auto takes a GPU if there is one. Wins "
                                        "over -i, which applies without it."),
                              &C::device));
    rows.push_back(option_row(
        Row(g, "gpu-id", "i", "N").from(-2).says("-1 = CPU, -2 = auto, 0 and up = that GPU."),
        &C::gpu_id));
    rows.push_back(
        option_row(Row(g, "threads", "", "N").from(0).says("CPU threads; 0 = all."), &C::threads));
    rows.push_back(
        option_row(Row(g, "memory", "", "GIB")
                       .also({"max-memory"})
                       .in("GiB")
                       .from(0)
                       .says("Main memory that the run may take; 0 = from what the machine or the "
                             "batch job has."),
                   &C::memory_gib));
    rows.push_back(option_row(
        Row(g, "engine", "", "ENGINE")
            .one_of({"auto", "sparse", "dense"})
            .says("Pairs of events (sparse) or samples of all frames (dense); auto chooses by file "
                  "and pixel."),
        &C::engine));
    rows.push_back(option_row(
        Row(g, "decode", "", "WHERE")
            .one_of({"auto", "cpu", "gpu"})
            .says("What takes the words of a Rigaku file apart, or the frames of an HDF5 file as "
                  "they are; auto and gpu: the GPU of the run, and where that cannot, the CPU (gpu "
                  "says why). The result is the same; of frames with weights, to rounding."),
        &C::decode));
}

void add_reports(Rows& rows) {
    const std::string g = "Reports";
    rows.push_back(option_row(Row(g, "dry-run", "n", "")
                                  .is(ValueKind::flag)
                                  .also({"dryrun"})
                                  .says("Print the plan of the run and stop."),
                              &C::dry_run));
    rows.push_back(option_row(
        Row(g, "verbose", "v", "").is(ValueKind::flag).says("Say more; --log-level debug."),
        &C::verbose));
    rows.push_back(option_row(Row(g, "progress", "", "WHEN")
                                  .one_of({"auto", "always", "never"})
                                  .says("Progress bar; auto draws it on a terminal, and elsewhere "
                                        "logs a line every 30 s."),
                              &C::progress));
    rows.push_back(option_row(Row(g, "log-level", "", "LEVEL")
                                  .one_of({"debug", "info", "warning", "error"})
                                  .says("Least important message that is shown."),
                              &C::log_level));
    rows.push_back(option_row(Row(g, "log-format", "", "FORMAT")
                                  .one_of({"text", "json"})
                                  .says("Lines for people, or one JSON object per line."),
                              &C::log_format));
}

}  // namespace

const OptionTable<RunConfig>& run_options() {
    static const OptionTable<RunConfig> table = [] {
        Rows rows;
        add_files(rows);
        add_frames(rows);
        add_analysis(rows);
        add_detector(rows);
        add_device(rows);
        add_reports(rows);
        return OptionTable<RunConfig>(std::move(rows));
    }();
    return table;
}

}  // namespace xpcs
