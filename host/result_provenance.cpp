// SPDX-License-Identifier: BSD-3-Clause
// Configuration and provenance of a result.
#include "host/result_paths.hpp"
#include "host/result_write.hpp"
#include "host/run_config.hpp"
#include "host/version.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string>
#include <utility>

namespace xpcs {

namespace {

namespace rp = result_path;

/// Length of the valid UTF-8 sequence at the start of `text`, 0 if it is none.
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) {
        return first == 0 ? 0 : 1;
    }
    std::size_t n = 0;
    std::uint32_t code = 0, least = 0;
    if ((first & 0xE0) == 0xC0) {
        n = 2, code = first & 0x1F, least = 0x80;
    } else if ((first & 0xF0) == 0xE0) {
        n = 3, code = first & 0x0F, least = 0x800;
    } else if ((first & 0xF8) == 0xF0) {
        n = 4, code = first & 0x07, least = 0x10000;
    } else {
        return 0;
    }
    if (text.size() < n) {
        return 0;
    }
    for (std::size_t i = 1; i < n; ++i) {
        if ((byte(i) & 0xC0) != 0x80) {
            return 0;
        }
        code = (code << 6) | (byte(i) & 0x3F);
    }
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    return code < least || code > 0x10FFFF || surrogate ? 0 : n;
}

/// One argument as a shell would need it.
std::string quoted(const std::string& argument) {
    const auto plain = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view("_-./=:,+@%").find(c) != std::string_view::npos;
    };
    if (!argument.empty() && std::all_of(argument.begin(), argument.end(), plain)) {
        return argument;
    }
    std::string out = "'";
    for (const char c : argument) {
        out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return out + "'";
}

/// "1,2,5-7" as numbers; empty if it is not such a list.
std::vector<std::int64_t> expand_selection(const std::string& text) {
    std::vector<std::int64_t> bins;
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at < end) {
        std::int64_t first = 0, last = 0;
        auto parsed = std::from_chars(at, end, first);
        if (parsed.ec != std::errc() || first < 0) {
            return {};
        }
        last = first;
        if (parsed.ptr < end && *parsed.ptr == '-') {
            parsed = std::from_chars(parsed.ptr + 1, end, last);
            if (parsed.ec != std::errc() || last < first || last - first > 1'000'000) {
                return {};
            }
        }
        for (std::int64_t bin = first; bin <= last; ++bin) {
            bins.push_back(bin);
        }
        if (parsed.ptr < end && *parsed.ptr != ',') {
            return {};
        }
        at = parsed.ptr + 1;
    }
    return bins;
}

/// Scalars of one group under names that are keywords of the program, not paths of their own.
class GroupWriter {
  public:
    GroupWriter(hid_t file, const std::string& path) : group_(h5::require_group(file, path)) {}

    void number(const char* name, std::int64_t value, const char* unit = "") const {
        finish(h5::write_scalar<std::int64_t>(group_.id(), name, value), unit);
    }
    void real(const char* name, double value, const char* unit = "") const {
        finish(h5::write_scalar<double>(group_.id(), name, value), unit);
    }
    void truth(const char* name, bool value) const { h5::write_boolean(group_.id(), name, value); }
    void text(const char* name, const std::string& value) const {
        finish(h5::write_string(group_.id(), name, to_utf8(value)));
    }
    hid_t id() const { return group_.id(); }

  private:
    h5::Group group_;
};

std::vector<std::string> all_utf8(const std::vector<std::string>& values) {
    std::vector<std::string> out;
    out.reserve(values.size());
    for (const std::string& value : values) {
        out.push_back(to_utf8(value));
    }
    return out;
}

double total_seconds(const RunResult& result) {
    double sum = 0;
    for (const auto& [name, seconds] : result.stage_s) {
        sum += seconds;
    }
    return sum;
}

