// SPDX-License-Identifier: BSD-3-Clause
#include "host/atomic_file.hpp"

#include "host/claimed_file.hpp"
#include "host/errors.hpp"
#include "host/text.hpp"

#include <filesystem>
#include <system_error>

namespace xpcs {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(ExitCode code, const std::string& path, const std::string& reason) {
    throw Error(code, "cannot write '" + printable(path) + "': " + reason);
}

fs::path target_of(const std::string& path) {
    if (path.empty()) {
        refuse(ExitCode::cannot_create, path, "it has no name");
    }
    std::error_code error;
    const auto status = fs::status(path, error);
    if (fs::exists(status) && !fs::is_regular_file(status)) {
        refuse(ExitCode::cannot_create, path, "it exists and is not a regular file");
    }
    fs::path target = fs::weakly_canonical(fs::absolute(path, error), error);
    if (error) {
        refuse(ExitCode::cannot_create, path, error.message());
    }
    return target;
}

}  // namespace

void write_file_atomically(const std::string& path, std::string_view content) {
    NewFile file(target_of(path).string(), true);
    file.append(content.data(), content.size());
    file.commit();
}

void check_can_write(const std::string& path) {
    const NewFile probe(target_of(path).string(), true);
}

void require_no_input(const std::string& path, const std::vector<std::string>& inputs) {
    for (const std::string& input : inputs) {
        std::error_code ignored;
        if (!input.empty() && fs::equivalent(path, input, ignored)) {
            refuse(ExitCode::usage, path, "it is read here; another name expected");
        }
    }
}

}  // namespace xpcs
