// SPDX-License-Identifier: BSD-3-Clause
#include "host/errors.hpp"
#include "portal/encode.hpp"
#include "portal/files.hpp"
#include "portal/gnuplot_script.hpp"
#include "portal/html.hpp"
#include "portal/tables.hpp"
#include "portal/users.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <filesystem>
#include <fstream>

namespace {

using namespace xpcs;
using namespace xpcs::portal;
namespace fs = std::filesystem;

class SafetyTest : public ::testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/xpcs-safety-XXXXXX";
        directory_ = mkdtemp(name);
    }
    void TearDown() override { fs::remove_all(directory_); }
    std::string directory_;
};

TEST(Html, EscapesWhatMeansSomething) {
    EXPECT_EQ(escape("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
    EXPECT_EQ(escape(std::string("\xff\x01", 2)), "\xEF\xBF\xBD\xEF\xBF\xBD");
    EXPECT_EQ(script_safe("\"</script><!--\xE2\x80\xA8\""), "\"\\u003c/script>\\u003c!--\\u2028\"");
}

TEST(Html, TemplatesFillOnce) {
    TemplateValues values;
    values.text("a", "{{b}}<").html("b", {"<b>"});
    EXPECT_EQ(fill_template("{{a}}{{b}} {{", values), "{{b}}&lt;<b> {{");
    EXPECT_THROW(fill_template("{{c}}", values), Error);
}

TEST(Quoting, GnuplotAndSpreadsheetsSeeText) {
    EXPECT_EQ(gnuplot_quoted("it's `date`"), "'it''s `date`'");
    EXPECT_EQ(gnuplot_quoted("a\nb").find('\n'), std::string::npos);
    EXPECT_EQ(csv_field("=1+\"2\""), "\"'=1+\"\"2\"\"\"");
}

TEST(Encode, CodesKeepRangeAndHoles) {
    const Quantised codes = quantise({NAN, 0, 1, 100}, true, 3);
    EXPECT_EQ(codes.low, 1);
    EXPECT_EQ(codes.high, 100);
    EXPECT_EQ(codes.data, pack({0, 1, 1, 3}));
    EXPECT_EQ(quantise({NAN}, false, 9).data, pack({0}));
    EXPECT_EQ(base64({'M', 'a'}), "TWE=");
}

TEST_F(SafetyTest, RootHoldsEverythingIn) {
    fs::create_directories(directory_ + "/root/run");
    std::ofstream(directory_ + "/root/run/a.png") << "x";
    std::ofstream(directory_ + "/secret") << "x";
    fs::create_symlink(directory_ + "/secret", directory_ + "/root/run/link");
    const FileRoot root(directory_ + "/root");
    EXPECT_TRUE(root.inside(directory_ + "/root/run/a.png"));
    EXPECT_FALSE(root.inside(directory_ + "/root/../secret"));
    EXPECT_FALSE(root.inside(directory_ + "/root/run/link"));
    EXPECT_FALSE(root.inside(directory_ + "/rootless"));
    Stored record;
    record.hit.subject = "file://" + directory_ + "/root/run";
    json files = json::array();
    for (const char* name : {"/a.png", "/link", "/../../secret", "/none"}) {
        files.push_back({{"url", record.hit.subject + name}});
    }
    record.document = {{"content", {{"files", files}}}};
    EXPECT_TRUE(root.file_of(record, "a.png"));
    for (const char* name : {"link", "../../secret", "none", "unlisted", ""}) {
        EXPECT_FALSE(root.file_of(record, name)) << name;
    }
    EXPECT_FALSE(root.directory_of("http://x/y"));
    EXPECT_TRUE(root.directory_of("globus://collection/run"));
    EXPECT_FALSE(root.directory_of("globus://collection/../.."));
}

TEST_F(SafetyTest, UsersHaveSaltedHashesAndRoles) {
    const std::string file = directory_ + "/users";
    write_user(file, {"ann", Role::operator_, hash_password("correct horse"), {"urn:g"}});
    struct stat found {};
    ASSERT_EQ(stat(file.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777U, 0600U);
    EXPECT_NE(hash_password("same"), hash_password("same"));
    Sessions sessions(read_users(file));
    EXPECT_FALSE(sessions.log_in("ann", "wrong"));
    EXPECT_FALSE(sessions.log_in("bob", "correct horse"));
    const auto token = sessions.log_in("ann", "correct horse");
    ASSERT_TRUE(token);
    EXPECT_EQ(sessions.find(*token)->groups.count("urn:g"), 1U);
    sessions.log_out(*token);
    EXPECT_FALSE(sessions.find(*token));
    EXPECT_THROW(write_user(file, {"a:b", Role::viewer, "", {}}), Error);
    for (int i = 0; i < 5; ++i) {
        EXPECT_FALSE(sessions.log_in("ann", "wrong"));
    }
    EXPECT_FALSE(sessions.log_in("ann", "correct horse")) << "too many tries";
}

}  // namespace
