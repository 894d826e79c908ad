// SPDX-License-Identifier: BSD-3-Clause
#include "portal/catalogue.hpp"

#include "host/errors.hpp"
#include "portal/cmd_catalogue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <barrier>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace {

using namespace xpcs;
using namespace xpcs::portal;

json document(const std::string& name, const std::string& experiment = "demo") {
    return {{"subject", "globus://c/" + name},
            {"visible_to", {"public"}},
            {"id", "metadata"},
            {"content",
             {{"dc", {{"titles", {{{"title", name}}}}}},
              {"project_metadata",
               {{"experiment", experiment}, {"start_time", "2026-01-02T03:04:05"}}}}}};
}

class CatalogueTest : public ::testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/xpcs-catalogue-XXXXXX";
        directory_ = mkdtemp(name);
        path_ = directory_ + "/c.db";
        everybody_.everything = true;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }
    std::string directory_, path_;
    Viewer everybody_;
};

TEST_F(CatalogueTest, IngestIsIdempotentAndKeepsOldVersions) {
    Catalogue catalogue(path_, true);
    EXPECT_EQ(catalogue.ingest(document("a")), Ingested::added);
    EXPECT_EQ(catalogue.ingest(document("a")), Ingested::unchanged);
    EXPECT_EQ(catalogue.ingest(document("a", "other")), Ingested::new_version);
    const auto versions = catalogue.versions("globus://c/a", everybody_);
    ASSERT_EQ(versions.size(), 2U);
    EXPECT_EQ(versions[0].version, 2);
    EXPECT_EQ(versions[0].facets[facet_experiment], "other");
    EXPECT_EQ(catalogue.get(versions[1].id, everybody_)->document, document("a"));
    EXPECT_EQ(catalogue.search({}, everybody_).total, 1);
    EXPECT_TRUE(catalogue.remove("globus://c/a"));
    EXPECT_FALSE(catalogue.remove("globus://c/a"));
    EXPECT_EQ(catalogue.search({}, everybody_).total, 0);
}

TEST_F(CatalogueTest, TheLastMeasurementComesFirstWhateverItsOffsetFromUtc) {
    Catalogue catalogue(path_, true);
    const std::pair<const char*, const char*> runs[] = {{"third", "2026-11-01T01:30:00-06:00"},
                                                        {"last", "2026-11-01T07:31:00Z"},
                                                        {"first", "2026-11-01T01:40:00-05:00"},
                                                        {"second", "2026-11-01T08:20:00.5+01:00"},
                                                        {"unknown", "now"}};
    for (const auto& [name, start] : runs) {
        json one = document(name);
        one["content"]["project_metadata"]["start_time"] = start;
        catalogue.ingest(one);
    }
    std::vector<std::string> titles;
    for (const Hit& hit : catalogue.search({}, everybody_).hits)
        titles.push_back(hit.title);
    EXPECT_THAT(titles, ::testing::ElementsAre("last", "third", "second", "first", "unknown"));
}

TEST_F(CatalogueTest, FacetCountsHoldForTheOtherChoices) {
    Catalogue catalogue(path_, true);
    for (const char* name : {"a", "b", "c"}) {
        catalogue.ingest(document(name, name[0] == 'c' ? "second" : "first"));
    }
    Query query;
    query.facets[facet_experiment] = {"first"};
    const Answer answer = catalogue.search(query, everybody_);
    EXPECT_EQ(answer.total, 2);
    using Count = std::pair<std::string, std::int64_t>;
    EXPECT_THAT(answer.facets[facet_experiment],
                ::testing::ElementsAre(Count{"first", 2}, Count{"second", 1}));
    EXPECT_THAT(answer.facets[facet_date], ::testing::ElementsAre(Count{"2026-01-02", 2}));
}

TEST_F(CatalogueTest, SearchTextIsNoSyntax) {
    Catalogue catalogue(path_, true);
    catalogue.ingest(document("colloid_17"));
    for (const char* words : {"\"", "a OR b", "NEAR(", "colloid*\" OR text:\"x", "'; DROP TABLE"}) {
        Query query;
        query.words = words;
        EXPECT_EQ(catalogue.search(query, everybody_).total, 0) << words;
    }
    Query query;
    query.words = "COLL";
    EXPECT_EQ(catalogue.search(query, everybody_).total, 1);
}

/// SQLite took the zero for the end of the query, and the query for one without its closing quote.
TEST_F(CatalogueTest, AZeroByteSeparatesWordsOfASearch) {
    Catalogue catalogue(path_, true);
    catalogue.ingest(document("colloid_17"));
    Query query;
    query.words = std::string("coll\0", 5);
    EXPECT_EQ(catalogue.search(query, everybody_).total, 1);
    query.words = std::string("coll\0other", 10);
    EXPECT_EQ(catalogue.search(query, everybody_).total, 0);
    query.words = std::string(1, '\0');
    EXPECT_EQ(catalogue.search(query, everybody_).total, 1);
}

