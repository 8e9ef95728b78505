#include "search/search_tree.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "base/check.h"
#include "base/utf8.h"

namespace polyphon {
namespace {

// Lower case, runs of white space as one blank, trimmed.
std::string normalised(const std::string& text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isspace(byte) == 0)
      result += static_cast<char>(std::tolower(byte));
    else if (!result.empty() && result.back() != ' ')
      result += ' ';
  }
  if (result.ends_with(' ')) result.pop_back();
  return result;
}

}  // namespace

SearchTree::SearchTree(const SearchRequest& limits) : limits_(limits), nodes_(1) {
  nodes_.front().valued = true;
  states_[""] = 0;
}

bool SearchTree::may_widen(int node, bool out_of_turn) const {
  const Node& at = nodes_[static_cast<size_t>(node)];
  if (at.sealed) return false;
  const auto children = static_cast<int>(at.edges.size()) + at.leaves + at.repeats;
  if (children >= limits_.max_children) return false;
  const double visits = at.visits + at.virtual_visits + 1;
  return out_of_turn || children < limits_.widening * std::pow(visits, limits_.widening_power);
}

std::vector<int> SearchTree::by_puct(int node) const {
  const Node& parent = nodes_[static_cast<size_t>(node)];
  const double root = std::sqrt(static_cast<double>(parent.visits + parent.virtual_visits));
  std::vector<std::pair<double, int>> scored;
  for (const Edge& edge : parent.edges) {
    const Node& child = nodes_[static_cast<size_t>(edge.child)];
    const double visits = child.visits + child.virtual_visits;
    const double mean = visits == 0 ? 0 : child.value_sum / visits;
    scored.emplace_back(-(mean + limits_.cpuct * edge.prior * root / (1 + visits)), edge.child);
  }
  std::sort(scored.begin(), scored.end());
  std::vector<int> order;
  for (const auto& [score, child] : scored) order.push_back(child);
  return order;
}

bool SearchTree::descend(std::vector<int>& path, bool revisits, bool out_of_turn,
                         bool& expands) const {
  const int node = path.back();
  expands = may_widen(node, false);
  if (expands) return true;
  const Node& at = nodes_[static_cast<size_t>(node)];
  if (node != 0 && at.edges.empty() && at.leaves == 0) return revisits && !at.pruned;
  for (const int child : by_puct(node)) {
    path.push_back(child);
    if (descend(path, revisits, out_of_turn, expands)) return true;
    path.pop_back();
  }
  expands = out_of_turn && may_widen(node, true);
  return expands;
}

std::optional<SearchTree::Selection> SearchTree::select(bool revisits) const {
  for (const bool out_of_turn : {false, true}) {
    Selection selection{{0}, false};
    if (descend(selection.path, revisits, out_of_turn, selection.expands)) return selection;
  }
  return std::nullopt;
}

int SearchTree::begin_leaf(const std::vector<int>& path) {
  const auto leaf = static_cast<int>(nodes_.size());
  Node& node = nodes_.emplace_back();
  node.parent = path.back();
  node.depth = nodes_[static_cast<size_t>(path.back())].depth + 1;
  ++nodes_[static_cast<size_t>(path.back())].leaves;
  for (const int above : path) ++nodes_[static_cast<size_t>(above)].virtual_visits;
  paths_[leaf] = path;
  return leaf;
}

void SearchTree::abandon_leaf(int leaf) {
  const auto found = paths_.find(leaf);
  POLYPHON_CHECK(found != paths_.end());
  for (const int above : found->second) --nodes_[static_cast<size_t>(above)].virtual_visits;
  --nodes_[static_cast<size_t>(found->second.back())].leaves;
  nodes_[static_cast<size_t>(leaf)].sealed = nodes_[static_cast<size_t>(leaf)].pruned = true;
  paths_.erase(found);
}

// The key of a state: the text from the root. A line that ended its turn is another state than one
// that may continue.
std::string SearchTree::state_of(const Node& parent, const LeafOutcome& outcome) const {
  std::string state = normalised(parent.path_text + outcome.text);
  if (outcome.ended) state += '\x03';
  return state;
}

int SearchTree::finish_leaf(int leaf, LeafOutcome outcome) {
  std::vector<int> path = paths_.at(leaf);
  abandon_leaf(leaf);
  Node& node = nodes_[static_cast<size_t>(leaf)];
  const Node& parent = nodes_[static_cast<size_t>(node.parent)];
  node.outcome = std::move(outcome);
  node.path_text = parent.path_text + node.outcome.text;
  const auto [met, is_new] = states_.try_emplace(state_of(parent, node.outcome), leaf);
  const bool adds_nothing =
      !is_new && std::find(path.begin(), path.end(), met->second) != path.end();
  const int holder = adds_nothing ? leaf : met->second;
  if (holder == leaf) {
    node.valued = true;
    node.pruned = false;
    node.sealed = node.outcome.terminal || adds_nothing || node.depth >= limits_.depth;
  } else {
    node.same_as = holder;
    ++nodes_[static_cast<size_t>(node.parent)].repeats;
  }
  const Node& held = nodes_[static_cast<size_t>(holder)];
  const double value = holder == leaf ? node.outcome.value : held.mean_value();
  link(node.parent, holder, node.outcome.mean_logprob);
  path.push_back(holder);
  back_up(path, value);
  return holder;
}

