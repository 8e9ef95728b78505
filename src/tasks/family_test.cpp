#include "tasks/family.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/digest.h"
#include "base/error.h"

namespace polyphon {
namespace {

constexpr int kSeeds = 150;

TEST(Families, ThereAreEnoughAndTheirNamesAreKnown) {
  EXPECT_GE(families().size(), 17u);
  for (const Family& each : families()) EXPECT_EQ(&family(each.name), &each);
  try {
    family("sudoku");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_NE(std::string(error.what()).find("countdown"), std::string::npos);
  }
  EXPECT_THROW(make_problem(families()[0], 0, 1), Error);
  EXPECT_THROW(make_problem(families()[0], 11, 1), Error);
}

TEST(Families, TheSolutionPassesItsOwnCheckHoweverItIsSaid) {
  for (const Family& each : families())
    for (int difficulty = 1; difficulty <= Problem::kMaxDifficulty; ++difficulty)
      for (uint64_t seed = 0; seed < kSeeds; ++seed) {
        const Problem problem = make_problem(each, difficulty, seed);
        ASSERT_FALSE(problem.text.empty() || problem.solution.empty()) << each.name;
        EXPECT_TRUE(is_right(problem, "I think so.\nAnswer: " + problem.solution)) << problem.text;
        EXPECT_TRUE(is_right(problem, "Let me see.\nAnswer: " + problem.solution + "."))
            << problem.text << " " << problem.solution;
        EXPECT_FALSE(is_right(problem, "")) << problem.text;
        EXPECT_FALSE(is_right(problem, "Answer:")) << problem.text;
        EXPECT_FALSE(is_right(problem, "I do not know.")) << problem.text;
      }
}

// Another problem's solution is wrong unless it happens to be the same.
TEST(Families, WrongAnswersFail) {
  for (const Family& each : families())
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      const int difficulty = 1 + static_cast<int>(seed) % Problem::kMaxDifficulty;
      const Problem problem = make_problem(each, difficulty, seed),
                    other = make_problem(each, difficulty, seed + 1000);
      if (problem.solution == other.solution) continue;
      EXPECT_FALSE(is_right(problem, "Answer: " + other.solution))
          << problem.text << " " << problem.solution << " / " << other.solution;
    }
}

TEST(Families, ProblemsDifferBySeedAndGrowWithDifficulty) {
  for (const Family& each : families()) {
    std::set<std::string> texts;
    for (uint64_t seed = 0; seed < kSeeds; ++seed) texts.insert(make_problem(each, 5, seed).text);
    EXPECT_GT(texts.size(), kSeeds * 9 / 10) << each.name;
    size_t easy = 0, hard = 0;
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      const Problem a = make_problem(each, 1, seed), b = make_problem(each, 10, seed);
      easy += a.text.size() + a.solution.size();
      hard += b.text.size() + b.solution.size();
    }
    EXPECT_GT(hard, easy) << each.name;
  }
}

// The same on every machine, and for ever: suites and results refer to problems by seed.
TEST(Families, ProblemsAreWhatTheyWere) {
  std::string all;
  for (const Family& each : families())
    for (int difficulty = 1; difficulty <= Problem::kMaxDifficulty; ++difficulty)
      for (uint64_t seed = 0; seed < 20; ++seed) {
        const Problem problem = make_problem(each, difficulty, seed);
        all += problem.text + "\n" + problem.solution + "\n";
      }
  EXPECT_EQ(sha256(all), "3d216c79504d6687bb793c500088ca40286829f29c76223521a0badb5d6500be");
}

Problem first(const char* name, int difficulty = 3) {
  return make_problem(family(name), difficulty, 0);
}

TEST(Countdown, AnyRightExpressionPassesAndNoWrongOne) {
  Problem problem = first("countdown");
  problem.facts = {{"numbers", {2, 3, 4}}, {"target", 14}};
  for (const char* right :
       {"Answer: 2 + 3 * 4", "Answer: (3*4)+2 = 14", "Answer: 4 * 3 + 2.", "Answer: **2+4*3**",
        "Answer: 14 = 2 + 3 \u00d7 4", "So \\boxed{2 + 3 \\times 4}."})
    EXPECT_TRUE(is_right(problem, right)) << right;
  for (const char* wrong :
       {"Answer: 14", "Answer: 2 + 3 + 4", "Answer: 2 * 3 + 4 + 4", "2 + 3 * 4",
        "Answer: 2 + 3 * 4 * 1", "Answer: 28 / 2", "Answer: (2 + 3 * 4", "Answer: 2 + 3 * 4)",
        "Answer: 2 + * 3 4", "Answer: 4 / (2 - 2) + 3", "Answer:", "Answer: 2 + 3 * 4\nAnswer: 15"})
    EXPECT_FALSE(is_right(problem, wrong)) << wrong;
  const std::string deep(100000, '(');
  EXPECT_FALSE(is_right(problem, "Answer: " + deep));
  EXPECT_FALSE(is_right(problem, "Answer: 99999 * 99999 * 99999 * 99999"));
  problem.facts = {{"numbers", {8, 3, 3, 8}}, {"target", 24}};
  EXPECT_TRUE(is_right(problem, "Answer: 8 / (3 - 8 / 3)"));
}

TEST(BaseConversion, LettersAreDigits) {
  Problem problem = first("base_conversion");
  problem.solution = "52b";
  for (const char* right : {"Answer: 52b", "Answer: 0x52B.", "Answer: **52b**", "\\boxed{52b}"})
    EXPECT_TRUE(is_right(problem, right)) << right;
  for (const char* wrong : {"Answer: 52", "Answer: 52c", "Answer: 52 b"})
    EXPECT_FALSE(is_right(problem, wrong)) << wrong;
}

TEST(KnightsAndKnaves, ExactlyTheKnightsMustBeNamed) {
  Problem problem = first("knights_and_knaves");
  problem.facts = {{"people", {"Ann", "Ben", "Cara"}}, {"knights", {"Ann", "Cara"}}};
  EXPECT_TRUE(is_right(problem, "Ben lies.\nAnswer: Cara and Ann"));
  EXPECT_FALSE(is_right(problem, "Answer: Ann"));
  EXPECT_FALSE(is_right(problem, "Answer: Ann, Ben, Cara"));
  EXPECT_FALSE(is_right(problem, "Ann and Cara"));
  problem.facts["knights"] = Json::array();
  EXPECT_TRUE(is_right(problem, "Answer: nobody"));
  EXPECT_FALSE(is_right(problem, "Answer: nobody but Ann"));
}

}  // namespace
}  // namespace polyphon
