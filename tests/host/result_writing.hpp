// SPDX-License-Identifier: BSD-3-Clause
// Writing a made-up result, and what that leaves behind.
#pragma once

#include "host/errors.hpp"
#include "host/result_file.hpp"
#include "host/result_write.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace xpcs::testing {

inline std::string write_result(const RunResult& result, const std::string& base = "run") {
    ResultFile file(result.config, base, result.metadata.file);
    file.write(result);
    return file.commit();
}

/// Hidden files left in a directory.
inline std::vector<std::string> hidden(const std::string& directory) {
    std::vector<std::string> names;
    for (const auto& item : std::filesystem::directory_iterator(directory)) {
        const std::string name = item.path().filename().string();
        if (name.front() == '.') {
            names.push_back(name);
        }
    }
    return names;
}

template <class Function>
ExitCode code_of(Function&& function, std::string* message = nullptr) {
    try {
        function();
    } catch (const Error& error) {
        if (message != nullptr) {
            *message = error.what();
        }
        return error.code();
    }
    return ExitCode::ok;
}

}  // namespace xpcs::testing