// Priors are normalised over the siblings known so far.
void SearchTree::link(int parent, int child, double logprob) {
  std::vector<Edge>& edges = nodes_[static_cast<size_t>(parent)].edges;
  const bool known =
      std::any_of(edges.begin(), edges.end(), [&](const Edge& e) { return e.child == child; });
  if (!known) edges.push_back({child, logprob, 0});
  double sum = 0;
  for (const Edge& edge : edges) sum += std::exp(edge.logprob);
  for (Edge& edge : edges) edge.prior = sum > 0 ? std::exp(edge.logprob) / sum : 0;
}

void SearchTree::back_up(const std::vector<int>& path, double value) {
  for (const int node : path) {
    ++nodes_[static_cast<size_t>(node)].visits;
    nodes_[static_cast<size_t>(node)].value_sum += value;
  }
}

void SearchTree::revisit(const std::vector<int>& path) {
  back_up(path, nodes_[static_cast<size_t>(path.back())].outcome.value);
}

void SearchTree::prune(int node) {
  Node& pruned = nodes_[static_cast<size_t>(node)];
  POLYPHON_CHECK(node != 0 && pruned.edges.empty() && pruned.leaves == 0);
  pruned.sealed = pruned.pruned = true;
  // From now on the same text may become a node again.
  std::erase_if(states_, [&](const auto& state) { return state.second == node; });
}

std::vector<bool> SearchTree::on_most_visited_path() const {
  std::vector<bool> result(nodes_.size());
  for (const int node : line_to(most_visited_node())) result[static_cast<size_t>(node)] = true;
  return result;
}

int SearchTree::least_visited_leaf() const {
  const std::vector<bool> keep = on_most_visited_path();
  int least = -1;
  for (size_t i = 1; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    if (!node.valued || node.pruned || keep[i] || !node.edges.empty() || node.leaves > 0) continue;
    const auto rank = [&](const Node& each) { return std::pair(each.visits, each.mean_value()); };
    if (least < 0 || rank(node) <= rank(nodes_[static_cast<size_t>(least)]))
      least = static_cast<int>(i);
  }
  return least;
}

int SearchTree::most_visited_node() const {
  int node = 0;
  while (true) {
    int best = -1;
    for (const Edge& edge : nodes_[static_cast<size_t>(node)].edges) {
      const Node& child = nodes_[static_cast<size_t>(edge.child)];
      if (child.pruned) continue;
      if (best < 0) {
        best = edge.child;
        continue;
      }
      const Node& leader = nodes_[static_cast<size_t>(best)];
      const bool better =
          child.visits > leader.visits ||
          (child.visits == leader.visits && child.mean_value() > leader.mean_value());
      if (better) best = edge.child;
    }
    if (best < 0) return node;
    node = best;
  }
}

std::vector<int> SearchTree::line_to(int node) const {
  std::vector<int> line;
  for (; node != 0; node = nodes_[static_cast<size_t>(node)].parent) line.push_back(node);
  std::reverse(line.begin(), line.end());
  return line;
}

std::vector<SearchNode> SearchTree::report() const {
  std::unordered_map<int, double> priors;  // of the edge from the first parent
  for (size_t i = 0; i < nodes_.size(); ++i)
    for (const Edge& edge : nodes_[i].edges)
      if (nodes_[static_cast<size_t>(edge.child)].parent == static_cast<int>(i))
        priors[edge.child] = edge.prior;
  std::vector<SearchNode> report;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    if (!node.valued && node.same_as < 0) continue;  // an abandoned leaf
    SearchNode& one = report.emplace_back();
    one.id = static_cast<int>(i);
    one.parent = node.parent;
    one.depth = node.depth;
    one.text = sanitize_utf8(node.outcome.text);
    one.tokens = node.outcome.tokens;
    one.mean_logprob = node.outcome.mean_logprob;
    one.visits = node.visits;
    one.value = node.outcome.value;
    one.mean_value = node.mean_value();
    if (const auto prior = priors.find(one.id); prior != priors.end()) one.prior = prior->second;
    one.terminal = node.outcome.terminal;
    if (i > 0) one.features = node.outcome.features;
    one.answer = sanitize_utf8(node.outcome.answer);
    if (node.same_as >= 0) one.same_as = node.same_as;
    one.pruned = node.valued && node.pruned;
  }
  return report;
}

}  // namespace polyphon
