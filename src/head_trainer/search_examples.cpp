#include "head_trainer/search_examples.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"

namespace polyphon {
namespace {

// A node and all below it.
struct Subtree {
  int parent = -1;
  int tokens = 0;  // that the search spent
  int ends = 0, right_ends = 0;
  double visits = 0;

  double share_right() const {
    return ends == 0 ? 0 : static_cast<double>(right_ends) / static_cast<double>(ends);
  }
};

std::map<int, Subtree> subtrees_of(const std::vector<SearchNode>& tree,
                                   const TreeOutcome& outcome) {
  std::map<int, Subtree> subtrees;
  for (const SearchNode& node : tree)
    if (!node.same_as)
      subtrees[node.id] = {node.parent, node.tokens, 0, 0, static_cast<double>(node.visits)};
  for (size_t i = 0; i < outcome.nodes.size(); ++i) {
    Subtree& subtree = subtrees.at(outcome.nodes[i]);
    ++subtree.ends;
    subtree.right_ends += outcome.right[i] ? 1 : 0;
  }
  // A node's number is greater than its parent's.
  for (auto node = subtrees.rbegin(); node != subtrees.rend(); ++node) {
    if (node->first == 0) continue;
    Subtree& parent = subtrees.at(node->second.parent);
    parent.tokens += node->second.tokens;
    parent.ends += node->second.ends;
    parent.right_ends += node->second.right_ends;
  }
  return subtrees;
}

void choose(std::vector<SearchExample*>& siblings, const std::map<int, Subtree>& subtrees) {
  const auto below = [&](const SearchExample* each) -> const Subtree& {
    return subtrees.at(each->node);
  };
  double best = 0, worst = 1;
  for (const SearchExample* each : siblings) {
    best = std::max(best, below(each).share_right());
    worst = std::min(worst, below(each).share_right());
  }
  if (best <= worst) return;
  double best_visits = 0, best_tokens = 0, tokens = 0;
  for (const SearchExample* each : siblings) {
    const bool is_best = below(each).share_right() == best;
    tokens += below(each).tokens;
    best_tokens += is_best ? below(each).tokens : 0;
    best_visits += is_best ? below(each).visits : 0;
  }
  if (tokens == 0 || best_visits == 0) return;
  for (SearchExample* each : siblings) {
    each->choice.elsewhere = 1 - best_tokens / tokens;
    if (below(each).share_right() == best) each->choice.target = below(each).visits / best_visits;
  }
}

}  // namespace

std::vector<SearchExample> search_examples(const SearchResult& search, const TreeOutcome& outcome) {
  const std::map<int, Subtree> subtrees = subtrees_of(search.tree, outcome);
  std::map<int, bool> right;
  for (size_t i = 0; i < outcome.nodes.size(); ++i) right[outcome.nodes[i]] = outcome.right[i];
  std::vector<SearchExample> examples;
  for (const SearchNode& node : search.tree) {
    if (!right.contains(node.id)) continue;
    if (!node.features)
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("node {} of a search has no features", node.id));
    examples.push_back({node.id,
                        right.at(node.id),
                        *node.features,
                        node.mean_logprob,
                        {node.parent, static_cast<double>(node.visits)}});
  }
  std::map<int64_t, std::vector<SearchExample*>> siblings;
  for (SearchExample& example : examples) siblings[example.choice.group].push_back(&example);
  for (auto& [parent, all] : siblings) choose(all, subtrees);
  return examples;
}

}  // namespace polyphon
