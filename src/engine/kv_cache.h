// The unified KV cache as the engine sees it: the decoder's cells, the account of them, and the
// pool of sequence ids. All edits of views go through here, so account and decoder stay one. Decode
// thread only.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "model/cell_ledger.h"
#include "model/decoder.h"

namespace polyphon {

class KvCache {
 public:
  // `decoder` must outlive this.
  explicit KvCache(Decoder& decoder);

  int free_cells() const { return ledger_.free(); }
  int used_cells() const { return ledger_.used(); }
  int free_sequences() const { return static_cast<int>(free_ids_.size()); }

  // An empty view, or nothing when all ids are taken.
  std::optional<SequenceId> acquire();
  // Empties the view and gives the id back. How many cells are free by that.
  int release(SequenceId sequence);

  // Returns how many cells `target` gained.
  int join(SequenceId source, SequenceId target, Position begin, Position end);
  // Returns how many cells are free by that.
  int drop(SequenceId sequence, Position begin, Position end);
  Position last_position(SequenceId sequence) const;

  // A copy of all cells of the view, whose positions must have no gap.
  SavedCells save(SequenceId sequence);
  // The copy's cells enter the view, which ends before `begin`, with the first there. False, and
  // nothing changed: no room or no id, or Decoder::restore() could not.
  bool restore(SequenceId target, const SavedCells& cells, Position begin);

  // As Decoder::decode. Unless kOk, no cell of the batch counts as decoded, and the sequences in it
  // can only be released.
  DecodeStatus decode(std::span<const Row> rows, bool want_hidden);

  Decoder& decoder() { return decoder_; }
  const CellLedger& ledger() const { return ledger_; }

 private:
  Decoder& decoder_;
  CellLedger ledger_;
  std::vector<SequenceId> free_ids_;
};

}  // namespace polyphon