/// Options of the table that have no place of their own in write_options().
void write_other_options(const GroupWriter& group, const RunConfig& config) {
    for (const auto& option : run_options().options()) {
        std::string name = option.spec.name;
        std::replace(name.begin(), name.end(), '-', '_');
        const bool known = name == "type" || name == "memory" || name == "frame_time" ||
                           name == "dq_selection" || h5::exists(group.id(), name);
        const std::vector<std::string> values = option.get(config);
        if (known || values.size() != 1) continue;
        if (option.spec.kind == ValueKind::flag || option.spec.kind == ValueKind::boolean) {
            group.truth(name.c_str(), values.front() == "true" || values.front() == "1");
        } else if (option.spec.kind == ValueKind::integer) {
            group.number(name.c_str(), std::stoll(values.front()));
        } else if (option.spec.kind == ValueKind::real) {
            group.real(name.c_str(), std::stod(values.front()), option.spec.unit.c_str());
        } else {
            group.text(name.c_str(), values.front());
        }
    }
}

void write_options(const GroupWriter& group, const RunConfig& config) {
    group.number("avg_frame", config.avg_frame);
    group.number("stride_frame", config.stride_frame);
    group.number("begin_frame", config.begin_frame);
    group.number("end_frame", config.end_frame);
    group.number("num_partial_g2", config.num_partial_g2);
    group.number("gpu_id", config.gpu_id);
    group.number("threads", config.threads);
    group.number("n_frames", config.n_frames);
    group.truth("normalize_frame", config.normalize_frame);
    group.truth("overwrite", config.overwrite);
    group.truth("save_G2", config.save_G2);
    group.truth("verbose", config.verbose);
    group.truth("transpose_qmap", config.transpose_qmap);
    group.truth("split_static", config.split_static);
    group.truth("strict", config.strict);
    group.truth("mask_hot", config.mask_hot);
    group.truth("drop_bad_index", config.drop_bad_index);
    group.truth("allow_missing_module", config.allow_missing_module);
    group.truth("no_metadata", config.no_metadata);
    group.real("crop_ratio_threshold", config.crop_ratio_threshold);
    group.real("bin_time_s", config.bin_time_s, "s");
    group.real("memory_gib", config.memory_gib, "GiB");
    group.real("frame_time_s", config.frame_time_s, "s");
    group.text("output", config.output);
    group.text("qmap", config.qmap);
    group.text("smooth", config.smooth);
    group.text("prefix", config.prefix);
    group.text("suffix", config.suffix);
    group.text("metadata", config.metadata);
    group.text("run_config_path", config.run_config_path);
    group.text("dataset", config.dataset);
    group.text("engine", to_string(config.engine));
    group.text("decode", config.decode);
    group.text("overflow", config.overflow);
    if (config.raw.size() > 1) {
        finish(h5::write_strings(group.id(), "raw", all_utf8(config.raw)));
    } else {
        group.text("raw", config.raw.empty() ? "" : config.raw.front());
    }
    if (config.dq_selection != "all") {
        const auto bins = expand_selection(config.dq_selection);
        if (bins.empty()) {
            group.text("dq_selection", config.dq_selection);
        } else {
            finish(h5::write<std::int64_t>(group.id(), "dq_selection", bins));
        }
    }
}

void write_frames(hid_t file, const FrameSelection& frames) {
    const GroupWriter group(file, rp::prov_frames.path);
    group.number("begin", frames.begin, "frames");
    group.number("end", frames.end, "frames");
    group.number("stride", frames.stride, "frames");
    group.number("average", frames.average, "frames");
    group.number("n_frames", frames.n_frames, "frames");
    group.number("n_frames_file", frames.n_frames_file, "frames");
    group.number("raw_frames_used", frames.raw_frames_used, "frames");
}

void write_decode_counts(const GroupWriter& group, const DecodeCounts& decode) {
    group.number("records", decode.records);
    group.number("dropped_zero_count", decode.zero_count);
    group.number("dropped_bad_index", decode.bad_index);
    group.number("out_of_order", decode.out_of_order);
    group.number("last_frame", decode.last_frame, "frames");
    group.number("counter_wraps", decode.counter_wraps);
    group.number("at_maximum_3", decode.at_maximum_3);
    group.number("at_maximum_15", decode.at_maximum_15);
    group.number("at_maximum_255", decode.at_maximum_255);
    group.number("at_maximum_4095", decode.at_maximum_4095);
    group.number("largest_count", decode.largest_count);
}

