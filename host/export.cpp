// SPDX-License-Identifier: BSD-3-Clause
#include "host/export.hpp"

#include "host/claimed_file.hpp"
#include "host/errors.hpp"
#include "host/exchange.hpp"
#include "host/export_csv.hpp"
#include "host/file_facts.hpp"
#include "host/nexus.hpp"
#include "host/qmap_file.hpp"
#include "host/result_paths.hpp"
#include "host/result_reader.hpp"
#include "host/result_write.hpp"
#include "host/text.hpp"
#include "host/version.hpp"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <system_error>

namespace xpcs {

namespace {

namespace fs = std::filesystem;
namespace rp = result_path;

using Notes = std::vector<std::string>;

void require_other_file(const ExportOptions& options) {
    std::error_code ignored;
    if (fs::equivalent(options.input, options.output, ignored)) {
        throw Error(ExitCode::usage,
                    "export: '" + printable(options.output) + "' is the result itself");
    }
}

void require_layout(const ResultData& data, const std::string& layout, const std::string& hint) {
    if (data.layout == layout) return;
    throw Error(ExitCode::data,
                "'" + printable(data.path) + "': has the layout " + data.layout + " already; " +
                    hint);
}

Notes export_csv(const ResultReader& reader, const ExportOptions& options) {
    const std::vector<std::string> there = csv_tables(reader.data());
    std::vector<std::string> wanted = there;
    if (!options.table.empty()) {
        wanted = {options.table};
        if (std::find(there.begin(), there.end(), options.table) == there.end()) {
            std::string list;
            for (const std::string& name : there) {
                list.append(list.empty() ? "" : ", ").append(name);
            }
            throw Error(ExitCode::data,
                        "'" + printable(options.input) + "': has no table " +
                            printable(options.table) + "; there are " + list);
        }
    }
    NewFile whole(options.output, options.overwrite);
    const TextSink write = [&](std::string_view text) { whole.append(text.data(), text.size()); };
    for (const std::string& name : wanted) {
        // Two empty lines set blocks apart, as plotting programs know them.
        if (name != wanted.front()) write("\n\n");
        write_csv_table(reader.data(), name, write);
    }
    whole.commit();
    return {};
}

/// What a result tells of its making, for one that was made from an older file.
void write_origin(hid_t file, const ExportOptions& options, const std::string& started) {
    const std::vector<std::string> arguments{
        rp::program_name, "export", options.input, "--format=xpcs", "--output=" + options.output};
    put_text(file, rp::prov_program, rp::program_name);
    put_text(file, rp::prov_version, version());
    put_text(file, rp::prov_commit, build_commit());
    put_text(file, rp::prov_command_line, command_line_of(arguments));
    put_texts(file, rp::prov_arguments, arguments);
    put_text(file, rp::prov_host, host_name());
    put_text(file, rp::prov_started, started);
    put_text(file, rp::prov_finished, utc_text(std::time(nullptr)));
    put_text(file, rp::prov_qmap_hash, qmap_group_hash(file, rp::qmap.path));
    put_inputs(file, stat_inputs({options.input}));
}

/// An /exchange file as a result of ours at `path`.
Notes write_imported(const ResultReader& reader,
                     const ExportOptions& options,
                     const std::string& path) {
    const std::string started = utc_text(std::time(nullptr));
    const h5::File in = h5::open_file(options.input);
    h5::File out = h5::create_file_over(path);
    Notes notes = import_exchange(reader, in.id(), out.id());
    write_origin(out.id(), options, started);
    put_texts(out.id(), rp::prov_warnings, notes);
    write_nexus_view(out.id());
    mark_complete(out.id());
    h5::flush(out);
    out.close();
    std::string reason;
    if (!is_complete_result(path, reason)) {
        throw Error(ExitCode::io,
                    "'" + printable(options.output) + "' is not complete after writing: " + reason);
    }
    return notes;
}

Notes export_xpcs(const ResultReader& reader, const ExportOptions& options) {
    require_layout(
        reader.data(), "exchange", "--format xpcs brings older results to the present one");
    NewFile whole(options.output, options.overwrite);
    Notes notes = write_imported(reader, options, whole.hidden_path());
    whole.commit();
    return notes;
}

Notes export_exchange(const ResultReader& reader, const ExportOptions& options) {
    require_layout(reader.data(), "xpcs", "copy the file");
    NewFile whole(options.output, options.overwrite);
    const h5::File in = h5::open_file(options.input);
    h5::File out = h5::create_file_over(whole.hidden_path());
    Notes notes = write_exchange(reader, in.id(), out.id());
    h5::flush(out);
    out.close();
    whole.commit();
    return notes;
}

Notes export_nxxpcs(const ResultReader& reader, const ExportOptions& options) {
    NewFile whole(options.output, options.overwrite);
    std::string from = options.input;
    Notes notes;
    // The way from the older layout leads over ours, in a file that goes away.
    const std::string directory = fs::path(whole.hidden_path()).parent_path().string();
    const ClaimedFile between(directory, options.output);
    if (reader.data().layout != "xpcs") {
        notes = write_imported(reader, options, between.path());
        from = between.path();
    }
    const h5::File in = h5::open_file(from);
    h5::File out = h5::create_file_over(whole.hidden_path());
    write_nexus_file(in.id(), out.id(), fs::path(options.input).stem().string());
    h5::flush(out);
    out.close();
    whole.commit();
    return notes;
}

}  // namespace

std::vector<std::string> export_result(const ExportOptions& options) {
    require_other_file(options);
    const ResultReader reader(options.input);
    switch (options.format) {
    case ExportFormat::csv:
        return export_csv(reader, options);
    case ExportFormat::exchange:
        return export_exchange(reader, options);
    case ExportFormat::nxxpcs:
        return export_nxxpcs(reader, options);
    case ExportFormat::xpcs:
        break;
    }
    return export_xpcs(reader, options);
}

}  // namespace xpcs
