// SPDX-License-Identifier: BSD-3-Clause
// Everything in the project that opens an HDF5 file of somebody else.
#pragma once

#include "host/inspect.hpp"
#include "host/metadata.hpp"
#include "host/qmap.hpp"
#include "host/result_reader.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace xpcs::fuzz {

inline void read_as_everything(const std::string& path, const SourceOptions& options) {
    tolerate([&] { drain(*open_frame_source(path, options), 16, 16); });
    tolerate([&] {
        const QMap qmap = load_qmap(path);
        partition_of(qmap, {}, options.strict);
    });
    tolerate([&] { load_metadata(path); });
    tolerate([&] {
        const ResultReader reader(path);
        tolerate([&] { reader.scattering_2d(); });
        tolerate([&] { reader.load_maps(); });
        for (std::size_t k = 0; k < std::min<std::size_t>(reader.data().two_time.n_maps, 3); ++k)
            tolerate([&] { reader.twotime_map(k, 64); });
        tolerate([&] { reader.group("/"); });
        tolerate([&] { reader.provenance(); });
    });
    std::string reason;
    is_complete_result(path, reason);
    to_text(inspect_file(path, {}));
}

}  // namespace xpcs::fuzz
