#include "head_trainer/search_examples.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace polyphon {
namespace {

SearchNode node(int id, int parent, int tokens, int visits) {
  SearchNode node;
  node.id = id;
  node.parent = parent;
  node.tokens = tokens;
  node.visits = visits;
  node.text = ".";
  node.mean_logprob = -0.1 * id;
  node.features = ValueFeatures{.confidence = 0.1 * id, .line_confidence = 0.5};
  return node;
}

// 1 and its child 4 came to a wrong answer, 2 to a right one, 3 to a wrong one, but its child 5 to
// a right one; 6 was never played out, 7 said what 2 had said.
SearchResult search() {
  SearchResult search;
  search.tree = {node(0, -1, 0, 12), node(1, 0, 10, 5), node(2, 0, 8, 3), node(3, 0, 6, 4),
                 node(4, 1, 10, 2),  node(5, 3, 4, 1),  node(6, 1, 2, 1), node(7, 0, 4, 0)};
  search.tree[0].features.reset();
  search.tree[7].same_as = 2;
  return search;
}
TreeOutcome outcome() { return {0, 0, {1, 2, 3, 4, 5}, {false, true, false, false, true}}; }

TEST(SearchExamples, AreTheStatesWithAnOutcome) {
  const auto examples = search_examples(search(), outcome());
  ASSERT_EQ(examples.size(), 5u);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(examples[i].node, static_cast<int>(i) + 1);
    EXPECT_EQ(examples[i].right, i == 1 || i == 4);
    EXPECT_DOUBLE_EQ(examples[i].features.confidence, 0.1 * examples[i].node);
    EXPECT_EQ(examples[i].features.line_confidence, 0.5);
    EXPECT_DOUBLE_EQ(examples[i].mean_logprob, -0.1 * examples[i].node);
  }
}

TEST(SearchExamples, ChooseTheBranchBelowWhichMostIsRight) {
  const auto examples = search_examples(search(), outcome());
  // The root's: 1 (0 of 2 right, 22 tokens), 2 (1 of 1, 8 tokens), 3 (1 of 2, 10 tokens).
  for (const int i : {0, 1, 2}) {
    const ChoiceRow& choice = examples[static_cast<size_t>(i)].choice;
    EXPECT_EQ(choice.group, 0);
    EXPECT_EQ(choice.target, i == 1 ? 1 : 0);
    EXPECT_DOUBLE_EQ(choice.elsewhere, 32.0 / 40);
  }
  EXPECT_EQ(examples[2].choice.visits, 4);
  // An only child, and one whose sibling has no outcome, are no choice.
  for (const size_t i : {3u, 4u}) EXPECT_EQ(examples[i].choice.elsewhere, 0);
}

TEST(SearchExamples, SeveralBestOnesShareTheTargetByTheirVisits) {
  TreeOutcome both = outcome();
  both.right = {false, true, true, false, true};
  const auto examples = search_examples(search(), both);
  EXPECT_DOUBLE_EQ(examples[1].choice.target, 3.0 / 7);
  EXPECT_DOUBLE_EQ(examples[2].choice.target, 4.0 / 7);
  EXPECT_DOUBLE_EQ(examples[0].choice.elsewhere, 22.0 / 40);

  both.right.assign(5, false);
  for (const SearchExample& example : search_examples(search(), both))
    EXPECT_EQ(example.choice.elsewhere, 0) << "nothing is best";
}

TEST(SearchExamples, RefuseAnOutcomeOfAnotherTree) {
  TreeOutcome other = outcome();
  other.nodes[0] = 40;
  EXPECT_THROW(search_examples(search(), other), std::out_of_range);
  SearchResult bare = search();
  bare.tree[1].features.reset();
  EXPECT_THROW(search_examples(bare, outcome()), Error);
}

}  // namespace
}  // namespace polyphon
