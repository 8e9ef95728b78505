#include "memory/trace_memory.h"

#include <gtest/gtest.h>

namespace polyphon {
namespace {

class TraceMemoryTest : public ::testing::Test {
 protected:
  void write(Step step, int stream, NodeId id, const std::string& text, NodeId evicted = 0) {
    decide(step, MemoryWrite{NoteSource::of_stream(stream), NodeOrigin::kWriteHead, text, id,
                             evicted > 0 ? std::optional(evicted) : std::nullopt});
  }
  void look(Step step, int stream, const std::string& query) {
    MemoryRecall recall;
    recall.stream = stream;
    recall.query = query;
    recall.by = RecallCause::kReadHead;
    decide(step, recall);
  }
  void decide(Step step, Decision what) { trace_.decisions.push_back({step, std::move(what)}); }
  Trace trace_;
};

TEST_F(TraceMemoryTest, ARecallCouldChooseNodesOfOtherStreams) {
  write(3, 0, 1, "The goat is Kelda's.");
  write(4, 1, 2, "Marvin drives a red van.");
  look(5, 1, "Which van is red?");
  write(6, 2, 3, "Marvin has the goat.");
  look(7, 1, "Who has the goat?");
  const TraceMemory memory = memory_of(trace_);
  ASSERT_EQ(memory.nodes.size(), 3u);
  EXPECT_EQ(memory.nodes[2].at.stream, 2);
  EXPECT_EQ(memory.nodes[2].at.step, 6);
  ASSERT_EQ(memory.reads.size(), 2u);
  EXPECT_EQ(memory.reads[0].nodes, (std::vector<size_t>{0}));
  EXPECT_EQ(memory.reads[0].lexical, (std::vector<double>{0})) << "no word in common";
  EXPECT_EQ(memory.reads[1].nodes, (std::vector<size_t>{0, 2}));
  EXPECT_GT(memory.reads[1].lexical[0], 0);
  EXPECT_EQ(memory.reads[1].at.step, 7);
}

TEST_F(TraceMemoryTest, SimilarityEqualsThatOfTheSessionsGraph) {
  MemoryGraph graph(8);
  const std::vector<std::string> texts = {"The goat is Kelda's.", "Marvin drives a red van.",
                                          "Kelda paid 40 dollars."};
  for (const std::string& text : texts) {
    MemoryNode node;
    node.text = text;
    const NodeId id = graph.add(std::move(node), {}).first;
    write(1, 0, id, text);
  }
  const std::string query = "How many dollars did Kelda pay for the goat?";
  look(2, 1, query);
  const TraceRead read = memory_of(trace_).reads.at(0);
  ReadOptions all;
  all.top_k = 8;
  all.threshold = -1;
  all.near_best = -1;
  all.damping = all.subject_damping = 0;
  const auto scored = graph.read({1, 0, {}}, {query, {}}, all);
  ASSERT_EQ(scored.size(), texts.size());
  for (const Recall& recall : scored)
    EXPECT_DOUBLE_EQ(read.lexical[static_cast<size_t>(recall.node - 1)], recall.direct);
}

TEST_F(TraceMemoryTest, RemovedNodesAreNoCandidatesAndRepeatedTextsNoNewNodes) {
  write(1, 0, 1, "One.");
  write(2, 0, 2, "Two.", /*evicted=*/1);
  write(3, 1, 2, "Two.");
  look(4, 2, "two");
  const TraceMemory memory = memory_of(trace_);
  EXPECT_EQ(memory.nodes.size(), 2u);
  EXPECT_EQ(memory.reads[0].nodes, (std::vector<size_t>{1}));
}

TEST_F(TraceMemoryTest, NotesAndTextsThatAreTooLongAreNoNodes) {
  decide(1, MemoryWrite{NoteSource::of_register("hunch"), NodeOrigin::kPromotion, "A.", 1, {}});
  decide(1, MemoryWrite{NoteSource::of_stream(0), NodeOrigin::kMarker, "B.", {}, {}, 200});
  EXPECT_TRUE(memory_of(trace_).nodes.empty());
}

TEST_F(TraceMemoryTest, SentencesHaveTheFeaturesOfTheWriteHead) {
  WriteFeatures features;
  features.confidence = 0.25;
  features.novelty = 1;
  decide(9, MemoryConsideration{3, "So.", 0.5, features, 0.7, false});
  const TraceMemory memory = memory_of(trace_);
  ASSERT_EQ(memory.sentences.size(), 1u);
  EXPECT_EQ(memory.sentences[0].at.stream, 3);
  EXPECT_EQ(memory.sentences[0].at.step, 9);
  EXPECT_EQ(memory.sentences[0].features.values(), features.values());
}

}  // namespace
}  // namespace polyphon
