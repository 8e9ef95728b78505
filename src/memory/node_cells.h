// Keys and values of memory's nodes. A node is decoded once, in a view of its own that holds an
// anchor and nothing else, so that its cells depend on the model and its words alone: they can be
// placed anywhere in any session, kept on disk, and computed again to the bit. Cells cut out of a
// stream instead carry what stood around them, and small models read them badly (docs/memory.md).
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

// What a reader sees of a node with this text.
Tokens node_tokens(const std::string& text, const Vocabulary& vocabulary);

// Decodes nodes beside whatever else the session does. Decode thread only.
class NodeWriter {
 public:
  static constexpr int kAtOnce = 2;
  static int cells_needed(const Vocabulary& vocabulary);

  NodeWriter(SessionViews& views, const Vocabulary& vocabulary);

  // At most kMostNodeTokens. `node` is the caller's name for it.
  void want(int64_t node, Tokens tokens);
  void forget(int64_t node);
  bool idle() const { return waiting_.empty() && open_.empty(); }

  struct Written {
    int64_t node;
    CellsPtr cells;
  };
  // After each step: what is done since.
  std::vector<Written> after_step();
  int rows() const { return rows_; }  // decoded so far, anchors included

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

// In a session of its own. Blocks until done; throws what ends the session.
std::vector<CellsPtr> compute_cells(Engine& engine, const Vocabulary& vocabulary,
                                    const std::vector<Tokens>& nodes, const SessionTerms& terms);

}  // namespace polyphon
