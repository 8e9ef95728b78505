#include "search/search_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/random.h"

namespace polyphon {
namespace {

SearchRequest limits() {
  SearchRequest request;
  request.mode = SearchMode::kAlways;
  return request;
}

LeafOutcome says(const std::string& text, double value, double logprob = -1) {
  LeafOutcome outcome;
  outcome.text = text;
  outcome.tokens = static_cast<int>(text.size());
  outcome.value = value;
  outcome.mean_logprob = logprob;
  return outcome;
}

const SearchTree::Node& node(const SearchTree& tree, int index) {
  return tree.nodes()[static_cast<size_t>(index)];
}

TEST(SearchTree, SelectionFollowsPuct) {
  SearchRequest request = limits();
  request.max_children = 2;
  request.widening = 2;
  request.widening_power = 0;
  request.cpuct = 1.5;
  for (const double second : {0.2, 0.45, 0.55, 0.9}) {
    SearchTree tree(request);
    for (const auto& [text, value, logprob] :
         {std::tuple("a", 0.5, -0.5), std::tuple("b", second, -1.5)}) {
      const auto next = tree.select(true);
      ASSERT_TRUE(next && next->expands);
      ASSERT_EQ(next->path, std::vector<int>{0});
      tree.finish_leaf(tree.begin_leaf(next->path), says(text, value, logprob));
    }
    const double mass = std::exp(-0.5) + std::exp(-1.5);
    const double first_score = 0.5 + 1.5 * std::exp(-0.5) / mass * std::sqrt(2.0) / 2;
    const double second_score = second + 1.5 * std::exp(-1.5) / mass * std::sqrt(2.0) / 2;
    const auto next = tree.select(true);
    ASSERT_TRUE(next && next->expands);
    EXPECT_EQ(next->path, (std::vector<int>{0, first_score >= second_score ? 1 : 2})) << second;
  }
}

TEST(SearchTree, LeavesBeingDecodedSpreadTheNextOnes) {
  SearchRequest request = limits();
  request.max_children = 2;
  request.widening = 2;
  request.widening_power = 0;
  SearchTree tree(request);
  for (const char* text : {"a", "b"})
    tree.finish_leaf(tree.begin_leaf({0}), says(text, text[0] == 'a' ? 0.6 : 0.5));
  std::vector<int> first_steps;
  for (int i = 0; i < 4; ++i) {
    const auto next = tree.select(true);
    ASSERT_TRUE(next && next->expands);
    first_steps.push_back(next->path.at(1));
    tree.begin_leaf(next->path);
  }
  EXPECT_EQ(first_steps, (std::vector<int>{1, 2, 1, 2}));
  // Each node may have two children, and all leaves are being decoded.
  EXPECT_FALSE(tree.select(true));
}

TEST(SearchTree, WideningFollowsVisitsUnlessEverythingElseIsBeingDecoded) {
  SearchRequest request = limits();
  request.widening = 1;
  request.widening_power = 0.5;
  request.max_children = 4;
  SearchTree tree(request);
  tree.finish_leaf(tree.begin_leaf({0}), says("a", 0.5));
  // One visit allows sqrt(2) children: a second child first, then the first one is deepened.
  EXPECT_EQ(tree.select(true)->path, std::vector<int>{0});
  const int second = tree.begin_leaf({0});
  EXPECT_EQ(tree.select(true)->path, (std::vector<int>{0, 1}));
  std::vector<std::vector<int>> out_of_turn;
  while (const auto next = tree.select(true)) {
    ASSERT_TRUE(next->expands);
    out_of_turn.push_back(next->path);
    tree.begin_leaf(next->path);
  }
  // At most 4 children each: 4 below the first node, 2 more beside it.
  EXPECT_EQ(std::count(out_of_turn.begin(), out_of_turn.end(), std::vector<int>{0}), 2);
  EXPECT_EQ(std::count(out_of_turn.begin(), out_of_turn.end(), (std::vector<int>{0, 1})), 4);
  tree.abandon_leaf(second);
  EXPECT_TRUE(tree.select(true));
}

TEST(SearchTree, NodesOfTheSameTextAreOne) {
  SearchTree tree(limits());
  const int first = tree.finish_leaf(tree.begin_leaf({0}), says("So it is  Four.", 0.8));
  const int again = tree.begin_leaf({0});
  EXPECT_EQ(tree.finish_leaf(again, says(" so it is four.\n", 0.1)), first);
  EXPECT_EQ(node(tree, again).same_as, first);
  EXPECT_EQ(node(tree, first).visits, 2);
  EXPECT_DOUBLE_EQ(node(tree, first).mean_value(), 0.8);
  EXPECT_EQ(tree.nodes().front().edges.size(), 1u);
  // The same text, cut into other steps, meets the same node.
  const int half = tree.finish_leaf(tree.begin_leaf({0}), says("So it ", 0.5));
  EXPECT_NE(half, first);
  EXPECT_EQ(tree.finish_leaf(tree.begin_leaf({0, half}), says("is four.", 0.5)), first);
  EXPECT_EQ(node(tree, half).edges.front().child, first);
  EXPECT_EQ(node(tree, first).parent, 0);
  // A turn that ended is another state than one that may continue.
  LeafOutcome ended = says("So it is four.", 0.9);
  ended.ended = ended.terminal = true;
  EXPECT_NE(tree.finish_leaf(tree.begin_leaf({0}), ended), first);
}

TEST(SearchTree, TheMostVisitedPathIsFollowedAndPrunedNodesAreNot) {
  SearchTree tree(limits());
  const int a = tree.finish_leaf(tree.begin_leaf({0}), says("a", 0.3));
  const int b = tree.finish_leaf(tree.begin_leaf({0}), says("b", 0.9));
  const int c = tree.finish_leaf(tree.begin_leaf({0, a}), says("c", 0.3));
  EXPECT_EQ(tree.most_visited_node(), c);  // a has two visits
  EXPECT_EQ(tree.line_to(c), (std::vector<int>{a, c}));
  EXPECT_EQ(tree.least_visited_leaf(), b);
  tree.prune(b);
  EXPECT_EQ(tree.least_visited_leaf(), -1);
  tree.prune(c);
  EXPECT_EQ(tree.most_visited_node(), a);
  const int anew = tree.begin_leaf({0});
  EXPECT_EQ(tree.finish_leaf(anew, says("b", 0.9)), anew);  // the pruned node's cells are gone
}

// Random searches: checks what must hold whatever the model says.
TEST(SearchTree, CountsAddUpAndNothingIsItsOwnAncestor) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    SearchRequest request = limits();
    request.depth = 1 + static_cast<int>(random.next() % 5);
    request.max_children = 1 + static_cast<int>(random.next() % 6);
    request.widening = 0.1 + 3 * random.uniform();
    SearchTree tree(request);
    std::vector<int> decoding;
    for (int i = 0; i < 150; ++i) {
      if (!decoding.empty() && random.uniform() < 0.5) {
        const size_t which = random.next() % decoding.size();
        const int leaf = decoding[which];
        decoding.erase(decoding.begin() + static_cast<std::ptrdiff_t>(which));
        if (random.uniform() < 0.1) {
          tree.abandon_leaf(leaf);
          continue;
        }
        LeafOutcome outcome = says(std::string(random.next() % 3, 'x') +
                                       static_cast<char>(random.uniform() < 0.1 ? ' ' : 'y'),
                                   random.uniform(), -3 * random.uniform());
        outcome.terminal = random.uniform() < 0.2;
        tree.finish_leaf(leaf, outcome);
      } else if (const auto next = tree.select(random.uniform() < 0.5)) {
        next->expands ? decoding.push_back(tree.begin_leaf(next->path)) : tree.revisit(next->path);
      } else if (const int least = tree.least_visited_leaf(); least >= 0) {
        tree.prune(least);
      }
    }
    for (const int leaf : decoding) tree.abandon_leaf(leaf);
    ASSERT_EQ(tree.leaves_waiting(), 0);
    for (size_t i = 0; i < tree.nodes().size(); ++i) {
      const SearchTree::Node& each = tree.nodes()[i];
      ASSERT_EQ(each.virtual_visits, 0);
      ASSERT_EQ(each.leaves, 0);
      ASSERT_LE(static_cast<int>(each.edges.size()), request.max_children);
      ASSERT_LE(each.depth, request.depth);
      ASSERT_GE(each.value_sum, 0);
      ASSERT_LE(each.value_sum, each.visits);
      double priors = 0;
      for (const SearchTree::Edge& edge : each.edges) {
        priors += edge.prior;
        ASSERT_NE(edge.child, static_cast<int>(i));
        ASSERT_GE(node(tree, edge.child).path_text.size(), each.path_text.size());
      }
      ASSERT_TRUE(each.edges.empty() || std::abs(priors - 1) < 1e-9);
      ASSERT_TRUE(i == 0 || !each.valued || each.visits >= 1);
    }
    int first_visits = 0;
    for (const SearchTree::Edge& edge : tree.nodes().front().edges)
      first_visits += node(tree, edge.child).visits;
    ASSERT_GE(first_visits, tree.simulations());  // more if nodes are shared
    const std::vector<int> line = tree.line_to(tree.most_visited_node());
    ASSERT_EQ(std::set<int>(line.begin(), line.end()).size(), line.size());
  }
}

TEST(SearchTree, ReportsEveryNodeThatWasValued) {
  SearchTree tree(limits());
  tree.finish_leaf(tree.begin_leaf({0}), says("a\xff", 0.3));
  tree.finish_leaf(tree.begin_leaf({0}), says("a\xff ", 0.3));
  tree.abandon_leaf(tree.begin_leaf({0}));
  const std::vector<SearchNode> nodes = tree.report();
  ASSERT_EQ(nodes.size(), 3u);
  EXPECT_EQ(nodes[1].text, "a\xEF\xBF\xBD");
  EXPECT_EQ(nodes[1].visits, 2);
  EXPECT_EQ(nodes[1].prior, 1);
  EXPECT_EQ(nodes[2].same_as, 1);
}

}  // namespace
}  // namespace polyphon
