#include "data/tree_outcomes.h"

#include <gtest/gtest.h>

#include "tasks/family.h"

namespace polyphon {
namespace {

TEST(TreeOutcomes, JudgeTheEndOfEachLine) {
  const Problem problem = make_problem(family("products"), 1, 7);
  const std::string right = "Answer: " + problem.solution, wrong = "Answer: 0";
  const auto node = [](int id, int parent, const std::string& text,
                       std::optional<std::string> playout = std::nullopt) {
    SearchNode node;
    node.id = id;
    node.parent = parent;
    node.text = text;
    node.playout = std::move(playout);
    return node;
  };
  SessionResult result;
  result.streams.resize(2);
  result.streams[0].text = "Nothing.";
  result.streams[1].text = "First. And then all that was committed: " + right;
  std::vector<SearchResult>& searches = result.search.emplace().searches;
  searches.resize(2);
  searches[0].stream = 1;
  searches[0].from_byte = 6;
  searches[0].tree = {node(0, -1, ""),
                      node(1, 0, "So.\n", "Hm.\n" + right),
                      node(2, 0, "Or.\n", wrong),
                      node(3, 0, "so.\n"),
                      node(4, 1, right),
                      node(5, 1, wrong),
                      node(6, 1, "Well.\n"),
                      node(7, 6, "Hm", "")};
  searches[0].tree[3].same_as = 1;
  searches[0].tree[4].terminal = searches[0].tree[5].terminal = true;
  searches[1].search = 2;
  searches[1].tree = {node(0, -1, "")};
  const std::vector<TreeOutcome> outcomes = tree_outcomes(problem, result);
  ASSERT_EQ(outcomes.size(), 2u);
  EXPECT_EQ(outcomes[0].stream, 1);
  EXPECT_EQ(outcomes[0].nodes, (std::vector<int>{1, 2, 4, 5, 7}));
  EXPECT_EQ(outcomes[0].right, (std::vector<bool>{true, false, true, false, false}))
      << "what the stream said after the search began is no part of a line";
  EXPECT_EQ(outcomes[1].search, 2);
  EXPECT_TRUE(outcomes[1].nodes.empty());
}

TEST(TreeOutcomes, AreNoneWithoutSearch) { EXPECT_TRUE(tree_outcomes({}, {}).empty()); }

}  // namespace
}  // namespace polyphon
