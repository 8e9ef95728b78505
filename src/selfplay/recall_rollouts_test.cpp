#include "selfplay/recall_rollouts.h"

#include <fstream>
#include <set>

#include "base/error.h"
#include "core/seeds.h"
#include "data/problem_source.h"
#include "memory/trace_memory.h"
#include "model/real_model_for_test.h"
#include "selfplay/selfplay_for_test.h"

namespace polyphon {
namespace {

class RecallRolloutsTest : public SelfPlayTest {
 protected:
  RecallRolloutsTest() {
    ReasonOptions reason;
    undisturbed_recall(reason);
    reason_with(reason);
    options_.play.streams = 4;
    options_.play.facts = options_.play.questions = 2;
    options_.play.people = 2;
    options_.sessions = 2;
  }
  RolloutCounts play() {
    return play_recall(*reasoner_, options_, folder_, stop_,
                       [&](int64_t number) { sessions_ = number; });
  }
  RecallRolloutOptions options_;
  int64_t sessions_ = 0;
};

TEST_F(RecallRolloutsTest, KeepTheQuestionsAndRecallNothing) {
  play();
  EXPECT_EQ(sessions_, 2);
  const RolloutCounts read =
      read_rollouts(folder_, [&](const Trace& trace, const Outcome& outcome) {
        EXPECT_EQ(outcome.cell.family, "recall");
        EXPECT_LT(outcome.seed, seeds::kFirstSuiteSeed);
        EXPECT_TRUE(outcome.right.empty());
        EXPECT_EQ(outcome.asked.size(), 8u);
        EXPECT_TRUE(trace.result.memory.value().recalls.empty()) << "no recall is carried out";
        const TraceMemory memory = memory_of(trace);
        for (const AskedFact& asked : outcome.asked) {
          const auto look =
              std::find_if(memory.reads.begin(), memory.reads.end(), [&](const TraceRead& each) {
                return each.at.stream == asked.stream && asks(each.query, asked);
              });
          ASSERT_NE(look, memory.reads.end()) << asked.question;
          const bool held = std::any_of(look->nodes.begin(), look->nodes.end(), [&](size_t node) {
            return memory.nodes[node].text == asked.fact;
          });
          EXPECT_EQ(held, !asked.fact.empty()) << asked.fact;
        }
      });
  EXPECT_EQ(read.traces, 2);
}

TEST_F(RecallRolloutsTest, RepeatNoSessionAfterADamagedLine) {
  play();
  std::ofstream(traces_path(folder_), std::ios::app) << "rubbish\n";
  options_.sessions = 5;
  play();
  std::set<uint64_t> seeds;
  const RolloutCounts read = read_rollouts(
      folder_, [&](const Trace&, const Outcome& outcome) { seeds.insert(outcome.seed); });
  EXPECT_EQ(read.damaged, 1);
  EXPECT_EQ(read.traces, 4);
  EXPECT_EQ(seeds.size(), 4u);
}

TEST_F(RecallRolloutsTest, RefuseMoreStreamsThanFactsBeforeTheyBegin) {
  options_.play.streams = 60;
  EXPECT_NE(refusal([&] { play(); }).find("60 streams of 2 facts"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_));
}

TEST_F(RecallRolloutsTest, ContinueOnlyInTheirOwnFolder) {
  play();
  options_.sessions = 3;
  EXPECT_EQ(play().traces, 2);
  EXPECT_EQ(sessions_, 3);
  std::set<uint64_t> seeds;
  read_rollouts(folder_, [&](const Trace&, const Outcome& outcome) { seeds.insert(outcome.seed); });
  EXPECT_EQ(seeds.size(), 3u);
  options_.play.people = 3;
  EXPECT_THROW(play(), Error);
}

TEST(RecallCellsRealModel, HoldASession) {
  for (const RelationSet relations : {RelationSet::kTraining, RelationSet::kHeldOut})
    for (uint64_t seed = 0; seed < 20; ++seed) {
      RecallPlayOptions options;
      options.relations = relations;
      const RecallPlay play = make_recall_play(real_model().vocabulary(), options, seed);
      EXPECT_LE(static_cast<int>(play.scripts.front().size()), most_script_tokens(options)) << seed;
    }
}

}  // namespace
}  // namespace polyphon
