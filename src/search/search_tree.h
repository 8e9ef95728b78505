// The tree of one search: chooses the next leaf to value and collects the values. Pure:
// StreamSearch decodes the leaves and values them. Not thread-safe.
//
// - Selection is PUCT (Rosin 2011; Silver et al. 2017): the child with the greatest
//   Q + cpuct * prior * sqrt(N_parent) / (1 + N)
// A leaf that is being decoded counts as a visit of value 0 on its whole path (virtual loss;
// Chaslot, Winands, van den Herik 2008), so that the leaves of one batch spread out.
//
// - Widening is progressive (Coulom 2007; Chaslot et al. 2008): a node may have
//   widening * visits^power
// children, because the possible next thoughts are unlimited. If all selectable nodes are being
// decoded, max_children is the only limit.
//
// - Nodes with the same text from the root, apart from case and white space, are one state (Childs,
// Brodeur, Kocsis 2008). The later node is dropped, its parent gets an edge to the first one, and
// both parents share its statistics. Text only grows along an edge, so there are no cycles.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/json.h"
#include "heads/value_head.h"
#include "record/session_result.h"

namespace polyphon {

// The result of a leaf that was decoded.
struct LeafOutcome {
  std::string text;         // text of its thought step
  int tokens = 0;           // tokens of the step
  double mean_logprob = 0;  // mean over these tokens
  double value = 0;         // in [0, 1]
  ValueFeatures features;   // what the value head read
  bool ended = false;       // the model ended its turn
  bool terminal = false;    // nothing may follow: ended, states an answer, or the budget is spent
  std::string answer;       // the answer that it states; may be empty
};

class SearchTree {
 public:
  struct Edge {
    int child = 0;
    double logprob = 0;  // mean over the step's tokens
    double prior = 0;    // softmax of logprob over the parent's edges
  };
  struct Node {
    int parent = -1;  // the first parent; -1 for the root
    int depth = 0;
    std::string path_text;    // text of all steps from the root
    std::vector<Edge> edges;  // edges to valued children
    int leaves = 0;           // children that are being decoded
    int repeats = 0;          // children whose text repeated another node
    int visits = 0;
    double value_sum = 0;
    int virtual_visits = 0;
    bool valued = false;
    bool sealed = false;  // may get no more children: terminal, too deep, or pruned
    bool pruned = false;  // its cells are dropped, so it cannot be committed
    int same_as = -1;     // the earlier node with the same text, or -1
    LeafOutcome outcome;

    double mean_value() const { return visits == 0 ? 0 : value_sum / visits; }
  };

  // The root is node 0.
  explicit SearchTree(const SearchRequest& limits);

  // The next thing to value, as a path from the root; none if all of it is being decoded or nothing
  // is left. If `expands`, the path's last node gets a new child; else the last node is sealed and
  // should be revisited. `revisits`: whether sealed nodes may be chosen.
  struct Selection {
    std::vector<int> path;
    bool expands = false;
  };
  std::optional<Selection> select(bool revisits) const;

  // Adds a child of the path's last node, which is being decoded from now on. Returns its number.
  int begin_leaf(const std::vector<int>& path);
  // Call when the leaf is decoded. Returns the node that holds its statistics from now on: the leaf
  // itself, or an earlier node with the same text. In the second case this visit adds that node's
  // mean value.
  int finish_leaf(int leaf, LeafOutcome outcome);
  // Call when the leaf is no longer wanted.
  void abandon_leaf(int leaf);
  // Counts one more visit of the path with the value of its last node.
  void revisit(const std::vector<int>& path);

  // Marks a node whose cells will be dropped.
  void prune(int node);
  // The node to prune first: a valued node without children with the fewest visits, then the lowest
  // value. Not on the most visited path and not pruned already; -1 if there is none.
  int least_visited_leaf() const;

  // Follows from the root the most visited child (then the highest value, then the earliest) as
  // long as there is one that is valued and not pruned. Returns the last node: the end of the line
  // to commit, 0 if there is none.
  int most_visited_node() const;
  // The nodes from below the root to `node`, by first parents: the nodes whose cells `node` saw.
  std::vector<int> line_to(int node) const;

  const std::vector<Node>& nodes() const { return nodes_; }
  int simulations() const { return nodes_.front().visits; }
  int leaves_begun() const { return static_cast<int>(nodes_.size()) - 1; }
  int leaves_waiting() const { return static_cast<int>(paths_.size()); }

  // All nodes that were valued, for the session's result.
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
  std::unordered_map<int, std::vector<int>> paths_;  // paths of the leaves that are being decoded
  std::unordered_map<std::string, int> states_;      // node by normalised path text
};

}  // namespace polyphon