void write_counts(hid_t file, const RunResult& result) {
    const GroupWriter group(file, rp::prov_counts.path);
    const RunCounts& counts = result.counts;
    write_decode_counts(group, counts.decode);
    group.number("events_kept", counts.events_kept);
    group.number("photons_kept", counts.photons_kept, "counts");
    group.number("dropped_events_masked", counts.events_masked);
    group.number("dropped_events_outside_frames", counts.events_outside_frames);
    group.number("duplicates_summed", counts.duplicates);
    group.number("dropped_trailing_bytes", counts.trailing_bytes, "bytes");
    group.number("overflow_samples", counts.overflow_samples);
    group.number("dropped_overflow_pixels", counts.overflow_pixels);
    group.number("empty_frames", counts.empty_frames, "frames");
    group.number("excluded_frames", counts.excluded_frames, "frames");
    group.real("occupancy", counts.occupancy);
    group.real("saturated_fraction", counts.saturated_fraction);
    group.number("saturation_level", counts.saturation_level, "counts");
    group.truth("no_signal", counts.no_signal);
    const PartitionReport& pixels = result.partition_report;
    group.number("dropped_pixels_masked", pixels.masked);
    group.number("dropped_pixels_no_dynamic_label", pixels.no_dynamic);
    group.number("dropped_pixels_no_static_label", pixels.no_static);
    group.number("dropped_pixels_in_gap", pixels.in_gap);
    group.number("labelled_outside_mask", pixels.labelled_outside_mask);
    group.number("split_static_bins", pixels.split_static_bins);
    finish(h5::write<std::uint32_t>(group.id(), "empty_dynamic_labels", pixels.empty_dynamic));
    finish(h5::write<std::uint32_t>(group.id(), "empty_static_labels", pixels.empty_static));
}

void write_hot_pixels(hid_t file, const std::vector<HotPixel>& pixels) {
    std::vector<std::int64_t> table;
    std::vector<double> shares;
    for (const HotPixel& pixel : pixels) {
        table.insert(table.end(),
                     {pixel.row,
                      pixel.col,
                      pixel.photons,
                      static_cast<std::int64_t>(pixel.static_label),
                      static_cast<std::int64_t>(pixel.dynamic_label)});
        shares.push_back(pixel.share_of_bin);
    }
    put(file, rp::prov_hot_pixels, table, {pixels.size(), 5});
    put(file, rp::prov_hot_shares, shares, {shares.size()});
}

void write_stages(hid_t file, const RunResult& result) {
    std::vector<std::string> names;
    std::vector<double> seconds;
    for (const auto& [name, value] : result.stage_s) {
        names.push_back(name);
        seconds.push_back(value);
    }
    put_texts(file, rp::prov_stage_names, names);
    put(file, rp::prov_stage_times, seconds, {seconds.size()});
}

}  // namespace

void put_text(hid_t file, const ResultPath& path, const std::string& value) {
    finish(h5::write_string(file, path.path, to_utf8(value)), "", path.description);
}

void put_texts(hid_t file, const ResultPath& path, const std::vector<std::string>& values) {
    finish(h5::write_strings(file, path.path, all_utf8(values)), "", path.description);
}

void put_inputs(hid_t file, const std::vector<InputFile>& inputs) {
    std::vector<std::string> paths, modified;
    std::vector<std::int64_t> sizes;
    for (const InputFile& input : inputs) {
        paths.push_back(input.path);
        modified.push_back(input.modified);
        sizes.push_back(static_cast<std::int64_t>(input.size_bytes));
    }
    put_texts(file, rp::prov_input_files, paths);
    put(file, rp::prov_input_sizes, sizes);
    put_texts(file, rp::prov_input_modified, modified);
}

