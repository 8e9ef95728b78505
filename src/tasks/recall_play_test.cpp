#include "tasks/recall_play.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "model/fake_language_model.h"
#include "text/stream_listener.h"

namespace polyphon {
namespace {

class RecallPlayTest : public ::testing::Test {
 protected:
  RecallPlay play(uint64_t seed) const {
    return make_recall_play(model_.vocabulary(), options_, seed);
  }
  // The sentences that the stream says, as memory hears them.
  std::set<std::string> sentences(const Tokens& script) const {
    std::set<std::string> heard;
    StreamListener listener;
    for (const Token token : script) {
      listener.hear(token == kNoToken ? "x" : model_.vocabulary().piece(token, false), -1);
      if (const auto sentence = listener.take_sentence()) heard.insert(sentence->text);
    }
    return heard;
  }
  const FakeLanguageModel model_;
  RecallPlayOptions options_;
};

TEST_F(RecallPlayTest, FollowsItsSeed) {
  EXPECT_EQ(play(3).scripts, play(3).scripts);
  EXPECT_NE(play(3).scripts, play(4).scripts);
}

TEST_F(RecallPlayTest, AsksForWhatAnotherStreamHasStated) {
  const RecallPlay play = this->play(3);
  ASSERT_EQ(play.scripts.size(), 16u);
  std::vector<std::set<std::string>> said;
  for (const Tokens& script : play.scripts) {
    EXPECT_EQ(script.size(), play.scripts.front().size());
    said.push_back(sentences(script));
  }
  EXPECT_EQ(play.questions.size(), 48u);
  std::set<std::string> asked;
  int unstated = 0;
  for (const RecallQuestionAt& question : play.questions) {
    const std::string& fact = question.asked.fact;
    if (fact.empty()) {
      ++unstated;
      continue;
    }
    EXPECT_TRUE(asked.insert(fact).second) << "twice: " << fact;
    EXPECT_NE(fact.find(question.answer), std::string::npos) << fact;
    EXPECT_FALSE(said[static_cast<size_t>(question.asked.stream)].contains(fact)) << fact;
    EXPECT_TRUE(std::any_of(said.begin(), said.end(), [&](const auto& heard) {
      return heard.contains(fact);
    })) << fact;
  }
  EXPECT_GT(unstated, 2);
  EXPECT_LT(unstated, 24);
}

TEST_F(RecallPlayTest, EndsAQuestionWhereTheReadHeadLooks) {
  const RecallPlay play = this->play(3);
  for (const RecallQuestionAt& question : play.questions) {
    const Tokens& script = play.scripts[static_cast<size_t>(question.asked.stream)];
    size_t end = question.answer_begin;
    while (end % static_cast<size_t>(play.cadence_tokens) != 0) --end;
    const size_t size = question.asked.question.size() + 1;  // a byte is a token here
    const std::string query =
        model_.vocabulary().detokenize(std::span(script).subspan(end - size, size), false);
    EXPECT_TRUE(asks(query, question.asked)) << query;
    for (size_t i = 0; i < kRecallAnswerTokens; ++i)
      EXPECT_EQ(script[question.answer_begin + i], kNoToken);
    EXPECT_NE(script[question.answer_begin - 1], kNoToken);
  }
}

TEST(RecallFacts, HeldOutRelationsAreOtherOnes) {
  Random random(1);
  std::set<std::string> trained, held_out;
  for (const RecallFact& fact : make_recall_facts(RelationSet::kTraining, 3, random))
    trained.insert(fact.relation);
  const auto facts = make_recall_facts(RelationSet::kHeldOut, 10, random);
  for (const RecallFact& fact : facts) {
    EXPECT_FALSE(trained.contains(fact.relation));
    EXPECT_NE(fact.statement.find(fact.person), std::string::npos);
    EXPECT_NE(fact.question.find(fact.person), std::string::npos);
    held_out.insert(fact.relation);
  }
  EXPECT_EQ(facts.size(), 10 * held_out.size());
}

}  // namespace
}  // namespace polyphon
