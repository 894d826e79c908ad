// SPDX-License-Identifier: BSD-3-Clause
#include "portal/pictures.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"
#include "portal/child_process.hpp"
#include "portal/pictures_parts.hpp"

#include <fmt/format.h>

#include <fstream>

namespace xpcs::portal {

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
    std::ofstream out(path, std::ios::binary);
    out << script.text();
    out.close();
    const ChildResult result = run_child({"gnuplot", path}, 120);
    if (result.timed_out || result.status != 0) {
        throw Error(ExitCode::internal,
                    "gnuplot failed with status " + std::to_string(result.status) + ": " +
                        printable(result.output));
    }
    return script.names();
}

}  // namespace xpcs::portal
