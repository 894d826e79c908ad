// SPDX-License-Identifier: BSD-3-Clause
#include "portal/pictures.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"
#include "portal/child_process.hpp"
#include "portal/pictures_parts.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>

namespace xpcs::portal {

namespace {

/// gnuplot says nothing when the disk is full.
void require_whole_picture(const std::string& path) {
    constexpr std::string_view end("\0\0\0\0IEND\xAE\x42\x60\x82", 12);
    std::ifstream in(path, std::ios::binary);
    std::string tail(end.size(), '\0');
    in.seekg(-static_cast<std::streamoff>(end.size()), std::ios::end);
    in.read(tail.data(), static_cast<std::streamsize>(tail.size()));
    if (in && tail == end) return;
    throw Error(ExitCode::io,
                "picture '" + printable(path) +
                    "' is not whole: no space left, or a limit on the size of files");
}

}  // namespace

std::vector<std::string>
draw_pictures(const ReportData& report, const std::string& directory, const std::string& scratch) {
    Script script(report, directory, scratch);
    draw_scattering(script);
    draw_linear(script);
    draw_curves(script);
    const std::size_t grids = draw_g2(script);
    draw_maps(script, grids);
    draw_fits(script);
    draw_parameters(script);
    const std::string path = scratch + "/pictures.gp";
    errno = 0;
    std::ofstream out(path, std::ios::binary);
    out << script.text();
    out.close();
    if (!out) {
        throw Error(ExitCode::io, printable(path) + ": cannot write: " + std::strerror(errno));
    }
    const ChildResult result = run_child({"gnuplot", path}, 120);
    if (result.timed_out || result.status != 0) {
        throw Error(ExitCode::internal,
                    "gnuplot failed with status " + std::to_string(result.status) + ": " +
                        printable(result.output));
    }
    for (const std::string& name : script.names())
        require_whole_picture(directory + "/" + name);
    return script.names();
}

}  // namespace xpcs::portal
