// Computes the cells (keys and values) of memory's nodes. A node is decoded once, in a view that
// holds only an anchor. So its cells depend only on the model and the node's text: they can be
// placed in any session, kept on disk, and computed again bit for bit. Cells cut out of a stream
// carry the words around them, and small models read such cells badly (docs/memory.md).
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "engine/engine.h"
#include "engine/session.h"
#include "model/decoder.h"
#include "model/vocabulary.h"
#include "record/kept_memory.h"

namespace polyphon {

inline constexpr size_t kMostNodeTokens = 128;

// The tokens that a reader sees of a node with this text.
Tokens node_tokens(const std::string& text, const Vocabulary& vocabulary);

// Decodes nodes while the session goes on. Decode thread only.
class NodeWriter {
 public:
  static constexpr int kAtOnce = 2;
  static int cells_needed(const Vocabulary& vocabulary);

  NodeWriter(SessionViews& views, const Vocabulary& vocabulary);

  // Queues a node of 1 to kMostNodeTokens tokens. `node` is an id that the caller chooses.
  void want(int64_t node, Tokens tokens);
  void forget(int64_t node);
  bool idle() const { return waiting_.empty() && open_.empty(); }

  struct Written {
    int64_t node;
    CellsPtr cells;
  };
  // Call after each step: the nodes that were completed since the last call.
  std::vector<Written> after_step();
  int rows() const { return rows_; }  // rows decoded so far, anchors included

 private:
  struct Wish {
    int64_t node;
    Tokens tokens;
    SequenceNumber sequence = -1;
  };
  void open_waiting();

  SessionViews& views_;
  const Tokens anchor_;
  std::deque<Wish> waiting_;
  std::vector<Wish> open_;
  int rows_ = 0;
};

// Computes the cells in a session of its own. Blocks until it is done; throws the error that ends
// the session. Not for the decode thread.
std::vector<CellsPtr> compute_cells(Engine& engine, const Vocabulary& vocabulary,
                                    const std::vector<Tokens>& nodes, const SessionTerms& terms);

}  // namespace polyphon
