// SPDX-License-Identifier: BSD-3-Clause
// The portal over HTTP: what it answers, to whom, and what it refuses.
#include "portal/assets.hpp"
#include "portal/report_json.hpp"
#include "tests/portal/server_fixture.hpp"

#include <gmock/gmock.h>

namespace {

using namespace xpcs;
using namespace xpcs::portal;
using namespace xpcs::portal::testing;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(ServerTest, EveryDescribedPathAnswersAsDescribed) {
    const std::string text(assets::openapi());
    const json description = json::parse(text);
    EXPECT_EQ(get("/api/openapi.json")->body, text);
    for (const auto& [path, methods] : description["paths"].items()) {
        EXPECT_EQ(methods.size(), 1U) << path << ": the interface only reads";
        if (path == "/api/events") {
            continue;  // a stream, below
        }
        const std::string place = std::regex_replace(path, std::regex("\\{id\\}"), "1");
        const std::string cookie = path.starts_with("/api/jobs") ? sign_in("otto") : "";
        const auto answer = get(place, cookie);
        ASSERT_TRUE(answer) << place;
        const std::string status = std::to_string(answer->status);
        ASSERT_TRUE(methods["get"]["responses"].contains(status)) << place << ": " << status;
        EXPECT_EQ(answer->get_header_value("Content-Type"), "application/json") << place;
        const json body = json::parse(answer->body);
        json schema = methods["get"]["responses"][status];
        const auto resolve = [&](json node) {
            return node.contains("$ref") ? description.at(json::json_pointer(
                                               node["$ref"].get<std::string>().substr(1)))
                                         : node;
        };
        schema = resolve(resolve(schema)["content"]["application/json"]["schema"]);
        for (const json& name : schema.value("required", json::array())) {
            EXPECT_TRUE(body.contains(name.get<std::string>())) << place << ": " << name;
        }
    }
}

TEST_F(ServerTest, EveryRouteUnderApiIsDescribed) {
    const json paths = json::parse(std::string(assets::openapi()))["paths"];
    std::size_t routes = 0;
    std::ifstream source(std::string(XPCS_SOURCE_DIR) + "/portal/server_api.cpp");
    const std::string text{std::istreambuf_iterator<char>(source), {}};
    const std::regex route("http\\.(\\w+)\\(\\s*(?:R\"\\(|\")(/api/[a-z.]+)(/?)");
    for (std::sregex_iterator it(text.begin(), text.end(), route), end; it != end; ++it, ++routes) {
        EXPECT_EQ((*it)[1], "Get");
        const std::string path = (*it)[2].str() + ((*it)[3].str().empty() ? "" : "/{id}");
        EXPECT_TRUE(paths.contains(path)) << path;
    }
    EXPECT_EQ(routes, paths.size());
    const json search = paths["/api/search"]["get"]["parameters"];
    for (const char* facet : facet_names) {
        const json wanted{{"$ref", std::string("#/components/parameters/") + facet}};
        EXPECT_THAT(search, ::testing::Contains(wanted)) << facet;
    }
}

TEST_F(ServerTest, SearchGivesRunsAndFacets) {
    const json all = json::parse(get("/api/search")->body);
    EXPECT_EQ(all["total"], 2);
    EXPECT_EQ(all["facets"]["experiment"][0], json::parse(R"(["exp", 2])"));
    EXPECT_EQ(json::parse(get("/api/search?experiment=other")->body)["total"], 0);
    EXPECT_EQ(json::parse(get("/api/search?q=latex&limit=1")->body)["hits"].size(), 1U);
    const json curves = json::parse(get("/api/curves/1")->body);
    EXPECT_EQ(curves["bins"].size(), 3U);
    EXPECT_EQ(curves["time_unit"], "s");
    const json relatives = json::parse(get("/api/versions/1")->body);
    EXPECT_EQ(relatives["versions"].size(), 1U);
    EXPECT_EQ(relatives["reprocessed"][0]["subject"], "globus://c/again");
    EXPECT_THAT(get("/run/1")->body, HasSubstr("Reprocessed as"));
    EXPECT_THAT(get("/run/3")->body, HasSubstr("Reprocessed from"));
}

TEST_F(ServerTest, RecordsAreForThoseInVisibleTo) {
    EXPECT_EQ(get("/run/2")->status, 404);
    EXPECT_EQ(get("/api/record/2")->status, 404);
    EXPECT_EQ(get("/api/versions/2")->status, 404);
    EXPECT_EQ(get("/files/2/run_results.hdf")->status, 404);
    EXPECT_EQ(get("/compare?run=2")->status, 404);
    EXPECT_THAT(get("/")->body, Not(HasSubstr("closed run")));
    const std::string vera = sign_in("vera");
    EXPECT_EQ(get("/run/2", vera)->status, 200);
    EXPECT_THAT(get("/", vera)->body, HasSubstr("closed run"));
    const std::string otto = sign_in("otto");  // an operator, but not in the group
    EXPECT_EQ(get("/run/2", otto)->status, 404);
    EXPECT_EQ(get("/reprocess?run=2", otto)->status, 404);
}

TEST_F(ServerTest, AnswersCarryPoliciesAndCookiesAreClosed) {
    const auto page = get("/");
    const std::string policy = page->get_header_value("Content-Security-Policy");
    EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
    EXPECT_THAT(policy, HasSubstr("frame-ancestors 'none'"));
    EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
    EXPECT_EQ(page->get_header_value("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(page->get_header_value("Cache-Control"), "no-store");
    const auto report = get("/report/1");
    EXPECT_EQ(report->status, 200);
    EXPECT_THAT(report->get_header_value("Content-Security-Policy"),
                ::testing::StartsWith("sandbox allow-scripts;"));
    EXPECT_THAT(get("/files/1/summary.html")->get_header_value("Content-Disposition"),
                HasSubstr("attachment"));
    sign_in("vera");
    EXPECT_THAT(set_cookie_, HasSubstr("HttpOnly"));
    EXPECT_THAT(set_cookie_, HasSubstr("SameSite=Strict"));
    EXPECT_THAT(set_cookie_, Not(HasSubstr("Secure")));
    const auto behind_tls =
        client_->Post("/login",
                      {{"X-Forwarded-Proto", "https"}},
                      httplib::Params{{"name", "vera"}, {"password", password}});
    EXPECT_THAT(behind_tls->get_header_value("Set-Cookie"), HasSubstr("; Secure"));
}

TEST_F(ServerTest, ARangeIsAPartOfTheFileOrNone) {
    const std::string whole_file = get("/report/1")->body;  // <p>report</p>
    const auto part = [this](const char* range, bool condition = false) {
        httplib::Headers headers{{"Range", range}};
        if (condition) {
            headers.emplace("If-Range", "\"x\"");
        }
        return answered(client_->Get("/report/1", headers));
    };
    EXPECT_EQ(part("bytes=3-8")->status, 206);
    EXPECT_EQ(part("bytes=3-8")->body, "report");
    EXPECT_EQ(part("bytes=3-8")->get_header_value("Content-Range"), "bytes 3-8/13");
    EXPECT_EQ(part("bytes=9-")->body, "</p>");
    EXPECT_EQ(part("bytes=-4")->body, "</p>");
    EXPECT_EQ(part("bytes=-99")->body, whole_file);
    EXPECT_EQ(part("bytes=9-9223372036854775807")->body, "</p>");
    // What a client asks that has the whole file already.
    EXPECT_EQ(part("bytes=13-")->status, 416);
    EXPECT_EQ(part("bytes=999-")->get_header_value("Content-Range"), "bytes */13");
    EXPECT_EQ(part("bytes=-0")->status, 416);
    // Several, or on a condition: the whole file, once.
    EXPECT_EQ(part("bytes=0-,0-,0-")->status, 200);
    EXPECT_EQ(part("bytes=0-,0-,0-")->body, whole_file);
    EXPECT_EQ(part("bytes=3-8", true)->body, whole_file);
    EXPECT_EQ(answered(client_->Get("/", {{"Range", "bytes=99999999-"}}))->status, 200);
}

TEST_F(ServerTest, PagesSayWhatTheyLeaveOut) {
    json document = document_of(root_ + "/run", {});
    document["content"]["files"] = json::array();
    std::vector<json> many;
    for (int i = 0; i < 1001; ++i) {
        document["subject"] = "globus://c/many" + std::to_string(i);
        document["content"]["dc"]["titles"][0]["title"] = "many " + std::to_string(i);
        document["content"]["project_metadata"] = {
            {"experiment", "long"}, {"start_time", "2025-01-01T" + std::to_string(100'000 + i)}};
        many.push_back(document);
    }
    Catalogue(dir_.file("c.db"), false).ingest_all(many);
    const std::string trends = get("/experiment?name=long")->body;
    EXPECT_THAT(trends, HasSubstr("The last 1000 of 1001 runs."));
    EXPECT_THAT(trends, HasSubstr("many 1000<"));
    EXPECT_THAT(trends, Not(HasSubstr("many 0<")));
    EXPECT_LT(trends.find("many 1<"), trends.find("many 1000<"));
    EXPECT_THAT(get("/experiment?name=exp")->body, Not(HasSubstr("The last")));
    EXPECT_THAT(get("/?experiment=long&limit=5")->body, HasSubstr("limit=5&amp;offset=5"));
    EXPECT_THAT(get("/compare?run=1&run=3&run=4&run=5&run=6&run=7&run=8&run=9&run=10")->body,
                HasSubstr("9 were chosen; at most 8"));
    EXPECT_THAT(get("/compare?run=1")->body, Not(HasSubstr("were chosen")));
}

TEST_F(ServerTest, NoFileOutsideTheRecordAndTheRoot) {
    EXPECT_EQ(get("/files/1/run_results.hdf")->status, 200);
    for (const char* path : {"/files/1/../../secret",
                             "/files/1/%2e%2e/%2e%2e/secret",
                             "/files/1/..%2f..%2fsecret",
                             "/files/1//etc/passwd",
                             "/files/1/%00",
                             "/files/9/run_results.hdf",
                             "/files/-1/run_results.hdf",
                             "/report/99999999999999999999",
                             "/assets/../users"}) {
        const auto answer = get(path);
        ASSERT_TRUE(answer) << path;
        EXPECT_EQ(answer->status, 404) << path;
        EXPECT_THAT(answer->body, Not(HasSubstr("secret"))) << path;
    }
}

TEST_F(ServerTest, OnlyOperatorsWithTheirTokenWrite) {
    const httplib::Params job{{"run", "1"}, {"suffix", "x"}};
    EXPECT_EQ(post("/reprocess/submit", job, "")->status, 403);
    const std::string vera = sign_in("vera");
    httplib::Params with_token = job;
    with_token.emplace("csrf", csrf_of(get("/", vera)->body));
    EXPECT_EQ(post("/reprocess/submit", with_token, vera)->status, 403) << "a viewer";
    EXPECT_EQ(get("/reprocess?run=1", vera)->status, 403);
    EXPECT_EQ(get("/jobs", vera)->status, 403);
    EXPECT_EQ(get("/api/jobs/1", vera)->status, 403);
    const std::string otto = sign_in("otto");
    EXPECT_EQ(post("/reprocess/submit", job, otto)->status, 403) << "no token";
    EXPECT_EQ(post("/reprocess/submit", with_token, otto)->status, 403) << "another's token";
    const std::string form = get("/reprocess?run=1", otto)->body;
    httplib::Params good = job;
    good.emplace("csrf", csrf_of(form));
    const auto refused = post("/reprocess/submit", good, otto);
    EXPECT_EQ(refused->status, 200);
    EXPECT_THAT(refused->body, HasSubstr("no such file below the portal"));
    EXPECT_EQ(post("/logout", {{"csrf", csrf_of(form)}}, otto)->status, 303);
    EXPECT_EQ(get("/jobs", otto)->status, 403) << "signed out";
}

TEST_F(ServerTest, GuessingPasswordsIsStopped) {
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(post("/login", {{"name", "vera"}, {"password", "guess"}}, "")->status, 401);
    }
    EXPECT_EQ(post("/login", {{"name", "vera"}, {"password", password}}, "")->status, 401);
    EXPECT_EQ(get("/jobs", "xpcs_session=0000")->status, 403);
}

TEST_F(ServerTest, LimitsOfARequest) {
    EXPECT_EQ(get("/?q=" + std::string(7900, 'x'))->status, 200);
    EXPECT_NE(get("/?q=" + std::string(8100, 'x'))->status, 200);
    const auto big = client_->Post("/login", std::string(1'100'000, 'x'), "text/plain");
    EXPECT_TRUE(!big || big->status == 413) << big->status;
    EXPECT_EQ(client_->Get("/", {{"Host", "evil.example"}})->status, 400);
    EXPECT_EQ(json::parse(get("/api/search?limit=100000&offset=-5&sort=;drop")->body)["total"], 2);
    EXPECT_EQ(get("/nothing")->status, 404);
}

TEST_F(ServerTest, TheStreamTellsOfANewResult) {
    std::string heard;
    std::thread later([this] {
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        Catalogue catalogue(dir_.file("c.db"));
        json document = catalogue.get(1, {{}, true, true})->document;
        document["subject"] = "globus://c/new";
        catalogue.ingest(document);
    });
    client_->Get("/api/events", [&](const char* data, std::size_t n) {
        heard.append(data, n);
        return heard.find("event: change", 5) == std::string::npos;  // until the second
    });
    later.join();
    EXPECT_THAT(heard, ::testing::StartsWith("event: change\ndata: 3\n\n"));
    EXPECT_THAT(heard, HasSubstr("data: 4\n"));
    EXPECT_EQ(json::parse(get("/api/search")->body)["total"], 3);
}

}  // namespace
