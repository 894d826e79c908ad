// SPDX-License-Identifier: BSD-3-Clause
#include "jobgen/flow/gather.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"
#include "jobgen/flow/paths.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

namespace xpcs::jobgen::flow {

namespace fs = std::filesystem;

namespace {

class Digest {
  public:
    explicit Digest(const EVP_MD* kind) : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
        check(context_ && EVP_DigestInit_ex(context_.get(), kind, nullptr) == 1);
    }
    void add(const char* bytes, std::size_t n) {
        check(EVP_DigestUpdate(context_.get(), bytes, n) == 1);
    }
    std::string hex() {
        std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
        unsigned n = 0;
        check(EVP_DigestFinal_ex(context_.get(), bytes.data(), &n) == 1);
        static const char digits[] = "0123456789abcdef";
        std::string out;
        for (unsigned i = 0; i < n; ++i) {
            out += digits[bytes[i] >> 4];
            out += digits[bytes[i] & 15];
        }
        return out;
    }

  private:
    static void check(bool good) {
        if (!good) {
            throw Error(ExitCode::internal, "checksums cannot be computed");
        }
    }
    std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

struct FileFacts {
    std::string sha256, sha512;
    std::uintmax_t length = 0;
};

FileFacts facts_of(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        throw Error(ExitCode::no_input, printable(path.string()) + ": cannot be read");
    }
    Digest short_one(EVP_sha256()), long_one(EVP_sha512());
    std::vector<char> buffer(1U << 20);
    FileFacts facts;
    while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || in.gcount() > 0) {
        const auto n = static_cast<std::size_t>(in.gcount());
        short_one.add(buffer.data(), n);
        long_one.add(buffer.data(), n);
        facts.length += n;
    }
    if (in.bad()) {
        throw Error(ExitCode::io, printable(path.string()) + ": reading failed");
    }
    facts.sha256 = short_one.hex();
    facts.sha512 = long_one.hex();
    return facts;
}

bool is_text(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::string head(1024, '\0');
    in.read(head.data(), static_cast<std::streamsize>(head.size()));
    head.resize(static_cast<std::size_t>(in.gcount()));
    if (head.find('\0') != std::string::npos) {
        return false;
    }
    for (int cut = 0; cut < 4 && cut <= static_cast<int>(head.size()); ++cut) {
        // The last character may be cut in two.
        if (parse_json(dump(Json(head.substr(0, head.size() - cut)), -1), "text") ==
            Json(head.substr(0, head.size() - cut))) {
            return true;
        }
    }
    return false;
}

std::vector<fs::path> files_below(const std::string& directory) {
    std::vector<fs::path> files;
    std::error_code error;
    for (auto it = fs::recursive_directory_iterator(directory, error);
         !error && it != fs::recursive_directory_iterator();
         it.increment(error)) {
        if (it->is_regular_file()) {
            files.push_back(it->path());
        }
    }
    if (error) {
        throw Error(ExitCode::no_input, printable(directory) + ": " + error.message());
    }
    std::sort(files.begin(), files.end());
    return files;
}

/// Not a number and infinity are not allowed in the index; they become null and are left out.
Json without_nulls(const Json& json) {
    if (json.is_object()) {
        Json out = Json::object();
        for (const auto& [key, value] : json.items()) {
            if (!value.is_null() &&
                !(value.is_number_float() && !std::isfinite(value.get<double>()))) {
                out[key] = without_nulls(value);
            }
        }
        return out;
    }
    if (json.is_array()) {
        Json out = Json::array();
        for (const auto& value : json) {
            if (!value.is_null()) {
                out.push_back(without_nulls(value));
            }
        }
        return out;
    }
    return json;
}

Json file_list(const Json& request, const std::string& target, std::set<std::string>& formats) {
    const std::string dataset = text_at(request, "dataset");
    const std::string collection = text_at(request, "destination_collection");
    const std::string host = text_at(request, "https_host");
    Json files = Json::array();
    for (const auto& path : files_below(dataset)) {
        const FileFacts facts = facts_of(path);
        const std::string below = target + "/" + fs::relative(path, dataset).generic_string();
        Json entry{{"sha256", facts.sha256},
                   {"sha512", facts.sha512},
                   {"filename", path.filename().string()},
                   {"url", "globus://" + collection + below},
                   {"mime_type", mime_type(path.string())}};
        if (!host.empty()) {
            entry["https_url"] = host + below;
        }
        entry["length"] = facts.length;
        formats.insert(text_at(entry, "mime_type"));
        files.push_back(entry);
    }
    if (files.empty()) {
        throw Error(ExitCode::no_input, "data set " + printable(dataset) + " holds no files");
    }
    return files;
}

