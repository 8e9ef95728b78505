#include "data/suite.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "base/error.h"
#include "tasks/family.h"

namespace polyphon {
namespace {

std::string suite_refusal(const std::string& json) {
  try {
    parse_suite(json, "s.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

Json suite_json() {
  return {{"name", "s"},
          {"seed", 7},
          {"entries",
           {{{"family", "counting"}, {"difficulty", 1}, {"count", 3}},
            {{"family", "dates"}, {"difficulty", 2}, {"count", 2}}}}};
}

TEST(Suite, GivesItsProblemsInOrder) {
  const Suite suite = parse_suite(suite_json().dump(), "s.json");
  const auto problems = suite_problems(suite);
  ASSERT_EQ(problems.size(), 5u);
  EXPECT_EQ(problems[1].text, make_problem(family("counting"), 1, 8).text);
  EXPECT_EQ(problems[4].family, "dates");
  EXPECT_EQ(problems[4].seed, 8u);
  EXPECT_EQ(suite_problems(suite, 1).size(), 2u);
}

TEST(Suite, RefusesASuiteWhoseProblemsHaveChanged) {
  Json json = suite_json();
  json["digest"] = suite_digest(parse_suite(json.dump(), "s.json"));
  EXPECT_EQ(suite_refusal(json.dump()), "");
  json["seed"] = 8;
  EXPECT_NE(suite_refusal(json.dump()).find("have changed since it was frozen"), std::string::npos);
}

TEST(Suite, NamesWhatIsWrong) {
  EXPECT_NE(suite_refusal("{").find("s.json"), std::string::npos);
  EXPECT_NE(suite_refusal("[]").find("s.json"), std::string::npos);
  Json json = suite_json();
  json["entries"][0]["family"] = "poetry";
  EXPECT_NE(suite_refusal(json.dump()).find("poetry"), std::string::npos);
  json = suite_json();
  json["entries"][0]["difficulty"] = 99;
  EXPECT_NE(suite_refusal(json.dump()).find("99"), std::string::npos);
  json = suite_json();
  json["entries"][0]["count"] = 0;
  EXPECT_NE(suite_refusal(json.dump()).find("count is 0"), std::string::npos);
  json = suite_json();
  json["entries"] = Json::array();
  EXPECT_NE(suite_refusal(json.dump()).find("no entries"), std::string::npos);
  EXPECT_THROW(read_suite("no/such/suite.json"), Error);
}

}  // namespace
}  // namespace polyphon
