// SPDX-License-Identifier: BSD-3-Clause
// docs/edge-cases.md numbers the edge cases of the input; every number must be in the name of a
// test.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// Numbers of a text, in order: the first group of the pattern, wherever a line that begins with
/// `head` matches it. (A search through whole files takes very long under sanitizers.)
std::vector<std::string>
numbers_in(const std::string& text, const std::string& head, const std::regex& pattern) {
    std::vector<std::string> found;
    std::smatch match;
    for (std::size_t at = 0; (at = text.find("\n" + head, at)) != std::string::npos; ++at) {
        if (std::regex_search(text.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                              text.end(),
                              match,
                              pattern,
                              std::regex_constants::match_continuous)) {
            found.push_back(match[1]);
        }
    }
    return found;
}

TEST(EdgeCases, EveryLineOfTheTableHasATestOfItsNumber) {
    const fs::path root = XPCS_SOURCE_DIR;
    const auto lines = numbers_in(
        text_of(root / "docs" / "edge-cases.md"), "| E", std::regex("\\| (E[0-9]{2}) \\|"));
    std::map<std::string, std::vector<std::string>> tests;
    for (const auto& entry : fs::recursive_directory_iterator(root / "tests")) {
        if (entry.path().extension() != ".cpp") continue;
        const std::regex test("TEST(?:_F|_P)?\\(\\w+,\\s*(E[0-9]{2})[A-Z0-9]");
        for (const std::string& number : numbers_in(text_of(entry.path()), "TEST", test))
            tests[number].push_back(entry.path().filename().string());
    }
    ASSERT_EQ(lines.size(), 56U) << "a line was added or lost";
    std::set<std::string> known;
    for (std::size_t k = 0; k < lines.size(); ++k) {
        const std::string number = (k < 9 ? "E0" : "E") + std::to_string(k + 1);
        EXPECT_EQ(lines[k], number) << "lines are numbered from E01";
        EXPECT_TRUE(tests.count(number)) << number << " of docs/edge-cases.md has no test";
        known.insert(lines[k]);
    }
    for (const auto& [number, files] : tests)
        EXPECT_TRUE(known.count(number)) << number << " in " << files.front() << " is in no line";
}

}  // namespace