TEST_F(CatalogueTest, ShowsOnlyWhatIsVisible) {
    Catalogue catalogue(path_, true);
    json secret = document("secret");
    secret["visible_to"] = {"urn:globus:groups:id:7\npublic"};
    catalogue.ingest(secret);
    secret["subject"] = "globus://c/members";
    secret["visible_to"] = {"all_authenticated_users"};
    catalogue.ingest(secret);
    Viewer stranger, member;
    member.names = {"urn:globus:groups:id:8"};
    member.authenticated = true;
    EXPECT_EQ(catalogue.search({}, stranger).total, 0);
    EXPECT_EQ(catalogue.search({}, member).total, 1);
    EXPECT_FALSE(catalogue.latest("globus://c/secret", member));
    EXPECT_TRUE(catalogue.versions("globus://c/secret", stranger).empty());
}

TEST_F(CatalogueTest, TakesWhatItWrites) {
    Catalogue catalogue(path_, true), other(directory_ + "/d.db", true);
    catalogue.ingest(document("a"));
    catalogue.ingest(document("b"));
    const std::string text = catalogue.export_all(everybody_).dump();
    EXPECT_EQ(other.ingest_all(documents_in(text, "f"))[Ingested::added], 2);
    EXPECT_EQ(catalogue.ingest_all(documents_in(text, "f"))[Ingested::unchanged], 2);
}

TEST_F(CatalogueTest, OddMetadataAreText) {
    const std::string text = R"({"subject": "s", "visible_to": ["public"], "content":
        {"project_metadata": {"cycle": "<script>", "x": NaN, "y": [-Infinity, "NaN in text"],
         "results": {"contrast": "high"}, "analysis_type": {"a": 1}}, "dc": 7}})";
    const auto documents = documents_in(text, "f");
    ASSERT_EQ(documents.size(), 1U);
    EXPECT_EQ(documents[0]["content"]["project_metadata"]["x"], "NaN");
    EXPECT_EQ(documents[0]["content"]["project_metadata"]["y"][1], "NaN in text");
    const RecordFields fields = fields_of(documents[0]);
    EXPECT_EQ(fields.facets[facet_cycle], "<script>");
    EXPECT_FALSE(fields.contrast);
    EXPECT_EQ(fields.title, "s");
}

TEST_F(CatalogueTest, RefusesWhatIsNoDocument) {
    for (const char* text : {"{}", "[1]", "no json", R"({"subject": 1, "content": {}})"}) {
        EXPECT_THROW(documents_in(text, "f"), Error) << text;
    }
    EXPECT_THROW(Catalogue(directory_ + "/missing.db"), Error);
    std::ofstream(directory_ + "/text.db") << std::string(5000, 'x');
    EXPECT_THROW(Catalogue(directory_ + "/text.db"), Error);
}

TEST_F(CatalogueTest, SeveralWritersLoseNothing) {
    Catalogue first(path_, true);
    std::vector<std::thread> writers;
    for (int w = 0; w < 4; ++w) {
        writers.emplace_back([this, w] {
            Catalogue mine(path_);
            for (int i = 0; i < 10; ++i) {
                mine.ingest(document(std::to_string(w) + "-" + std::to_string(i)));
            }
        });
    }
    for (std::thread& writer : writers) {
        writer.join();
    }
    EXPECT_EQ(first.search({}, everybody_).total, 40);
    EXPECT_EQ(first.change(), 40);
}

TEST_F(CatalogueTest, SeveralMakeItAtTheSameMoment) {
    for (int round = 0; round < 20; ++round) {
        std::barrier together(6);
        std::vector<std::thread> makers;
        for (int k = 0; k < 6; ++k) {
            makers.emplace_back([&] {
                together.arrive_and_wait();
                try {
                    const Catalogue made(directory_ + "/" + std::to_string(round) + ".db", true);
                } catch (const std::exception& error) {
                    ADD_FAILURE() << error.what();
                }
            });
        }
        for (std::thread& maker : makers) {
            maker.join();
        }
    }
}

