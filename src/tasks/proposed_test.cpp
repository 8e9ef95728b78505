#include <gtest/gtest.h>

#include "tasks/family.h"
#include "tasks/question_parts.h"

namespace polyphon {
namespace {

std::optional<Problem> proposed(const char* name, const std::string& question) {
  return proposed_problem(family(name), 2, 9, question);
}

// What the generator asked, as if the model had. Equations with parentheses are not proposed.
TEST(ProposedProblems, AreTheGeneratorsForTheGeneratorsQuestions) {
  int with = 0;
  for (const Family& each : families()) {
    ASSERT_EQ(each.questions != nullptr, each.read != nullptr) << each.name;
    if (!each.questions) continue;
    ++with;
    const int hardest = each.name == std::string("linear_equation") ? 6 : Problem::kMaxDifficulty;
    for (int difficulty = 1; difficulty <= hardest; ++difficulty)
      for (uint64_t seed = 0; seed < 100; ++seed) {
        const Problem generated = make_problem(each, difficulty, seed);
        const auto problem = proposed_problem(each, difficulty, seed, question_of(generated));
        ASSERT_TRUE(problem) << generated.text;
        EXPECT_EQ(problem->text, generated.text);
        EXPECT_EQ(problem->solution, generated.solution);
        EXPECT_EQ(problem->family, each.name);
        EXPECT_EQ(problem->difficulty, difficulty);
        EXPECT_EQ(problem->seed, seed);
      }
  }
  EXPECT_GE(with, 5);
}

TEST(ProposedProblems, AreReadToTheLetter) {
  ASSERT_TRUE(proposed("chain_sum", "What is 4 - 9 + 1?"));
  for (const char* question :
       {"", "What is 4?", "What is 4 - 9", "What is 4 - 9 + ", "What is 4 -9?", "What is 04 - 9?",
        "What is 4 - 0?", "What is 4 - 9? ", "What is 4 - 9?\n", "Whatever 4 - 9?",
        "What is 4 times 9?", "What is 1234567890 + 1?", "What is 99999999999999999999 + 1?"})
    EXPECT_FALSE(proposed("chain_sum", question)) << question;
  ASSERT_TRUE(proposed("products", "What is 4 times 9?"));
  for (const char* question : {"What is 4 times 9 times 2?", "What is 0 times 9?",
                               "What is -4 times 9?", "What is 4 times?", "What is 4 + 9?"})
    EXPECT_FALSE(proposed("products", question)) << question;
  EXPECT_FALSE(proposed("gcd", "What is the greatest common divisor of 4 and 0?"));
  const auto letters = [](const std::string& wanted, const std::string& words) {
    return proposed("letter_counting", "How many times does the letter \"" + wanted +
                                           "\" occur in \"" + words + "\"?");
  };
  ASSERT_TRUE(letters("e", "needle tree"));
  EXPECT_EQ(letters("e", "needle tree")->solution, "5");
  for (const char* words :
       {"", " tree", "tree ", "two  trees", "Tree", "tree\" \"x", "tre\xc3\xa9"})
    EXPECT_FALSE(letters("e", words)) << words;
  for (const char* wanted : {"", "E", "ee", " "}) EXPECT_FALSE(letters(wanted, "tree")) << wanted;
  EXPECT_FALSE(proposed("counting", "How many times does the letter a occur in: a b?"))
      << "a family of which nothing is proposed";
}

TEST(ProposedProblems, HaveNoSolutionWhereNothingSolvesThem) {
  const auto solution = [](const std::string& question) {
    const auto problem = proposed("linear_equation", question);
    return problem ? problem->solution : "malformed";
  };
  EXPECT_EQ(solution("Solve for x: 2x + 5 = 9."), "2");
  EXPECT_EQ(solution("Solve for x: 2x - 5 = -9."), "-2");
  EXPECT_EQ(solution("Solve for x: 2x + 5 = 4x + 9."), "-2");
  EXPECT_EQ(solution("Solve for x: 2x + 5 = 8."), "") << "no whole number";
  EXPECT_EQ(solution("Solve for x: 2x + 5 = 2x + 8."), "") << "none";
  EXPECT_EQ(solution("Solve for x: 2x + 5 = 2x + 5."), "") << "all";
  EXPECT_EQ(solution("Solve for x: 2x + 5."), "malformed");
  EXPECT_EQ(solution("Solve for x: 2x + 5 = 4x - 9."), "malformed");
}

TEST(QuestionParts, AreNumbersAndQuotedWords) {
  EXPECT_EQ(numbers_in("12 - 3, -4 and 5-6"), (Numbers{12, -3, -4, 5, -6}));
  EXPECT_EQ(numbers_in("no number -"), Numbers{});
  EXPECT_EQ(numbers_in("1234567890123456789012 7"), (Numbers{123456789, 7}));
  EXPECT_EQ(quoted_in("a \"b\" c \"\" \"open"), (std::vector<std::string>{"b", ""}));
}

}  // namespace
}  // namespace polyphon