Json datacite(const std::string& subject,
              const std::string& title,
              const std::set<std::string>& formats,
              const std::string& now) {
    return {{"identifiers",
             Json::array({{{"identifierType", "GlobusSearchSubject"}, {"identifier", subject}}})},
            // creatorName is what the portals read, name what the records had.
            {"creators", Json::array({{{"name", ""}, {"creatorName", "8-ID"}}})},
            {"dates", Json::array({{{"date", now}, {"dateType", "Created"}}})},
            {"formats", formats},
            {"publicationYear", now.substr(0, 4)},
            {"publisher", ""},
            {"types", {{"resourceType", "Dataset"}, {"resourceTypeGeneral", "Dataset"}}},
            {"subjects", Json::array()},
            {"titles", Json::array({{{"title", title}}})},
            {"version", "1"},
            {"schemaVersion", "http://datacite.org/schema/kernel-4"}};
}

}  // namespace

std::string mime_type(const std::string& path) {
    static const std::map<std::string, std::string> types{{".hdf", "application/x-hdf"},
                                                          {".h5", "application/x-hdf5"},
                                                          {".hdf5", "application/x-hdf5"},
                                                          {".json", "application/json"},
                                                          {".png", "image/png"},
                                                          {".jpg", "image/jpeg"},
                                                          {".svg", "image/svg+xml"},
                                                          {".html", "text/html"},
                                                          {".css", "text/css"},
                                                          {".js", "text/javascript"},
                                                          {".txt", "text/plain"},
                                                          {".csv", "text/csv"},
                                                          {".xml", "text/xml"}};
    const auto found = types.find(fs::path(path).extension().string());
    if (found != types.end()) {
        return found->second;
    }
    return is_text(path) ? "text/plain" : "application/octet-stream";
}

std::string utc_now() {
    const auto now = std::chrono::system_clock::now();
    const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
    const long micro = static_cast<long>(
        std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count() %
        1'000'000);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    char text[64];
    std::snprintf(text,
                  sizeof text,
                  "%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ",
                  utc.tm_year + 1900,
                  utc.tm_mon + 1,
                  utc.tm_mday,
                  utc.tm_hour,
                  utc.tm_min,
                  utc.tm_sec,
                  micro);
    return text;
}

Json gather(const Json& request, const std::string& now) {
    const std::string dataset = text_at(request, "dataset");
    const std::string name = dataset.substr(dataset.rfind('/') + 1);
    const std::string target = text_at(request, "destination") + "/" + name;
    const std::string collection = text_at(request, "destination_collection");
    const std::string subject = "globus://" + collection + target;
    if (name.empty() || !fs::is_directory(dataset)) {
        throw Error(ExitCode::no_input, "data set '" + printable(dataset) + "' is no directory");
    }
    Collection source;
    source.key = "source_collection";
    source.path = text_at(request, "source_collection_basepath");
    const std::string source_path = to_collection(source, dataset);

    std::set<std::string> formats;
    Json content{{"files", file_list(request, target, formats)}};
    const std::string title = text_at(request, "title");
    content["dc"] = datacite(subject, title.empty() ? name : title, formats, now);
    Json project = Json::object();
    const std::string metadata_file = text_at(request, "metadata_file");
    if (!metadata_file.empty() && fs::exists(metadata_file)) {
        const Json metadata = parse_json(read_text(metadata_file), metadata_file);
        if (!metadata.is_object()) {
            throw Error(ExitCode::data, printable(metadata_file) + ": an object expected");
        }
        for (const auto& [key, value] : metadata.items()) {
            content[key] = value;
        }
        project = metadata.value("project_metadata", Json::object());
    }
    if (request.contains("project_metadata")) {
        for (const auto& [key, value] : request["project_metadata"].items()) {
            project[key] = value;
        }
    }
    content["project_metadata"] = project;
    return {{"search",
             {{"id", "metadata"},
              {"content", without_nulls(content)},
              {"subject", subject},
              {"visible_to", request.value("visible_to", Json::array())},
              {"search_index", text_at(request, "index")}}},
            {"transfer",
             {{"source_endpoint", text_at(request, "source_collection")},
              {"destination_endpoint", collection},
              {"DATA",
               Json::array({{{"source_path", source_path},
                             {"destination_path", target},
                             {"recursive", true}}})}}}};
}

}  // namespace xpcs::jobgen::flow
