// The graph of a session's memory. A node holds a text and a key; a typed edge says how two nodes
// are related. Pure; not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/token.h"
#include "heads/memory_heads.h"
#include "memory/node_cells.h"
#include "record/kept_memory.h"
#include "text/term_similarity.h"

namespace polyphon {

// How a statement relates to an older one, judged by words alone. If most words are shared, the
// subject is the same. If all words are shared, equal numbers and equal negation mean kSupports,
// else kContradicts. None if the subjects differ. A crude rule that fails for paraphrases, but
// needs no training.
std::optional<EdgeKind> relation(const std::string& statement, const std::string& other);

// What a reader asks the graph.
struct MemoryQuery {
  std::string text;
  std::vector<float> hidden;  // may be empty
};

struct ReadOptions {
  int top_k = 2;
  double threshold = 0.35;
  double near_best = 0.7;        // a result has at least this share of the best score
  double damping = 0.8;          // factor on a score that spreads over an edge
  double subject_damping = 0.5;  // the same, over an edge that only says "same subject"
};

struct Recall {
  NodeId node = 0;
  double score = 0;
  double direct = 0;       // the part of `score` that did not come over edges
  NodeId contradicts = 0;  // the chosen node that this one contradicts; 0 if it was chosen itself
};

class MemoryGraph {
 public:
  // `most`: capacity in nodes. Adding to a full graph removes the least recently used node.
  explicit MemoryGraph(int most) : most_(most) {}

  // Adds the node and its edges: relation() to each node, and kDerivedFrom to the nodes in `from`.
  // Returns the ids of the new node and of the removed node (0 if none). If a node with this text
  // exists, returns the existing node's id and marks the node as used.
  std::pair<NodeId, NodeId> add(MemoryNode node, const std::vector<NodeId>& from);
  void connect(NodeId from, NodeId to, EdgeKind kind);
  void remove(NodeId node);
  void used(NodeId node, Step step);
  void give_cells(NodeId node, CellsPtr cells);

  const MemoryNode* find(NodeId node) const;
  const std::vector<MemoryNode>& nodes() const { return nodes_; }
  const std::vector<MemoryEdge>& edges() const { return edges_; }
  bool full() const { return static_cast<int>(nodes_.size()) >= most_; }

  // The largest similarity of the text to any node, in [0, 1].
  double familiarity(const std::string& text) const;
  // The best nodes with a score above the threshold, best first, followed by nodes that contradict
  // one of them. Nodes far below the best are left out: if two similar facts are in view, a small
  // model picks either. Scores spread: over an edge that does not contradict, a node gets at least
  // `damping` times its neighbour's score (spreading activation, Collins and Loftus 1975). Nodes in
  // `passed_over` take part in scoring and spreading, but are never returned.
  std::vector<Recall> read(const ReadHead& head, const MemoryQuery& query,
                           const ReadOptions& options,
                           const std::vector<NodeId>& passed_over = {}) const;

 private:
  TermStatistics statistics() const;
  void spread(std::vector<Recall>& scored, const ReadOptions& options) const;

  int most_;
  NodeId last_id_ = 0;
  std::vector<MemoryNode> nodes_;  // in order of ids
  std::map<NodeId, Terms> terms_;  // words of the nodes' texts
  std::vector<MemoryEdge> edges_;
};

}  // namespace polyphon
