// SPDX-License-Identifier: BSD-3-Clause
// Style and scripts of the program, and files of the records below the root.
#include "portal/assets.hpp"
#include "portal/server_state.hpp"

#include <filesystem>
#include <fstream>

namespace xpcs::portal {

namespace {

namespace fs = std::filesystem;

/// A report carries its own scripts; without an origin these reach nothing of the portal.
constexpr const char* report_policy =
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src "
    "'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors "
    "'self'";
constexpr const char* file_policy = "sandbox; default-src 'none'; frame-ancestors 'none'";

}  // namespace

std::string named_file(const Stored& record, const std::string& ending) {
    for (const RecordFile& file : files_of(record)) {
        if (file.relative.ends_with(ending)) {
            return file.relative;
        }
    }
    return "";
}

bool Server::State::send_file(Response& response,
                              const std::string& path,
                              const std::string& type) {
    std::error_code error;
    const auto bytes = fs::file_size(path, error);
    auto in = std::make_shared<std::ifstream>(path, std::ios::binary);
    if (error || !*in) {
        return false;
    }
    response.set_content_provider(
        bytes, type.c_str(), [in](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
            std::vector<char> buffer(std::min<std::size_t>(length, 1 << 18));
            in->seekg(static_cast<std::streamoff>(offset));
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
        if (!path || !send_file(response, *path, "image/png")) {
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
        send_file(response, *path, "text/html; charset=utf-8");
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
        send_file(response, *path, png ? "image/png" : "application/octet-stream");
    });
}

}  // namespace xpcs::portal
