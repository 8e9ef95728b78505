// The tree of one search: which leaf to value next, and what all values say. Pure; the session
// decodes the leaves and says what they are worth. Not thread-safe.
//
// - Selection is PUCT (Rosin 2011; Silver et al. 2017): the child with the greatest
//   Q + cpuct * prior * sqrt(N_parent) / (1 + N). A leaf that is being decoded counts as a visit of
//   value 0 on its whole path (virtual loss; Chaslot, Winands, van den Herik 2008), so that the
//   leaves of one batch spread out.
// - Widening is progressive (Coulom 2007; Chaslot et al. 2008): a node may have
//   widening * visits^power children, since the thoughts that may follow are without number. When
//   all that could be selected is being decoded, max_children is the only limit.
// - Nodes reached by the same text, but for case and white space, are one (Childs, Brodeur,
//   Kocsis 2008): the later one is dropped, its parent gets an edge to the first, and the
//   statistics are shared. A text only grows along an edge, so there are no cycles.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/json.h"
#include "heads/value_head.h"
#include "record/session_result.h"

namespace polyphon {

// What a finished leaf is.
struct LeafOutcome {
  std::string text;         // of its thought step
  int tokens = 0;           // of it
  double mean_logprob = 0;  // of them
  double value = 0;         // in [0, 1]
  ValueFeatures features;   // that the head saw
  bool ended = false;       // the model ended its turn
  bool terminal = false;    // nothing may follow: it ended, stated an answer, or spent the budget
  std::string answer;       // that it states
};

class SearchTree {
 public:
  struct Edge {
    int child = 0;
    double logprob = 0;  // mean, of the step's tokens
    double prior = 0;    // softmax of logprob over the parent's edges
  };
  struct Node {
    int parent = -1;  // the first; -1 for the root
    int depth = 0;
    std::string path_text;    // of all steps from the root
    std::vector<Edge> edges;  // to valued children
    int leaves = 0;           // children that are being decoded
    int repeats = 0;          // children that said what another node had said
    int visits = 0;
    double value_sum = 0;
    int virtual_visits = 0;
    bool valued = false;
    bool sealed = false;  // no children any more: terminal, too deep, or pruned
    bool pruned = false;  // cannot be committed either
    int same_as = -1;     // the node that was reached by the same text before
    LeafOutcome outcome;

    double mean_value() const { return visits == 0 ? 0 : value_sum / visits; }
  };

  // The root is node 0.
  explicit SearchTree(const SearchRequest& limits);

  // The way to what should be valued next, from the root; nothing when all of that is being decoded
  // or there is nothing left. `expands`: a new child of the last node; else the last node is sealed
  // and is to be revisited. `revisits`: whether such a node may be chosen.
  struct Selection {
    std::vector<int> path;
    bool expands = false;
  };
  std::optional<Selection> select(bool revisits) const;

  // A new child of the path's last node is being decoded; its number.
  int begin_leaf(const std::vector<int>& path);
  // It is decoded. The node that holds its statistics from now on: itself, or one with the same
  // text, whose mean value is then what this visit adds.
  int finish_leaf(int leaf, LeafOutcome outcome);
  // It is not wanted any more.
  void abandon_leaf(int leaf);
  // Adds the value of the path's last node once more.
  void revisit(const std::vector<int>& path);

  // The cells of `node` are to be dropped.
  void prune(int node);
  // The valued node without children that is visited least, of those the one of the lowest value,
  // not on the most visited path and not pruned yet; -1 when there is none.
  int least_visited_leaf() const;

  // From the root by the most visited child (then by value, then the earlier), as long as one is
  // valued and not pruned. Its last node, 0 when there is none: what should be committed.
  int most_visited_node() const;
  // The nodes from below the root to `node`, by the first parents: whose cells `node` saw.
  std::vector<int> line_to(int node) const;

  const std::vector<Node>& nodes() const { return nodes_; }
  int simulations() const { return nodes_.front().visits; }
  int leaves_begun() const { return static_cast<int>(nodes_.size()) - 1; }
  int leaves_waiting() const { return static_cast<int>(paths_.size()); }

  // Every node that was valued.
  std::vector<SearchNode> report() const;

 private:
  bool may_widen(int node, bool out_of_turn) const;
  std::vector<int> by_puct(int node) const;
  bool descend(std::vector<int>& path, bool revisits, bool out_of_turn, bool& expands) const;
  void back_up(const std::vector<int>& path, double value);
  void link(int parent, int child, double logprob);
  std::string state_of(const Node& parent, const LeafOutcome& outcome) const;
  std::vector<bool> on_most_visited_path() const;

  SearchRequest limits_;
  std::vector<Node> nodes_;
  std::unordered_map<int, std::vector<int>> paths_;  // of leaves that are being decoded
  std::unordered_map<std::string, int> states_;      // normalised path text: the node
};

}  // namespace polyphon
