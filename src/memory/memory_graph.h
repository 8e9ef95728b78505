// What streams have put aside, as a graph: nodes hold a text and a key, typed edges say how two
// hang together. Pure; one thread.
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

// How a statement relates to another one about the same thing, by words alone: most words shared
// makes the same subject; then the same numbers and the same negation support, others contradict.
// Nothing when the subjects differ. Crude, and wrong for paraphrases: what works before training.
std::optional<EdgeKind> relation(const std::string& statement, const std::string& other);

// What a reader looks for.
struct MemoryQuery {
  std::string text;
  std::vector<float> hidden;  // may be empty
};

struct ReadOptions {
  int top_k = 2;
  double threshold = 0.35;
  double near_best = 0.7;        // least share of the best one's score
  double damping = 0.8;          // of a score, over each edge
  double subject_damping = 0.5;  // over one that says no more than the same subject
};

struct Recall {
  NodeId node = 0;
  double score = 0;
  double direct = 0;       // without what came over edges
  NodeId contradicts = 0;  // brought along because it contradicts this one; else 0
};

class MemoryGraph {
 public:
  // `most`: nodes; one more makes the least recently used one go.
  explicit MemoryGraph(int most) : most_(most) {}

  // Adds the node and its edges: relation() to each node, kDerivedFrom those in `from`. Gives the
  // ids of the new node and of the one that had to go (0: none). A text that is there already gets
  // no second node: its own id comes back, with used() done.
  std::pair<NodeId, NodeId> add(MemoryNode node, const std::vector<NodeId>& from);
  void connect(NodeId from, NodeId to, EdgeKind kind);
  void remove(NodeId node);
  void used(NodeId node, Step step);
  void give_cells(NodeId node, CellsPtr cells);

  const MemoryNode* find(NodeId node) const;
  const std::vector<MemoryNode>& nodes() const { return nodes_; }
  const std::vector<MemoryEdge>& edges() const { return edges_; }
  bool full() const { return static_cast<int>(nodes_.size()) >= most_; }

  // The largest similarity of the text to a node, in [0, 1].
  double familiarity(const std::string& text) const;
  // The best nodes whose score is above the threshold, best first, and after them what contradicts
  // one of them. None that is far from the best: of two like facts in view a small model takes
  // either. A score spreads: over an edge that does not contradict, a node has at least `damping`
  // of its neighbour's (spreading activation, Collins and Loftus 1975). What is in
  // `passed_over` scores and spreads, but is not chosen.
  std::vector<Recall> read(const ReadHead& head, const MemoryQuery& query,
                           const ReadOptions& options,
                           const std::vector<NodeId>& passed_over = {}) const;

 private:
  TermStatistics statistics() const;
  void spread(std::vector<Recall>& scored, const ReadOptions& options) const;

  int most_;
  NodeId last_id_ = 0;
  std::vector<MemoryNode> nodes_;  // by id
  std::map<NodeId, Terms> terms_;  // of their texts
  std::vector<MemoryEdge> edges_;
};

}  // namespace polyphon
