// SPDX-License-Identifier: BSD-3-Clause
#include "host/rewrite_file.hpp"

#include "host/errors.hpp"
#include "host/result_reader.hpp"
#include "host/text.hpp"

#include <filesystem>
#include <system_error>

namespace xpcs {

namespace fs = std::filesystem;

namespace {

std::string real_path(const std::string& path) {
    h5::open_file(path);  // says what is wrong with it under its own name
    std::error_code error;
    const fs::path real = fs::canonical(path, error);
    if (error) {
        throw Error(ExitCode::no_input, "'" + printable(path) + "': " + error.message());
    }
    return real.string();
}

}  // namespace

RewrittenResult::RewrittenResult(const std::string& path)
    : path_(real_path(path)), hidden_(fs::path(path_).parent_path().string(), path) {
    hidden_.copy_from(path_);
    file_ = h5::open_file_for_writing(hidden_.path());
}

void RewrittenResult::commit() {
    h5::flush(file_);
    file_.close();
    hidden_.sync();
    std::string reason;
    if (!is_complete_result(hidden_.path(), reason)) {
        throw Error(ExitCode::io,
                    "'" + printable(path_) + "' is not complete after writing: " + reason);
    }
    std::error_code ignored;
    fs::permissions(hidden_.path(), fs::status(path_, ignored).permissions(), ignored);
    hidden_.publish_over(path_);
}

}  // namespace xpcs
