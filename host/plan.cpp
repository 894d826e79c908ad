// SPDX-License-Identifier: BSD-3-Clause
#include "host/plan.hpp"

#include "host/text.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace xpcs {

namespace {

void add(std::string& out, const std::string& name, const std::string& value) {
    out += fmt::format("{:<16}{}\n", name, printable(value, 4000));
}

std::string bytes_text(std::uint64_t bytes) {
    const auto value = static_cast<double>(bytes);
    if (bytes < 1024) {
        return fmt::format("{} bytes", bytes);
    }
    if (value < 1024.0 * 1024) {
        return fmt::format("{:.1f} KiB", value / 1024);
    }
    if (value < 1024.0 * 1024 * 1024) {
        return fmt::format("{:.1f} MiB", value / 1024 / 1024);
    }
    return fmt::format("{:.2f} GiB", value / 1024 / 1024 / 1024);
}

std::string frames_text(const Plan& plan) {
    const FrameSelection& f = plan.frames;
    if (f.n_frames_file == 0) return "not in the file: reading it tells";
    std::string text = fmt::format("{} correlated", f.n_frames);
    text += fmt::format(", {} of {}{} raw frames, {} to {}",
                        f.raw_frames_used,
                        plan.frames_from_hint ? "expected " : "",
                        f.n_frames_file,
                        f.begin,
                        f.end > f.begin ? f.end - 1 : f.begin);
    if (f.stride != 1) {
        text += fmt::format(", every {}.", f.stride);
    }
    if (f.average != 1) {
        text += fmt::format(", {} averaged into one", f.average);
    }
    return text;
}

std::string lags_text(const Plan& plan) {
    if (plan.lags.empty()) {
        const bool multitau =
            plan.analysis.starts_with("Multitau") || plan.analysis.starts_with("Both");
        return multitau && plan.frames.n_frames_file == 0 ? "reading the file tells" : "none";
    }
    std::string text = fmt::format(
        "{}, from {} to {} frames", plan.lags.size(), plan.lags.front(), plan.lags.back());
    if (plan.frame_time_s > 0) {
        const double step = plan.frame_time_s * static_cast<double>(plan.frames.stride) *
                            static_cast<double>(plan.frames.average);
        text += fmt::format(" ({:.4g} s to {:.4g} s)",
                            static_cast<double>(plan.lags.front()) * step,
                            static_cast<double>(plan.lags.back()) * step);
    }
    return text;
}

}  // namespace

std::string plan_text(const Plan& plan) {
    std::string out;
    add(out, "raw", plan.raw);
    add(out, "format", plan.format);
    for (const auto& input : plan.inputs) {
        add(out, "input", fmt::format("{} ({})", input.path, bytes_text(input.size_bytes)));
    }
    add(out, "detector", fmt::format("{} x {} pixels", plan.rows, plan.cols));
    add(out, "frames", frames_text(plan));
    add(out,
        "frame time",
        plan.frame_time_s > 0 ? fmt::format("{:.6g} s", plan.frame_time_s) : "unknown");
    add(out, "pixels kept", std::to_string(plan.pixels_kept));
    add(out, "bins", fmt::format("{} static, {} dynamic", plan.n_static, plan.n_dynamic));
    if (!plan.analysis.empty()) add(out, "analysis", plan.analysis);
    add(out, "lags", lags_text(plan));
    add(out, "engine", plan.engine);
    add(out, "device", plan.device);
    std::string memory = bytes_text(plan.host_memory_bytes);
    if (plan.device_memory_bytes > 0) {
        memory += ", on the device " + bytes_text(plan.device_memory_bytes);
    }
    add(out, "memory needed", memory);
    add(out, "output", plan.output);
    for (const auto& warning : plan.warnings) {
        add(out, "warning", warning);
    }
    return out;
}

void print_plan(const Plan& plan) {
    const std::string text = plan_text(plan);
    std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace xpcs
