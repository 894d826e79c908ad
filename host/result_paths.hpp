// SPDX-License-Identifier: BSD-3-Clause
// Every path of a result file, with shape, type, unit and meaning: one table for the writer, the
// reader, the inspect command and the documentation.
//
// Symbols of shapes: n_tau lags, n_dq dynamic bins (= length of dynamic_index_mapping), n_sq static
// bins (= length of static_index_mapping), T frames after selection, H x W detector pixels, n_seg
// segments, n_b bins processed by two-time, n_band lags of multi-tau two-time.
#pragma once

#include <array>
#include <cstddef>
#include <string>

namespace xpcs {

/// When a complete result must hold the path.
enum class Needed { always, multitau, twotime, band, optional };

struct ResultPath {
    const char* path = "";
    const char* shape = "";  ///< "" = scalar or group
    const char* type = "";   ///< as stored; "group" for a group
    const char* unit = "";
    const char* description = "";
    Needed needed = Needed::optional;
};

namespace result_path {

// Of the metadata file; written only where it lacks them.
inline constexpr ResultPath entry{"/entry", "", "group", "", "copy of the metadata file"};
inline constexpr ResultPath start_time{
    "/entry/start_time", "", "str", "", "start of the measurement"};
inline constexpr ResultPath frame_time{
    "/entry/instrument/detector_1/frame_time", "", "f64", "s", "time from frame to frame"};
inline constexpr ResultPath count_time{
    "/entry/instrument/detector_1/count_time", "", "f64", "s", "exposure time of a frame"};
inline constexpr ResultPath x_pixel_size{
    "/entry/instrument/detector_1/x_pixel_size", "", "f64", "m", "pixel width"};
inline constexpr ResultPath y_pixel_size{
    "/entry/instrument/detector_1/y_pixel_size", "", "f64", "m", "pixel height"};
inline constexpr ResultPath incident_energy{
    "/entry/instrument/incident_beam/incident_energy", "", "f64", "keV", "photon energy"};

inline constexpr ResultPath xpcs{
    "/xpcs", "", "group", "", "the result; attributes program, version, complete", Needed::always};
inline constexpr ResultPath qmap{
    "/xpcs/qmap", "", "group", "", "copy of the q-map; attributes hash, version", Needed::always};
inline constexpr ResultPath rawdata_path{
    "/xpcs/rawdata_path", "", "str", "", "raw file as given to the program"};

inline constexpr ResultPath multitau{
    "/xpcs/multitau", "", "group", "", "one-time correlation", Needed::multitau};
inline constexpr ResultPath delay_list{"/xpcs/multitau/delay_list",
                                       "n_tau",
                                       "i64",
                                       "frames",
                                       "lag in frames after stride and averaging",
                                       Needed::multitau};
inline constexpr ResultPath delay_time{
    "/xpcs/multitau/delay_time", "n_tau", "f64", "s", "lag in seconds; NaN if no frame time"};
inline constexpr ResultPath n_pairs{
    "/xpcs/multitau/n_pairs", "n_tau", "i64", "", "pairs of blocks averaged over"};
inline constexpr ResultPath n_pairs_used{
    "/xpcs/multitau/n_pairs_used",
    "n_tau",
    "f64",
    "",
    "the same less the pairs of frames left out by normalisation; parts of blocks count as parts"};
inline constexpr ResultPath level{
    "/xpcs/multitau/level", "n_tau", "i32", "", "level: blocks of 2^level frames"};
inline constexpr ResultPath n_pixels{
    "/xpcs/multitau/n_pixels", "n_dq", "i64", "", "pixels used in each dynamic bin"};
inline constexpr ResultPath bin_index{"/xpcs/multitau/bin_index",
                                      "n_dq",
                                      "i32",
                                      "",
                                      "natural index i0 * n1 + i1 of each dynamic bin, from 0"};
inline constexpr ResultPath g2{"/xpcs/multitau/normalized_g2",
                               "n_tau,n_dq",
                               "f32",
                               "",
                               "g2 of each dynamic bin; NaN without signal",
                               Needed::multitau};
inline constexpr ResultPath g2_err{"/xpcs/multitau/normalized_g2_err",
                                   "n_tau,n_dq",
                                   "f32",
                                   "",
                                   "standard deviation over pixels / sqrt(number of pixels)",
                                   Needed::multitau};
inline constexpr ResultPath g2_err_static{
    "/xpcs/multitau/g2_err_static_scatter",
    "n_tau,n_dq",
    "f32",
    "",
    "standard deviation of g2 over the static bins / sqrt(their number); NaN below 5 bins"};
inline constexpr ResultPath g2_err_delta{
    "/xpcs/multitau/g2_err_delta",
    "n_tau,n_dq",
    "f32",
    "",
    "linearised error of the ratio of means over the pixels of each static bin"};
inline constexpr ResultPath g2_err_shot{"/xpcs/multitau/g2_err_shot_noise",
                                        "n_tau,n_dq",
                                        "f32",
                                        "",
                                        "what independent Poisson counts alone would give"};
inline constexpr ResultPath g2_partial{
    "/xpcs/multitau/normalized_g2_partial",
    "n_seg,n_tau,n_dq",
    "f32",
    "",
    "g2 of consecutive slices of the run, or up to the end of each (attribute kind: slices, "
    "cumulative); NaN where a slice is too short"};
inline constexpr ResultPath g2_partial_err{"/xpcs/multitau/normalized_g2_partial_err",
                                           "n_seg,n_tau,n_dq",
                                           "f32",
                                           "",
                                           "errors of normalized_g2_partial"};
inline constexpr ResultPath g2_partial_labels{"/xpcs/multitau/normalized_g2_partial_labels",
                                              "n_seg",
                                              "f64",
                                              "frames",
                                              "first frame of the next slice"};
inline constexpr ResultPath unnormalized_G2{
    "/xpcs/multitau/unnormalized_G2",
    "n_tau,3,H,W",
    "f32",
    "",
    "slots 0 G2, 1 mean of the later frames, 2 mean of the earlier frames; 0 where not used"};
inline constexpr ResultPath static_without_signal{"/xpcs/multitau/static_bins_without_signal",
                                                  "n_tau",
                                                  "i64",
                                                  "",
                                                  "static bins left out of g2 at each lag"};
inline constexpr ResultPath pixels_without_signal{"/xpcs/multitau/pixels_without_signal",
                                                  "n_tau",
                                                  "i64",
                                                  "",
                                                  "pixels left out of the error at each lag"};
inline constexpr ResultPath multitau_config{"/xpcs/multitau/config",
                                            "",
                                            "group",
                                            "",
                                            "options of the run, one scalar each",
                                            Needed::multitau};
inline constexpr ResultPath multitau_avg_frame{
    "/xpcs/multitau/config/avg_frame", "", "i64", "frames", "frames averaged into one"};
inline constexpr ResultPath multitau_stride_frame{
    "/xpcs/multitau/config/stride_frame", "", "i64", "frames", "every stride-th frame is used"};

inline constexpr ResultPath temporal_mean{
    "/xpcs/temporal_mean", "", "group", "", "means over time", Needed::always};
inline constexpr ResultPath scattering_2d{"/xpcs/temporal_mean/scattering_2d",
                                          "1,H,W",
                                          "f32",
                                          "counts/frame",
                                          "mean counts per frame; 0 where not used"};
inline constexpr ResultPath scattering_1d{"/xpcs/temporal_mean/scattering_1d",
                                          "1,n_sq",
                                          "f32",
                                          "counts/frame/pixel",
                                          "mean over each static bin; NaN without pixels",
                                          Needed::always};
inline constexpr ResultPath scattering_1d_segments{"/xpcs/temporal_mean/scattering_1d_segments",
                                                   "n_seg,n_sq",
                                                   "f32",
                                                   "counts/frame/pixel",
                                                   "the same for consecutive spans of frames",
                                                   Needed::always};
inline constexpr ResultPath spatial_mean{
    "/xpcs/spatial_mean", "", "group", "", "means over pixels", Needed::always};
inline constexpr ResultPath intensity{"/xpcs/spatial_mean/intensity_vs_time",
                                      "2,T",
                                      "f32",
                                      "counts/frame/pixel",
                                      "row 0 frame number, row 1 mean counts per used pixel",
                                      Needed::always};
inline constexpr ResultPath timestamp_clock{"/xpcs/spatial_mean/timestamp_clock",
                                            "2,T_raw",
                                            "f64",
                                            "s",
                                            "row 0 raw frame, row 1 its elapsed time (IMM)"};
inline constexpr ResultPath timestamp_tick{"/xpcs/spatial_mean/timestamp_tick",
                                           "2,T_raw",
                                           "f64",
                                           "",
                                           "row 0 raw frame, row 1 its clock tick (IMM)"};

inline constexpr ResultPath twotime{
    "/xpcs/twotime", "", "group", "", "two-time correlation", Needed::twotime};
inline constexpr ResultPath twotime_maps{"/xpcs/twotime/correlation_map",
                                         "",
                                         "group",
                                         "",
                                         "c2_00001 ... in the order of processed_bins",
                                         Needed::twotime};
inline constexpr ResultPath twotime_map{
    "/xpcs/twotime/correlation_map/c2_", "T,T", "f32", "", "upper triangle with diagonal, 0 below"};
inline constexpr ResultPath processed_bins{
    "/xpcs/twotime/processed_bins", "n_b", "i32", "", "dynamic label of each map", Needed::twotime};
inline constexpr ResultPath processed_bins_natural{
    "/xpcs/twotime/processed_bins_natural", "n_b", "i32", "", "natural index of each map, from 0"};
inline constexpr ResultPath twotime_g2{"/xpcs/twotime/normalized_g2",
                                       "T,n_b",
                                       "f32",
                                       "",
                                       "means of the diagonals, row = lag",
                                       Needed::twotime};
inline constexpr ResultPath twotime_g2_segments{"/xpcs/twotime/normalized_g2_segments",
                                                "T/5,5,n_b",
                                                "f32",
                                                "",
                                                "means of the diagonals of five blocks"};
inline constexpr ResultPath twotime_delay_list{
    "/xpcs/twotime/delay_list", "T", "i64", "frames", "lag of each row of normalized_g2"};
inline constexpr ResultPath twotime_config{"/xpcs/twotime/config",
                                           "",
                                           "group",
                                           "",
                                           "options of the run, one scalar each",
                                           Needed::twotime};
inline constexpr ResultPath twotime_avg_frame{
    "/xpcs/twotime/config/avg_frame", "", "i64", "frames", "frames averaged into one"};
inline constexpr ResultPath twotime_stride_frame{
    "/xpcs/twotime/config/stride_frame", "", "i64", "frames", "every stride-th frame is used"};
inline constexpr ResultPath twotime_empty_frames{
    "/xpcs/twotime/empty_frames", "n_b", "i64", "frames", "frames without a count: NaN in the map"};

inline constexpr ResultPath band{"/xpcs/twotime_multitau",
                                 "",
                                 "group",
                                 "",
                                 "two-time correlation whose resolution falls with the lag",
                                 Needed::band};
inline constexpr ResultPath band_level{
    "/xpcs/twotime_multitau/level_",
    "",
    "group",
    "",
    "level_00 ...: correlation (n_b, channels, blocks), channels, lag, lag_time, age, age_offset"};
inline constexpr ResultPath band_bins{"/xpcs/twotime_multitau/processed_bins",
                                      "n_b",
                                      "i32",
                                      "",
                                      "dynamic label of each bin",
                                      Needed::band};
inline constexpr ResultPath band_bins_natural{"/xpcs/twotime_multitau/processed_bins_natural",
                                              "n_b",
                                              "i32",
                                              "",
                                              "natural index of each bin, from 0"};
inline constexpr ResultPath band_delay_list{"/xpcs/twotime_multitau/delay_list",
                                            "n_band",
                                            "i64",
                                            "frames",
                                            "lags of all levels, ascending",
                                            Needed::band};
inline constexpr ResultPath band_delay_time{"/xpcs/twotime_multitau/delay_time",
                                            "n_band",
                                            "f64",
                                            "s",
                                            "the same in seconds; NaN if no frame time"};
inline constexpr ResultPath band_g2{"/xpcs/twotime_multitau/normalized_g2",
                                    "n_band,n_b",
                                    "f32",
                                    "",
                                    "mean over the ages",
                                    Needed::band};
inline constexpr ResultPath band_g2_err{"/xpcs/twotime_multitau/normalized_g2_err",
                                        "n_band,n_b",
                                        "f32",
                                        "",
                                        "standard deviation over the ages / sqrt(n_values)"};
inline constexpr ResultPath band_n_values{"/xpcs/twotime_multitau/n_values",
                                          "n_band,n_b",
                                          "i64",
                                          "",
                                          "ages averaged over; those without counts are left out"};
inline constexpr ResultPath band_depth{
    "/xpcs/twotime_multitau/depth", "", "i64", "", "levels have lags of up to 2^depth - 1 blocks"};
inline constexpr ResultPath band_config{"/xpcs/twotime_multitau/config",
                                        "",
                                        "group",
                                        "",
                                        "options of the run, one scalar each",
                                        Needed::band};
inline constexpr ResultPath band_avg_frame{
    "/xpcs/twotime_multitau/config/avg_frame", "", "i64", "frames", "frames averaged into one"};
inline constexpr ResultPath band_stride_frame{"/xpcs/twotime_multitau/config/stride_frame",
                                              "",
                                              "i64",
                                              "frames",
                                              "every stride-th frame is used"};
inline constexpr ResultPath average{
    "/xpcs/average",
    "",
    "group",
    "",
    "mean of repeats; attributes weights, shape_limit, z_limit; files, kept, reason and scores"};
inline constexpr ResultPath file_list{
    "/xpcs/average/file_list", "n_kept", "str", "", "results that were averaged"};
inline constexpr ResultPath average_files{
    "/xpcs/average/files", "n", "str", "", "all results that were given"};
inline constexpr ResultPath average_kept{
    "/xpcs/average/kept", "n", "bool", "", "whether the result takes part in the mean"};
inline constexpr ResultPath average_reason{
    "/xpcs/average/reason", "n", "str", "", "why a result was dropped, empty if it was kept"};
inline constexpr ResultPath average_weight{
    "/xpcs/average/weight", "n", "f64", "", "weight of the g2 of a result (weights none, counts)"};
inline constexpr ResultPath average_shape{
    "/xpcs/average/shape_correlation", "n", "f64", "", "correlation of g2 with the median curve"};
inline constexpr ResultPath average_amplitude{
    "/xpcs/average/relative_contrast", "n", "f64", "", "contrast relative to the median curve"};
inline constexpr ResultPath average_offset{
    "/xpcs/average/offset", "n", "f64", "", "shift of g2 against the median curve"};
inline constexpr ResultPath average_z_amplitude{
    "/xpcs/average/z_contrast", "n", "f64", "", "robust z of relative_contrast"};
inline constexpr ResultPath average_z_offset{
    "/xpcs/average/z_offset", "n", "f64", "", "robust z of offset"};
inline constexpr ResultPath average_scatter{
    "/xpcs/average/g2_scatter",
    "n_tau,n_dq",
    "f32",
    "",
    "standard deviation between the results / sqrt(n_values); NaN below 2 values"};
inline constexpr ResultPath average_n_values{
    "/xpcs/average/n_values", "n_tau,n_dq", "i32", "", "results with a value there"};
inline constexpr ResultPath average_incident{
    "/xpcs/average/incident_beam_intensity", "n", "f64", "", "I0 of each result, NaN if unknown"};
inline constexpr ResultPath average_transmitted{"/xpcs/average/transmitted_beam_intensity",
                                                "n",
                                                "f64",
                                                "",
                                                "I1 of each result, NaN if unknown"};

inline constexpr ResultPath fit{
    "/xpcs/fit", "", "group", "", "fits of g2: groups single and double, see docs/formats.md"};

inline constexpr ResultPath nexus{
    "/nxxpcs", "", "group", "", "the same as an entry after the NeXus definition NXxpcs, linked"};

inline constexpr ResultPath provenance{
    "/xpcs/provenance", "", "group", "", "how the result came about"};
inline constexpr ResultPath prov_program{"/xpcs/provenance/program", "", "str", "", "program"};
inline constexpr ResultPath prov_version{"/xpcs/provenance/version", "", "str", "", "its version"};
inline constexpr ResultPath prov_commit{
    "/xpcs/provenance/commit", "", "str", "", "commit of the build"};
inline constexpr ResultPath prov_command_line{
    "/xpcs/provenance/command_line", "", "str", "", "command that repeats the run"};
inline constexpr ResultPath prov_arguments{
    "/xpcs/provenance/arguments", "n", "str", "", "its arguments, one each"};
inline constexpr ResultPath prov_device{"/xpcs/provenance/device", "", "str", "", "computed on"};
inline constexpr ResultPath prov_engine{
    "/xpcs/provenance/engine", "", "str", "", "sparse or dense engine"};
inline constexpr ResultPath prov_host{"/xpcs/provenance/host", "", "str", "", "host name"};
inline constexpr ResultPath prov_started{
    "/xpcs/provenance/started", "", "str", "", "start of the run, UTC"};
inline constexpr ResultPath prov_finished{
    "/xpcs/provenance/finished", "", "str", "", "end of the run, UTC"};
inline constexpr ResultPath prov_stage_names{
    "/xpcs/provenance/stage_names", "n", "str", "", "stages of the run, in order"};
inline constexpr ResultPath prov_stage_times{
    "/xpcs/provenance/stage_times", "n", "f64", "s", "wall time of each stage"};
inline constexpr ResultPath prov_peak_memory{
    "/xpcs/provenance/peak_memory", "", "i64", "bytes", "largest resident memory"};
inline constexpr ResultPath prov_input_files{
    "/xpcs/provenance/input_files", "n", "str", "", "files read"};
inline constexpr ResultPath prov_input_sizes{
    "/xpcs/provenance/input_sizes", "n", "i64", "bytes", "their sizes"};
inline constexpr ResultPath prov_input_modified{
    "/xpcs/provenance/input_modified", "n", "str", "", "their modification times, UTC"};
inline constexpr ResultPath prov_format{
    "/xpcs/provenance/raw_format", "", "str", "", "format of the raw file"};
inline constexpr ResultPath prov_detected_by{
    "/xpcs/provenance/raw_format_detected_by", "", "str", "", "what decided the format"};
inline constexpr ResultPath prov_qmap_hash{
    "/xpcs/provenance/qmap_hash", "", "str", "", "hash computed from the q-map as used"};
inline constexpr ResultPath prov_qmap_file{
    "/xpcs/provenance/qmap_file", "", "str", "", "q-map file"};
inline constexpr ResultPath prov_metadata_file{
    "/xpcs/provenance/metadata_file", "", "str", "", "metadata file, empty if none"};
inline constexpr ResultPath prov_warnings{
    "/xpcs/provenance/warnings", "n", "str", "", "everything that the log warned of"};
inline constexpr ResultPath prov_frames{
    "/xpcs/provenance/frames", "", "group", "", "frame selection as resolved"};
inline constexpr ResultPath prov_counts{
    "/xpcs/provenance/counts", "", "group", "", "what was kept and what was dropped, and why"};
inline constexpr ResultPath prov_hot_pixels{
    "/xpcs/provenance/hot_pixels",
    "n,5",
    "i64",
    "",
    "pixels that dominate their bin: row, column, photons, static label, dynamic label"};
inline constexpr ResultPath prov_hot_shares{"/xpcs/provenance/hot_pixel_shares",
                                            "n",
                                            "f64",
                                            "",
                                            "their share of the counts of their dynamic bin"};

/// The whole table, in the order of a listing.
inline constexpr std::array all{entry,
                                start_time,
                                frame_time,
                                count_time,
                                x_pixel_size,
                                y_pixel_size,
                                incident_energy,
                                xpcs,
                                qmap,
                                rawdata_path,
                                multitau,
                                delay_list,
                                delay_time,
                                n_pairs,
                                n_pairs_used,
                                level,
                                n_pixels,
                                bin_index,
                                g2,
                                g2_err,
                                g2_err_static,
                                g2_err_delta,
                                g2_err_shot,
                                g2_partial,
                                g2_partial_err,
                                g2_partial_labels,
                                unnormalized_G2,
                                static_without_signal,
                                pixels_without_signal,
                                multitau_config,
                                multitau_avg_frame,
                                multitau_stride_frame,
                                temporal_mean,
                                scattering_2d,
                                scattering_1d,
                                scattering_1d_segments,
                                spatial_mean,
                                intensity,
                                timestamp_clock,
                                timestamp_tick,
                                twotime,
                                twotime_maps,
                                twotime_map,
                                processed_bins,
                                processed_bins_natural,
                                twotime_g2,
                                twotime_g2_segments,
                                twotime_delay_list,
                                twotime_config,
                                twotime_avg_frame,
                                twotime_stride_frame,
                                twotime_empty_frames,
                                band,
                                band_level,
                                band_bins,
                                band_bins_natural,
                                band_delay_list,
                                band_delay_time,
                                band_g2,
                                band_g2_err,
                                band_n_values,
                                band_depth,
                                band_config,
                                band_avg_frame,
                                band_stride_frame,
                                average,
                                file_list,
                                average_files,
                                average_kept,
                                average_reason,
                                average_weight,
                                average_shape,
                                average_amplitude,
                                average_offset,
                                average_z_amplitude,
                                average_z_offset,
                                average_scatter,
                                average_n_values,
                                average_incident,
                                average_transmitted,
                                fit,
                                nexus,
                                provenance,
                                prov_program,
                                prov_version,
                                prov_commit,
                                prov_command_line,
                                prov_arguments,
                                prov_device,
                                prov_engine,
                                prov_host,
                                prov_started,
                                prov_finished,
                                prov_stage_names,
                                prov_stage_times,
                                prov_peak_memory,
                                prov_input_files,
                                prov_input_sizes,
                                prov_input_modified,
                                prov_format,
                                prov_detected_by,
                                prov_qmap_hash,
                                prov_qmap_file,
                                prov_metadata_file,
                                prov_warnings,
                                prov_frames,
                                prov_counts,
                                prov_hot_pixels,
                                prov_hot_shares};

/// Of /xpcs: who wrote it, and the last thing that is written.
inline constexpr const char* attribute_program = "program";
inline constexpr const char* attribute_version = "version";
inline constexpr const char* attribute_complete = "complete";
inline constexpr const char* attribute_units = "units";
inline constexpr const char* attribute_description = "description";
inline constexpr const char* attribute_slots = "slots";
inline constexpr const char* attribute_kind = "kind";  ///< of normalized_g2_partial
inline constexpr const char* slots_of_unnormalized_G2 = "G2,IF,IP";
inline constexpr const char* program_name = "xpcs-corr";
inline constexpr const char* result_ending = "_results";
inline constexpr const char* result_extension = ".hdf";

/// Where a metadata file's own /xpcs goes.
inline constexpr const char* displaced_xpcs = "/metadata_xpcs";

}  // namespace result_path

/// Path of the k-th two-time map, from 1.
inline std::string twotime_map_path(std::size_t k) {
    std::string digits = std::to_string(k);
    if (digits.size() < 5) {
        digits.insert(0, 5 - digits.size(), '0');
    }
    return result_path::twotime_map.path + digits;
}

/// Group of a level of multi-tau two-time.
inline std::string band_level_path(int level) {
    return result_path::band_level.path + std::string(level < 10 ? "0" : "") +
           std::to_string(level);
}

/// Last component of a path.
inline std::string leaf(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

}  // namespace xpcs
