// Our own account of the unified KV cache: which cell is at which position and in whose views.
// libllama keeps the same table but does not show it; the engine counts free cells with this one
// and checks the invariants of views, and FakeDecoder uses it as its memory. Not thread-safe.
#pragma once

#include <bitset>
#include <vector>

#include "core/token.h"
#include "model/decoder.h"

namespace polyphon {

class CellLedger {
 public:
  static constexpr int kMaxSequences = 256;  // libllama's LLAMA_MAX_SEQ

  explicit CellLedger(int capacity_cells);

  int capacity() const { return static_cast<int>(cells_.size()); }
  int used() const { return used_; }
  int free() const { return capacity() - used_; }

  // A new cell in one view. False when the cache is full.
  bool add(SequenceId sequence, Position position, Token token);
  // The edits of Decoder, same meaning. join and drop return how many cells they touched.
  int join(SequenceId source, SequenceId target, Position begin, Position end);
  int drop(SequenceId sequence, Position begin, Position end);

  Position last_position(SequenceId sequence) const;
  int cells_in_view(SequenceId sequence) const;

  struct Cell {
    Position position = -1;  // -1: free
    Token token = 0;
    std::bitset<kMaxSequences> views;
  };
  const std::vector<Cell>& cells() const { return cells_; }

 private:
  std::vector<Cell> cells_;
  int used_ = 0;
  int next_free_ = 0;  // no free cell lies below this index
};

}  // namespace polyphon
