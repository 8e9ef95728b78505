#include "tasks/worked.h"

#include <gtest/gtest.h>

#include <set>

#include "tasks/family.h"

namespace polyphon {
namespace {

// The steps come to the answer by themselves; the checker knows the generator's.
TEST(WorkedSolutions, AreRightInEveryFamilyAtEveryDifficulty) {
  int with = 0;
  for (const Family& each : families()) {
    if (!has_worked_solution(each.name)) continue;
    ++with;
    for (int difficulty = 1; difficulty <= Problem::kMaxDifficulty; ++difficulty)
      for (uint64_t seed = 0; seed < 300; ++seed) {
        const Problem problem = make_problem(each, difficulty, seed);
        const std::string worked = worked_solution(problem, seed);
        EXPECT_TRUE(is_right(problem, worked)) << problem.text << "\n" << worked;
        const size_t last = worked.rfind('\n');
        EXPECT_TRUE(worked.substr(last + 1).starts_with("Answer: ")) << worked;
      }
  }
  EXPECT_GE(with, 9);
}

TEST(WorkedSolutions, AreTheSameForTheSamePhrasingAndSaidInSeveralWays) {
  for (const Family& each : families()) {
    if (!has_worked_solution(each.name)) continue;
    const Problem problem = make_problem(each, 2, 7);
    std::set<std::string> ways;
    for (uint64_t phrasing = 0; phrasing < 30; ++phrasing)
      ways.insert(worked_solution(problem, phrasing));
    EXPECT_EQ(ways.size(), 3u) << each.name;
    EXPECT_EQ(worked_solution(problem, 4), worked_solution(problem, 4)) << each.name;
  }
}

// One equation at least in each, true as it is written.
TEST(WorkedSolutions, SayWhatOneCanCheck) {
  Problem problem = make_problem(family("chain_sum"), 1, 0);
  problem.text = "What is 47 - 85 + 120?\nEnd with a line";
  EXPECT_NE(worked_solution(problem, 0)
                .find("47 - 85: 85 - 40 = 45, 45 - 7 = 38, so it is -38.\n"
                      "-38 + 120: 120 - 30 = 90, 90 - 8 = 82, so it is 82."),
            std::string::npos)
      << worked_solution(problem, 0);
  problem = make_problem(family("letter_counting"), 1, 0);
  problem.text = "How many times does the letter \"e\" occur in \"needle tree\"?\nEnd";
  EXPECT_NE(worked_solution(problem, 0).find("n e=1 e=2 d l e=3\nt r e=4 e=5\nI counted 5."),
            std::string::npos)
      << worked_solution(problem, 0);
  problem = make_problem(family("products"), 3, 0);
  problem.text = "What is 12 times 304?\nEnd";
  EXPECT_NE(worked_solution(problem, 0)
                .find("12 * 304: 12 * 300 = 3600, 12 * 4 = 48, 3600 + 48 = 3648.\nAnswer: 3648"),
            std::string::npos)
      << worked_solution(problem, 0);
}

}  // namespace
}  // namespace polyphon
