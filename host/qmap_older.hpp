// SPDX-License-Identifier: BSD-3-Clause
// q-maps of layouts before the present one, put into the present one in memory.
#pragma once

#include "host/h5.hpp"

#include <optional>
#include <string>

namespace xpcs {

struct TranslatedQMap {
    h5::File file;       ///< in memory, with the group /qmap
    std::string layout;  ///< in words
};

/// Layouts: /data (until February 2025), /qmap/dqmap (17 to 24 February 2025), /xpcs (metadata
/// files until 2024). Empty if the file has none of them with mask (where it has one), dynamic and
/// static map. Nothing is checked here: the loader of the present layout does that.
std::optional<TranslatedQMap> translate_older_qmap(const h5::File& file);

}  // namespace xpcs