TEST_F(CatalogueTest, SeveralProcessesWriteAtTheSameTime) {
    const std::string program = std::string(XPCS_BIN_DIR) + "/xpcs-portal";
    if (!std::filesystem::exists(program)) {
        GTEST_SKIP() << "xpcs-portal is not built";
    }
    std::string command;
    for (int w = 0; w < 4; ++w) {
        const std::string lines = directory_ + "/" + std::to_string(w) + ".jsonl";
        std::ofstream out(lines);
        for (int i = 0; i < 25; ++i) {
            // Half of the subjects are everybody's: each gets versions, none is lost.
            out << document(i % 2 == 0 ? "shared-" + std::to_string(i)
                                       : std::to_string(w) + "-" + std::to_string(i),
                            "by-" + std::to_string(w))
                << "\n";
        }
        command += "'" + program + "' ingest '" + lines + "' --catalogue '" + path_ +
                   "' >/dev/null || touch '" + directory_ + "/failed' & ";
    }
    ASSERT_EQ(std::system((command + "wait").c_str()), 0);
    EXPECT_FALSE(std::filesystem::exists(directory_ + "/failed"));
    const Catalogue catalogue(path_);
    EXPECT_EQ(catalogue.search({}, everybody_).total, 13 + 4 * 12);
    EXPECT_EQ(catalogue.versions("globus://c/shared-0", everybody_).size(), 4U);
    EXPECT_EQ(catalogue.change(), 100);
}

TEST_F(CatalogueTest, ACatalogueOfAnOlderProgramIsBroughtUpToDate) {
    json again = document("again");
    again["content"]["project_metadata"]["reprocessing"] = {{"of", "globus://c/old"}};
    {
        Catalogue catalogue(path_, true);
        catalogue.ingest_all({document("old"), again});
    }
    {
        const Database older(path_, false);
        older.execute("DROP INDEX records_by_source");
        older.execute("ALTER TABLE records DROP COLUMN source");
        older.execute("PRAGMA user_version = 1");
    }
    const Catalogue catalogue(path_);
    EXPECT_EQ(catalogue.search({}, everybody_).total, 2);
    const auto made = catalogue.reprocessed("globus://c/old", everybody_);
    ASSERT_EQ(made.size(), 1U);
    EXPECT_EQ(made[0].title, "again");
}

TEST_F(CatalogueTest, AnotherConnectionSeesTheChange) {
    Catalogue writer(path_, true);
    const Catalogue reader(path_);
    EXPECT_EQ(reader.search({}, everybody_).total, 0);
    writer.ingest(document("a"));
    EXPECT_EQ(reader.search({}, everybody_).total, 1);
    writer.ingest(document("a", "other"));
    EXPECT_EQ(reader.search({}, everybody_).hits[0].facets[facet_experiment], "other");
    Query words;  // what was found is kept, but not beyond a change
    words.words = "other";
    EXPECT_EQ(reader.search(words, everybody_).total, 1);
    writer.ingest(document("b", "other"));
    words.sort = "relevance";
    EXPECT_EQ(reader.search(words, everybody_).total, 2);
}

TEST_F(CatalogueTest, ReadsTheGoldenPublication) {
    std::ifstream in(std::string(XPCS_SHARED_DIR) + "/golden/publish_run1.gather_output.json");
    if (!in) {
        GTEST_SKIP() << "no golden records beside the tree";
    }
    std::stringstream text;
    text << in.rdbuf();
    const auto documents = documents_in(text.str(), "golden");
    ASSERT_EQ(documents.size(), 1U);
    EXPECT_EQ(fields_of(documents[0]).title, "G001_436_PorousGlass-08000");
}

TEST(Documents, DepthIsBounded) {
    const auto nested = [](std::size_t n) {
        return R"({"subject":"s","visible_to":["public"],"content":{"a":)" + std::string(n, '[') +
               std::string(n, ']') + "}}";
    };
    EXPECT_EQ(documents_in(nested(100), "d").size(), 1U);
    EXPECT_THROW(documents_in(nested(1'000'000), "d"), Error);
    std::string list;
    for (int i = 0; i < 100'000; ++i)
        list += R"({"ingest_type":"GMetaList","ingest_data":{"gmeta":[)";
    EXPECT_THROW(documents_in(list, "d"), Error);
}

TEST_F(CatalogueTest, SearchRefusesWhatIsNoDateAndNoFacet) {
    Catalogue(path_, true).ingest(document("a"));
    for (const std::string text :
         {"foo", "2026-13-01", "2026-02-30", "2026-1-1", "2026-01-01T00"}) {
        for (const std::string option : {"--from", "--to"}) {
            try {
                cmd_search({"--catalogue", path_, option, text});
                ADD_FAILURE() << option << " " << text;
            } catch (const Error& error) {
                EXPECT_EQ(error.code(), ExitCode::usage);
                EXPECT_THAT(error.what(), ::testing::HasSubstr(option + " '" + text + "'"));
            }
        }
    }
    EXPECT_EQ(cmd_search({"--catalogue", path_, "--from", "2026-01-31", "--to", "2028-02-29"}), 0);
    try {
        cmd_search({"--catalogue", path_, "--facet", "foo=1"});
        ADD_FAILURE();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), ::testing::HasSubstr("NAME one of experiment, cycle"));
    }
}

}  // namespace
