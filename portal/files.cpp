// SPDX-License-Identifier: BSD-3-Clause
#include "portal/files.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"

#include <algorithm>
#include <filesystem>

namespace xpcs::portal {

namespace fs = std::filesystem;

FileRoot::FileRoot(const std::string& root) {
    std::error_code error;
    root_ = fs::canonical(root, error).string();
    if (error || !fs::is_directory(root_)) {
        throw Error(ExitCode::no_input, "root '" + printable(root) + "': no such directory");
    }
}

std::optional<std::string> FileRoot::inside(const std::string& path) const {
    if (path.find('\0') != std::string::npos) {
        return std::nullopt;
    }
    std::error_code error;
    const std::string real = fs::canonical(path, error).string();
    const std::string base = root_ == "/" ? root_ : root_ + "/";
    if (error || (real != root_ && !real.starts_with(base))) {
        return std::nullopt;
    }
    return real;
}

std::optional<std::string> FileRoot::directory_of(const std::string& subject) const {
    if (subject.starts_with("file://")) {
        return inside(subject.substr(7));
    }
    const std::string scheme = "globus://";
    const std::size_t slash = subject.find('/', scheme.size());
    if (!subject.starts_with(scheme) || slash == std::string::npos) {
        return std::nullopt;
    }
    return inside(root_ + subject.substr(slash));
}

std::optional<std::string> FileRoot::file_of(const Stored& record,
                                             const std::string& relative) const {
    const std::vector<RecordFile> files = files_of(record);
    const bool listed = std::any_of(
        files.begin(), files.end(), [&](const RecordFile& f) { return f.relative == relative; });
    const auto directory = directory_of(record.hit.subject);
    if (!listed || !directory) {
        return std::nullopt;
    }
    const auto path = inside(*directory + "/" + relative);
    std::error_code error;
    return path && path->starts_with(*directory + "/") && fs::is_regular_file(*path, error)
               ? path
               : std::nullopt;
}

std::vector<RecordFile> files_of(const Stored& record) {
    std::vector<RecordFile> out;
    const json& list = member(member(record.document, "content"), "files");
    if (!list.is_array()) {
        return out;
    }
    const std::string base = record.hit.subject + "/";
    for (const json& file : list) {
        const std::string url = text_of(member(file, "url"));
        if (!url.starts_with(base) || out.size() >= 2000) {
            continue;
        }
        const json& length = member(file, "length");
        out.push_back({url.substr(base.size()),
                       text_of(member(file, "mime_type")),
                       length.is_number() ? length.get<std::int64_t>() : 0});
    }
    return out;
}

}  // namespace xpcs::portal
