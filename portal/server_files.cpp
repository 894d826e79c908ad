// SPDX-License-Identifier: BSD-3-Clause
// Style and scripts of the program, and files of the records below the root.
#include "portal/assets.hpp"
#include "portal/server_state.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

namespace xpcs::portal {

namespace {

namespace fs = std::filesystem;

/// A report carries its own scripts; without an origin these reach nothing of the portal.
constexpr const char* report_policy =
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src "
    "'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors "
    "'self'";
constexpr const char* file_policy = "sandbox; default-src 'none'; frame-ancestors 'none'";

struct Part {
    std::size_t begin = 0, end = 0;
};

/// The one range that a request asks for: nothing if the whole file is to be sent, an empty one if
/// it lies beyond the end. Several ranges, and those on a condition, are answered with the whole
/// file.
std::optional<Part> part_of(const Request& request, std::size_t bytes) {
    const std::string text = request.get_header_value("Range");
    const std::size_t dash = text.find('-');
    if (!text.starts_with("bytes=") || dash == text.npos || request.has_header("If-Range")) {
        return std::nullopt;
    }
    const std::string first = text.substr(6, dash - 6), last = text.substr(dash + 1);
    const std::int64_t from = whole(first), to = whole(last);
    if ((from < 0 && !first.empty()) || (to < 0 && !last.empty()) || (from < 0 && to < 0)) {
        return std::nullopt;
    }
    if (first.empty()) {
        return Part{bytes - std::min(bytes, static_cast<std::size_t>(to)), bytes};
    }
    const auto begin = std::min(bytes, static_cast<std::size_t>(from));
    const auto end = last.empty() ? bytes : std::min(bytes, static_cast<std::size_t>(to) + 1);
    return Part{begin, std::max(begin, end)};
}

}  // namespace

std::string named_file(const Stored& record, const std::string& ending) {
    for (const RecordFile& file : files_of(record)) {
        if (file.relative.ends_with(ending)) {
            return file.relative;
        }
    }
    return "";
}

bool Server::State::send_file(const Request& request,
                              Response& response,
                              const std::string& path,
                              const std::string& type) {
    std::error_code error;
    const auto bytes = fs::file_size(path, error);
    auto in = std::make_shared<std::ifstream>(path, std::ios::binary);
    if (error || !*in) {
        return false;
    }
    Part part{0, bytes};
    response.set_header("Accept-Ranges", "bytes");
    if (const auto asked = part_of(request, bytes)) {
        part = *asked;
        if (part.begin == part.end) {
            response.status = 416;
            response.set_header("Content-Range", "bytes */" + std::to_string(bytes));
            return true;
        }
        response.status = 206;
        response.set_header("Content-Range",
                            "bytes " + std::to_string(part.begin) + "-" +
                                std::to_string(part.end - 1) + "/" + std::to_string(bytes));
    }
    response.set_content_provider(
        part.end - part.begin,
        type.c_str(),
        [in, part](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
            std::vector<char> buffer(std::min<std::size_t>(length, 1 << 18));
            in->seekg(static_cast<std::streamoff>(part.begin + offset));
            in->read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
            return in->gcount() > 0 &&
                   sink.write(buffer.data(), static_cast<std::size_t>(in->gcount()));
        });
    return true;
}

void Server::State::file_routes() {
    const auto asset = [this](const char* path, std::string_view text, const char* type) {
        http.Get(path, [text, type](const Request&, Response& response) {
            response.set_header("Cache-Control", "max-age=3600");
            response.set_content(text.data(), text.size(), type);
        });
    };
    asset("/assets/d3.js", assets::d3(), "text/javascript; charset=utf-8");
    asset("/assets/chart.js", assets::chart_script(), "text/javascript; charset=utf-8");
    asset("/assets/portal.js", assets::portal_script(), "text/javascript; charset=utf-8");
    asset("/assets/style.css", assets::style(), "text/css; charset=utf-8");
    asset("/assets/portal.css", assets::portal_style(), "text/css; charset=utf-8");
    http.Get("/favicon.ico", [](const Request&, Response& response) { response.status = 204; });

    http.Get(R"(/preview/(\d{1,15}))", [this](const Request& request, Response& response) {
        const auto record = record_of(request);
        const auto path =
            record ? root.file_of(*record, named_file(*record, "scattering_pattern_log.png"))
                   : std::nullopt;
        response.set_header("Cache-Control", "private, max-age=300");
        response.set_header("Content-Security-Policy", file_policy);
        if (!path || !send_file(request, response, *path, "image/png")) {
            response.set_content("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 4 3\"/>",
                                 "image/svg+xml");
        }
    });
    http.Get(R"(/report/(\d{1,15}))", [this](const Request& request, Response& response) {
        const auto record = record_of(request);
        const auto path =
            record ? root.file_of(*record, named_file(*record, "summary.html")) : std::nullopt;
        if (!path) {
            return not_found(request, response);
        }
        response.set_header("Content-Security-Policy", report_policy);
        send_file(request, response, *path, "text/html; charset=utf-8");
    });
    http.Get(R"(/files/(\d{1,15})/(.+))", [this](const Request& request, Response& response) {
        const auto record = record_of(request);
        const auto path = record ? root.file_of(*record, request.matches[2]) : std::nullopt;
        if (!path) {
            return not_found(request, response);
        }
        response.set_header("Content-Security-Policy", file_policy);
        const bool png = path->ends_with(".png");
        if (!png) {
            response.set_header("Content-Disposition", "attachment");
        }
        send_file(request, response, *path, png ? "image/png" : "application/octet-stream");
    });
}

}  // namespace xpcs::portal