std::string command_line_of(const std::vector<std::string>& arguments) {
    std::string line;
    for (const std::string& argument : arguments) {
        line.append(line.empty() ? 0 : 1, ' ').append(quoted(argument));
    }
    return line;
}

void mark_complete(hid_t file) {
    const h5::Group group = h5::require_group(file, rp::xpcs.path);
    h5::write_attribute(group.id(), rp::attribute_program, rp::program_name);
    h5::write_attribute(group.id(), rp::attribute_version, version());
    h5::write_attribute(group.id(), rp::attribute_complete, std::int64_t{1});
}

std::string to_utf8(std::string_view bytes) {
    std::string out;
    while (!bytes.empty()) {
        const std::size_t n = utf8_length(bytes);
        if (n > 0) {
            out += bytes.substr(0, n);
            bytes.remove_prefix(n);
            continue;
        }
        char code[5];
        std::snprintf(code,
                      sizeof code,
                      "\\x%02x",
                      static_cast<unsigned>(static_cast<unsigned char>(bytes[0])));
        out += code;
        bytes.remove_prefix(1);
    }
    return out;
}

void write_config(hid_t file, const RunResult& result, const std::string& path) {
    const GroupWriter group(file, path);
    group.text("analysis_type", to_string(result.config.type));
    write_options(group, result.config);
    group.number("begin_frame_used", result.frames.begin, "frames");
    group.number("end_frame_used", result.frames.end, "frames");
    group.number("n_frames_used", result.frames.n_frames, "frames");
    group.number("n_frames_file", result.frames.n_frames_file, "frames");
    group.text("program", rp::program_name);
    group.text("version", version());
    group.text("device", result.device);
    group.text("engine_used", result.engine);
    group.text("qmap_hash", result.qmap.hash);
    group.real("run_time", total_seconds(result), "s");
    if (!result.inputs.empty()) {
        const InputFile& raw = result.inputs.front();
        group.number("raw_size", static_cast<std::int64_t>(raw.size_bytes), "bytes");
        group.text("raw_modified", raw.modified);
    }
    write_other_options(group, result.config);  // last: `device` is where it was computed
}

void write_provenance(hid_t file, const RunResult& result, const std::string& qmap_hash) {
    const h5::Group group = h5::require_group(file, rp::provenance.path);
    h5::describe(group.id(), "", rp::provenance.description);
    std::vector<std::string> arguments{rp::program_name};
    for (std::string& argument : to_command_line(result.config)) {
        arguments.push_back(std::move(argument));
    }
    put_text(file, rp::rawdata_path, result.raw);
    put_text(file, rp::prov_program, rp::program_name);
    put_text(file, rp::prov_version, version());
    put_text(file, rp::prov_commit, build_commit());
    put_text(file, rp::prov_command_line, command_line_of(arguments));
    put_texts(file, rp::prov_arguments, arguments);
    put_text(file, rp::prov_device, result.device);
    put_text(file, rp::prov_engine, result.engine);
    put_text(file, rp::prov_host, result.host_name);
    put_text(file, rp::prov_started, result.started);
    put_text(file, rp::prov_finished, result.finished);
    put_text(file, rp::prov_format, result.source.format);
    put_text(file, rp::prov_detected_by, result.source.detected_by);
    put_text(file, rp::prov_qmap_file, result.qmap.file);
    put_text(file, rp::prov_qmap_hash, qmap_hash);
    put_text(file, rp::prov_metadata_file, result.metadata.file);
    put_texts(file, rp::prov_warnings, result.warnings);
    finish(h5::write_scalar<std::int64_t>(file,
                                          rp::prov_peak_memory.path,
                                          static_cast<std::int64_t>(result.peak_memory_bytes)),
           rp::prov_peak_memory.unit,
           rp::prov_peak_memory.description);
    write_stages(file, result);
    put_inputs(file, result.inputs);
    write_frames(file, result.frames);
    write_counts(file, result);
    write_hot_pixels(file, result.hot_pixels);
}

}  // namespace xpcs
