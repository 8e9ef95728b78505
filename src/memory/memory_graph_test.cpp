#include "memory/memory_graph.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"

namespace polyphon {
namespace {

MemoryNode node(const std::string& text, Step step = 0) {
  MemoryNode node;
  node.text = text;
  node.step = step;
  return node;
}

std::vector<NodeId> ids(const std::vector<Recall>& recalls) {
  std::vector<NodeId> ids;
  for (const Recall& recall : recalls) ids.push_back(recall.node);
  return ids;
}

TEST(TermsTest, AreWordsAndNumbersWithoutPluralsAndFillers) {
  EXPECT_EQ(terms_of("The codes of Falcon-9 are 4417!"), (Terms{"code", "falcon", "9", "4417"}));
  EXPECT_EQ(terms_of("Überflüssig, glass"), (Terms{"Überflüssig", "glass"}));
  EXPECT_TRUE(terms_of(" ... the ").empty());
}

TEST(TermsTest, ARareWordCountsMoreThanOneThatIsEverywhere) {
  TermStatistics words;
  for (const char* name : {"falcon", "heron", "raven", "swift"})
    words.add(terms_of(std::string("the code of ") + name));
  const Terms query = terms_of("code falcon");
  EXPECT_GT(words.similarity(query, terms_of("falcon")), words.similarity(query, terms_of("code")));
  EXPECT_NEAR(words.similarity(query, query), 1, 1e-12);
  EXPECT_EQ(words.similarity(query, {}), 0);
}

TEST(RelationTest, NeedsTheSameSubject) {
  EXPECT_EQ(relation("The code of Falcon is 4417.", "The code of Falcon is 4417!"),
            EdgeKind::kSupports);
  EXPECT_EQ(relation("The code of Falcon is 4417.", "The code of Falcon is 9."),
            EdgeKind::kContradicts);
  EXPECT_EQ(relation("The bridge is open today.", "The bridge is not open today."),
            EdgeKind::kContradicts);
  EXPECT_EQ(relation("The code of Falcon is 4417.", "The Falcon code was chosen by Ada in spring."),
            EdgeKind::kSameSubject);
  EXPECT_EQ(relation("The code of Falcon is 4417.", "The code of Heron is 4417."), std::nullopt);
  EXPECT_EQ(relation("", "The code"), std::nullopt);
}

TEST(MemoryGraphTest, ReadsTheNodeThatSharesTheWords) {
  MemoryGraph graph(8);
  graph.add(node("The code of Falcon is 4417."), {});
  const NodeId heron = graph.add(node("The code of Heron is 2203."), {}).first;
  graph.add(node("Pens come in boxes of twelve."), {});
  const auto found = graph.read({}, {"code of Heron", {}}, {1, 0.3});
  EXPECT_EQ(ids(found), std::vector<NodeId>{heron});
  EXPECT_GT(found[0].score, 0.5);
  EXPECT_TRUE(graph.read({}, {"weather tomorrow", {}}, {1, 0.3}).empty());
  EXPECT_TRUE(graph.read({}, {"code of Heron", {}}, {1, 0.3}, {1, 2, 3}).empty());
}

TEST(MemoryGraphTest, AContradictionComesAlongBeyondTopK) {
  MemoryGraph graph(8);
  const NodeId first = graph.add(node("The code of Falcon is 4417."), {}).first;
  graph.add(node("Pens come in boxes of twelve."), {});
  const NodeId second = graph.add(node("The code of Falcon is 1200."), {}).first;
  const auto found = graph.read({}, {"code of Falcon is 4417", {}}, {1, 0.3});
  EXPECT_EQ(ids(found), (std::vector<NodeId>{first, second}));
  EXPECT_EQ(found[1].contradicts, first);
  EXPECT_EQ(found[0].contradicts, 0);
}

TEST(MemoryGraphTest, AScoreSpreadsDampedOverEveryEdge) {
  MemoryGraph graph(8);
  const NodeId a = graph.add(node("alpha beta"), {}).first;
  const NodeId b = graph.add(node("gamma delta"), {a}).first;
  const NodeId c = graph.add(node("epsilon zeta"), {b}).first;
  const auto found = graph.read({}, {"alpha beta", {}}, {3, 0.1, 0, 0.5});
  ASSERT_EQ(ids(found), (std::vector<NodeId>{a, b, c}));
  EXPECT_NEAR(found[0].score, 1, 1e-12);
  EXPECT_NEAR(found[1].score, 0.5, 1e-12);
  EXPECT_NEAR(found[2].score, 0.25, 1e-12);
  EXPECT_EQ(found[2].direct, 0);
}

TEST(MemoryGraphTest, NodesFarBelowTheBestAreLeftOutButPremisesAreNot) {
  MemoryGraph graph(8);
  const NodeId falcon = graph.add(node("The code of the red falcon is 4417."), {}).first;
  const NodeId heron = graph.add(node("The code of the red heron is 2203."), {}).first;
  const NodeId sum = graph.add(node("Both together make 6620."), {falcon}).first;
  const auto found = graph.read({}, {"code of the red falcon", {}}, {4, 0.1});
  EXPECT_EQ(ids(found), (std::vector<NodeId>{falcon, sum}));
  const auto all = graph.read({}, {"code of the red falcon", {}}, {4, 0.1, 0});
  EXPECT_EQ(ids(all), (std::vector<NodeId>{falcon, sum, heron}));
}

TEST(MemoryGraphTest, HiddenStatesDecideWhereWordsDoNot) {
  MemoryGraph graph(8);
  MemoryNode a = node("alpha"), b = node("beta");
  a.key = {1, 0};
  b.key = {0, 1};
  graph.add(a, {});
  const NodeId second = graph.add(b, {}).first;
  const auto found = graph.read({}, {"nothing shared", {0, 3}}, {1, 0.05});
  ASSERT_EQ(ids(found), std::vector<NodeId>{second});
  EXPECT_NEAR(found[0].score, ReadHead{}.hidden_weight, 1e-12);
  ReadHead crossed;
  crossed.bilinear = {0, 1, 1, 0};  // the matrix swaps the two dimensions
  EXPECT_EQ(ids(graph.read(crossed, {"nothing shared", {0, 3}}, {1, 0.05})),
            std::vector<NodeId>{1});
}

TEST(MemoryGraphTest, TheLeastRecentlyUsedNodeGoesWithItsEdges) {
  MemoryGraph graph(2);
  const NodeId a = graph.add(node("The code of Falcon is 4417.", 1), {}).first;
  const NodeId b = graph.add(node("The code of Falcon is 1200.", 2), {}).first;
  ASSERT_EQ(graph.edges().size(), 1u);
  graph.used(a, 5);
  const auto [c, gone] = graph.add(node("Pens come in boxes.", 6), {});
  EXPECT_EQ(gone, b);
  EXPECT_EQ(graph.find(b), nullptr);
  EXPECT_NE(graph.find(c), nullptr);
  EXPECT_TRUE(graph.edges().empty());
}

TEST(MemoryGraphTest, TheSameTextIsOneNode) {
  MemoryGraph graph(4);
  const NodeId a = graph.add(node("alpha beta", 1), {}).first;
  EXPECT_EQ(graph.add(node("alpha beta", 7), {}), (std::pair<NodeId, NodeId>(a, 0)));
  EXPECT_EQ(graph.find(a)->step, 7);
  EXPECT_EQ(graph.nodes().size(), 1u);
}

TEST(MemoryGraphTest, NamesOfEdgesReadBack) {
  for (EdgeKind kind : {EdgeKind::kDerivedFrom, EdgeKind::kSupports, EdgeKind::kContradicts,
                        EdgeKind::kSameSubject})
    EXPECT_TRUE(read_name(name_of(kind), kind));
  EdgeKind unread = EdgeKind::kSupports;
  EXPECT_FALSE(read_name("likes", unread));
  EXPECT_EQ(unread, EdgeKind::kSupports);
}

TEST(MemoryHeadsTest, AConfidentNewResultIsWrittenAndChatterIsNot) {
  WriteFeatures result = features_of_sentence("So the total is 42 apples.");
  result.confidence = 0.9;
  result.novelty = 1;
  EXPECT_GT(write_probability({}, result, {}), 0.7);
  WriteFeatures chatter = features_of_sentence("Let me think about that for a moment.");
  chatter.confidence = 0.9;
  chatter.novelty = 1;
  EXPECT_LT(write_probability({}, chatter, {}), 0.5);
  WriteHead head;
  head.hidden_weights = {-10};
  EXPECT_LT(write_probability(head, result, std::vector<float>{1}), 0.1);
}

}  // namespace
}  // namespace polyphon
