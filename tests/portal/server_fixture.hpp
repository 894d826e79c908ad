// SPDX-License-Identifier: BSD-3-Clause
// A portal that serves, for the tests that talk to it.
#pragma once

#include "host/result_file.hpp"
#include "portal/catalogue.hpp"
#include "portal/server.hpp"
#include "portal/users.hpp"
#include "tests/host/result_fixture.hpp"

#include <gtest/gtest.h>
#include <httplib.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <stdexcept>
#include <thread>

namespace xpcs::portal::testing {

namespace fs = std::filesystem;

constexpr const char* password = "correct horse";

/// One run with a result, one that only the group sees, users, and the server on a free port.
class ServerTest : public ::testing::Test {
  protected:
    void SetUp() override {
        root_ = dir_.file("root");
        fs::create_directories(root_ + "/run");
        std::ofstream(dir_.file("secret")) << "secret";
        fs::rename(made_result(), root_ + "/run/run_results.hdf");
        std::ofstream(root_ + "/run/summary.html") << "<p>report</p>";
        std::ofstream(root_ + "/run/scattering_pattern_log.png") << "\x89PNG";
        DirectoryOptions options;
        options.experiment = "exp";
        json open = document_of(root_ + "/run", options);
        json closed = open;
        closed["subject"] = "globus://c/closed";
        closed["visible_to"] = {"urn:globus:groups:id:7"};
        closed["content"]["dc"]["titles"][0]["title"] = "closed run";
        json again = open;
        again["subject"] = "globus://c/again";
        again["content"]["project_metadata"]["reprocessing"] = {{"of", open["subject"]}};
        Catalogue catalogue(dir_.file("c.db"), true);
        catalogue.ingest_all({open, closed, again});
        write_user(dir_.file("users"),
                   {"vera", Role::viewer, hash_password(password), {"urn:globus:groups:id:7"}});
        write_user(dir_.file("users"), {"otto", Role::operator_, hash_password(password), {}});
        start();
    }
    void TearDown() override { stop(); }

    void start(double patience_s = 20) {
        ServeOptions options;
        options.catalogue = dir_.file("c.db");
        options.root = root_;
        options.port = 0;
        options.auth = dir_.file("users");
        options.jobgen = "/bin/false";
        options.patience_s = patience_s;
        server_ = std::make_unique<Server>(options);
        port_ = server_->bind();
        serving_ = std::thread([this] { server_->run(); });
        client_ = std::make_unique<httplib::Client>("127.0.0.1", port_);
        client_->set_read_timeout(60);  // hashing a password may take seconds on a busy machine
        for (int i = 0; i < 100 && !client_->Get("/favicon.ico"); ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    }
    void stop() {
        server_->stop();
        serving_.join();
    }

    std::string made_result() {
        const RunResult made = xpcs::testing::made_up_result(made_in_);
        ResultFile file(made.config, "run", made.metadata.file);
        file.write(made);
        return file.commit();
    }
    /// A result that is there: a test that goes on without one would crash.
    static httplib::Result answered(httplib::Result result) {
        if (!result) throw std::runtime_error("no answer: " + httplib::to_string(result.error()));
        return result;
    }
    httplib::Result get(const std::string& path, const std::string& cookie = "") {
        httplib::Headers headers;
        if (!cookie.empty()) {
            headers.emplace("Cookie", cookie);
        }
        return answered(client_->Get(path, headers));
    }
    httplib::Result
    post(const std::string& path, const httplib::Params& params, const std::string& cookie) {
        return answered(client_->Post(path, {{"Cookie", cookie}}, params));
    }
    /// "xpcs_session=TOKEN" of somebody who has signed in.
    std::string sign_in(const std::string& name) {
        const auto answer = post("/login", {{"name", name}, {"password", password}}, "");
        EXPECT_EQ(answer->status, 303);
        set_cookie_ = answer->get_header_value("Set-Cookie");
        return set_cookie_.substr(0, set_cookie_.find(';'));
    }
    /// Token of the forms on a page.
    static std::string csrf_of(const std::string& page) {
        std::smatch found;
        const std::regex field("name=\"csrf\" value=\"([0-9a-f]{64})\"");
        return std::regex_search(page, found, field) ? found[1].str() : "";
    }

    const xpcs::testing::TempDir dir_, made_in_;
    std::string root_, set_cookie_;
    int port_ = 0;
    std::unique_ptr<Server> server_;
    std::thread serving_;
    std::unique_ptr<httplib::Client> client_;
};

}  // namespace xpcs::portal::testing
