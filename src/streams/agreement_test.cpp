#include "streams/agreement.h"

#include <gtest/gtest.h>

#include <vector>

namespace polyphon {
namespace {

// Index of the first answer after which the streams agree; -1 if they never do.
int agreed_at(const AgreementOptions& options, int streams,
              const std::vector<std::string>& answers) {
  Agreement agreement(options, streams);
  for (size_t i = 0; i < answers.size(); ++i)
    if (const auto agreed = agreement.add(answers[i])) {
      EXPECT_EQ(*agreed, answers[i]);
      return static_cast<int>(i);
    }
  return -1;
}

TEST(AgreementTest, NeedsMinStreamsAndMoreThanTheQuorum) {
  const AgreementOptions options{true, 3, 0.5};
  EXPECT_EQ(agreed_at(options, 4, {"7", "7", "7"}), 2);
  EXPECT_EQ(agreed_at(options, 6, {"7", "7", "7"}), -1) << "half is not more than half";
  EXPECT_EQ(agreed_at(options, 6, {"7", "7", "7", "7"}), 3);
  EXPECT_EQ(agreed_at(options, 2, {"7", "7"}), -1) << "min_streams";
}

TEST(AgreementTest, CountsEachAnswerApart) {
  const AgreementOptions options{true, 2, 0.3};
  EXPECT_EQ(agreed_at(options, 5, {"7", "8", "9", "8"}), 3);
}

TEST(AgreementTest, AStreamWithoutAnAnswerDoesNotVote) {
  const AgreementOptions options{true, 2, 0.0};
  EXPECT_EQ(agreed_at(options, 4, {"", "", "", ""}), -1);
}

TEST(VoteTest, TheMostFrequentAnswerWinsByItsBestEntry) {
  const std::vector<VoteEntry> votes = {{"8", -0.1}, {"7", -0.9}, {"7", -0.5}, {"", -0.01}};
  EXPECT_EQ(vote_winner(votes), 2);
}

TEST(VoteTest, BetweenEquallyFrequentAnswersTheLikelierWins) {
  const std::vector<VoteEntry> votes = {{"7", -0.5}, {"8", -0.9}, {"7", -0.6}, {"8", -0.2}};
  EXPECT_EQ(vote_winner(votes), 3);
}

TEST(VoteTest, FullTiesGoToTheFirst) {
  const std::vector<VoteEntry> votes = {{"8", -0.5}, {"7", -0.5}};
  EXPECT_EQ(vote_winner(votes), 0);
}

TEST(VoteTest, AllMayAbstain) {
  EXPECT_EQ(vote_winner({}), -1);
  const std::vector<VoteEntry> votes = {{"", -0.5}, {"", -0.1}};
  EXPECT_EQ(vote_winner(votes), -1);
}

}  // namespace
}  // namespace polyphon
