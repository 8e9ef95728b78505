#include "head_trainer/search_examples.h"

#include <algorithm>
#include <map>

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

std::map<int, Subtree> subtrees_of(const Json& tree, const TreeOutcome& outcome) {
  std::map<int, Subtree> subtrees;
  for (const Json& node : tree)
    if (!node.contains("same_as"))
      subtrees[node.at("id").get<int>()] = {node.at("parent").get<int>(),
                                            node.at("tokens").get<int>(), 0, 0,
                                            node.at("visits").get<double>()};
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

std::vector<SearchExample> search_examples(const Json& search, const TreeOutcome& outcome) {
  const Json& tree = search.at("tree");
  const std::map<int, Subtree> subtrees = subtrees_of(tree, outcome);
  std::map<int, bool> right;
  for (size_t i = 0; i < outcome.nodes.size(); ++i) right[outcome.nodes[i]] = outcome.right[i];
  std::vector<SearchExample> examples;
  for (const Json& node : tree) {
    const int id = node.at("id").get<int>();
    if (!right.contains(id)) continue;
    examples.push_back({id,
                        right.at(id),
                        value_features_from_json(node.at("features")),
                        node.at("mean_logprob").get<double>(),
                        {node.at("parent").get<int>(), node.at("visits").get<double>()}});
  }
  std::map<int64_t, std::vector<SearchExample*>> siblings;
  for (SearchExample& example : examples) siblings[example.choice.group].push_back(&example);
  for (auto& [parent, all] : siblings) choose(all, subtrees);
  return examples;
}

}  // namespace polyphon
