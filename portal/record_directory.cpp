// SPDX-License-Identifier: BSD-3-Clause
#include "host/errors.hpp"
#include "host/json_depth.hpp"
#include "host/text.hpp"
#include "portal/record.hpp"
#include "portal/report_data.hpp"
#include "portal/report_json.hpp"
#include "portal/stopping.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

namespace xpcs::portal {

namespace {

namespace fs = std::filesystem;

std::string hex(const unsigned char* bytes, unsigned n) {
    constexpr const char* digits = "0123456789abcdef";
    std::string out;
    for (unsigned i = 0; i < n; ++i) {
        out += digits[bytes[i] >> 4];
        out += digits[bytes[i] & 15];
    }
    return out;
}

/// SHA-256 and SHA-512 in one pass.
std::pair<std::string, std::string> checksums(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::vector<char> buffer(1 << 20);
    EVP_MD_CTX* contexts[2] = {EVP_MD_CTX_new(), EVP_MD_CTX_new()};
    EVP_DigestInit_ex(contexts[0], EVP_sha256(), nullptr);
    EVP_DigestInit_ex(contexts[1], EVP_sha512(), nullptr);
    while (in) {
        heed_signals();
        in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
        for (EVP_MD_CTX* context : contexts) {
            EVP_DigestUpdate(context, buffer.data(), static_cast<std::size_t>(in.gcount()));
        }
    }
    std::string sums[2];
    for (int i = 0; i < 2; ++i) {
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned length = 0;
        EVP_DigestFinal_ex(contexts[i], digest, &length);
        EVP_MD_CTX_free(contexts[i]);
        sums[i] = hex(digest, length);
    }
    if (in.bad()) {
        throw Error(ExitCode::no_input, "'" + printable(path.string()) + "': cannot be read");
    }
    return {sums[0], sums[1]};
}

std::string mime_type(const std::string& extension) {
    static const std::map<std::string, std::string> types{{".hdf", "application/x-hdf"},
                                                          {".h5", "application/x-hdf5"},
                                                          {".json", "application/json"},
                                                          {".png", "image/png"},
                                                          {".html", "text/html"},
                                                          {".csv", "text/csv"},
                                                          {".log", "text/x-log"},
                                                          {".txt", "text/plain"}};
    const auto found = types.find(extension);
    return found == types.end() ? "application/octet-stream" : found->second;
}

/// Regular files below a directory, no links, no hidden ones; by name.
std::vector<fs::path> files_below(const fs::path& directory) {
    constexpr std::size_t most = 10'000;
    std::vector<fs::path> files;
    fs::recursive_directory_iterator it(directory), end;
    for (; it != end; ++it) {
        const std::string name = it->path().filename().string();
        if (name.starts_with(".") || it->is_symlink()) {
            if (it->is_directory() && !it->is_symlink()) {
                it.disable_recursion_pending();
            }
            continue;
        }
        if (it->is_regular_file()) {
            files.push_back(it->path());
        }
        if (files.size() > most) {
            throw Error(ExitCode::data,
                        "'" + printable(directory.string()) + "': more than " +
                            std::to_string(most) + " files; no data set of one run");
        }
    }
    std::sort(files.begin(), files.end());
    return files;
}

bool is_result(const fs::path& path) {
    const std::string name = path.filename().string();
    return name.ends_with("_results.hdf") || name.ends_with("_results.h5");
}

json project_of(const std::vector<fs::path>& files, const std::string& directory) {
    for (const fs::path& path : files) {
        if (path.filename() == "metadata.json" && fs::file_size(path) < 10'000'000) {
            std::ifstream in(path, std::ios::binary);
            const std::string text{std::istreambuf_iterator<char>(in), {}};
            if (json_is_deeper_than(text)) continue;
            json parsed = json::parse(text, nullptr, false);
            if (parsed.is_object()) {
                return parsed;
            }
        }
    }
    const auto result = std::find_if(files.begin(), files.end(), is_result);
    if (result == files.end()) {
        throw Error(ExitCode::data,
                    "'" + printable(directory) + "': neither metadata.json nor *_results.hdf");
    }
    return metadata_json(gather(result->string(), false, 0), utc_now(), 0);
}

}  // namespace

json document_of(const std::string& directory, const DirectoryOptions& options) {
    if (!fs::is_directory(directory)) {
        throw Error(ExitCode::no_input, "'" + printable(directory) + "': no such directory");
    }
    const fs::path base = fs::canonical(directory);
    const std::string subject =
        options.subject.empty() ? "file://" + base.string() : options.subject;
    const std::vector<fs::path> files = files_below(base);
    json project = project_of(files, directory);
    for (const auto& [name, value] : {std::pair{"experiment", options.experiment},
                                      {"cycle", options.cycle},
                                      {"organization", options.organisation}}) {
        if (!value.empty()) {
            project[name] = value;
        }
    }
    json list = json::array(), formats = json::array();
    for (const fs::path& path : files) {
        const auto [sha256, sha512] = checksums(path);
        const std::string type = mime_type(path.extension().string());
        list.push_back({{"filename", path.filename().string()},
                        {"length", fs::file_size(path)},
                        {"mime_type", type},
                        {"sha256", sha256},
                        {"sha512", sha512},
                        {"url", subject + "/" + fs::relative(path, base).generic_string()}});
        if (std::find(formats.begin(), formats.end(), json(type)) == formats.end()) {
            formats.push_back(type);
        }
    }
    const auto result = std::find_if(files.begin(), files.end(), is_result);
    const std::string title =
        result == files.end() ? base.filename().string() : dataset_name(result->string());
    const std::string made = text_of(member(project, "plot_time"));
    const std::string date = made.empty() ? utc_now() : made;
    const std::string creator = text_of(member(member(project, "/entry/user"), "name"));
    json dc{{"identifiers", {{{"identifierType", "GlobusSearchSubject"}, {"identifier", subject}}}},
            {"creators", {{{"name", creator}, {"creatorName", creator}}}},
            {"dates", {{{"date", date}, {"dateType", "Created"}}}},
            {"formats", formats},
            {"publicationYear", date.substr(0, 4)},
            {"publisher", text_of(member(project, "organization"))},
            {"types", {{"resourceType", "Dataset"}, {"resourceTypeGeneral", "Dataset"}}},
            {"subjects", json::array()},
            {"titles", {{{"title", title}}}},
            {"version", "1"},
            {"schemaVersion", "http://datacite.org/schema/kernel-4"}};
    return {{"subject", subject},
            {"visible_to", options.visible_to},
            {"id", "metadata"},
            {"content", {{"dc", dc}, {"files", list}, {"project_metadata", project}}}};
}

}  // namespace xpcs::portal
