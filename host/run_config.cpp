// SPDX-License-Identifier: BSD-3-Clause
#include "host/run_config.hpp"

namespace xpcs {

std::string to_string(AnalysisType type) {
    switch (type) {
    case AnalysisType::multitau:
        return "Multitau";
    case AnalysisType::twotime:
        return "Twotime";
    case AnalysisType::both:
        return "Both";
    }
    return "";
}

std::string to_string(EngineChoice engine) {
    switch (engine) {
    case EngineChoice::automatic:
        return "auto";
    case EngineChoice::sparse:
        return "sparse";
    case EngineChoice::dense:
        return "dense";
    }
    return "";
}

}  // namespace xpcs
