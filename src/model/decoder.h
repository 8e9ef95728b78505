// The seam between policy and libllama: rows in, logits out, and views edited by ranges of
// positions. One thread owns a decoder (the decode thread); no method is thread-safe.
// Implementations: model/llama_decoder.cpp, and model/fake_decoder.h for tests.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/token.h"

namespace polyphon {

// A libllama sequence id: the name of a view. 0 .. max_sequences() - 1.
using SequenceId = int32_t;

// One token to decode into one view.
struct Row {
  Token token = 0;
  Position position = 0;  // last_position(sequence) + 1, + 2, ... in the order of the batch
  SequenceId sequence = 0;
  bool output = false;  // logits wanted
};

// Keys and values of a run of tokens, outside the cache. They mean something only to a decoder of
// the same model, adapters and KV type.
struct SavedCells {
  Tokens tokens;
  Position begin = 0;  // where the first was decoded; the others follow without a gap
  std::string bytes;
};

enum class DecodeStatus {
  kOk,
  kNoSpace,  // no free cells for the batch; the cache is unchanged
  kFailed,   // the backend failed or aborted; cells of the batch may be partly there
};

class Decoder {
 public:
  virtual ~Decoder() = default;

  virtual int capacity_cells() const = 0;  // cells in the unified KV cache
  virtual int max_sequences() const = 0;   // at most 256
  virtual int max_rows() const = 0;        // rows that one decode() takes
  virtual int threads() const = 0;         // that the last decode() computed with
  virtual int vocabulary_size() const = 0;
  virtual int hidden_size() const = 0;
  // Bytes of KV a cell takes over all layers.
  virtual int64_t bytes_per_cell() const = 0;

  // Computes all rows. Blocks for the whole forward pass. With `want_hidden` every row must have
  // output = true, and hidden() is valid too.
  virtual DecodeStatus decode(std::span<const Row> rows, bool want_hidden) = 0;

  // Nothing will be decoded for a while: ends the threads that decode() computed with.
  virtual void rest() {}

  // Of row `row` of the last decode (its index there; output must have been set). Valid until the
  // next decode. The caller may write into the logits.
  virtual std::span<float> logits(int row) = 0;              // [vocabulary_size]
  virtual std::span<const float> hidden(int row) const = 0;  // [hidden_size], after the final norm

  // Adds the cells of `source`'s view at positions [begin, end) to `target`'s view. No compute.
  virtual void join(SequenceId source, SequenceId target, Position begin, Position end) = 0;
  // Takes the cells at positions [begin, end) out of the view; cells in no view are free.
  virtual void drop(SequenceId sequence, Position begin, Position end) = 0;
  // Takes everything out of the view.
  virtual void clear(SequenceId sequence) = 0;
  // The last position in the view, -1 when it is empty.
  virtual Position last_position(SequenceId sequence) const = 0;

  // How copies of cells are written, e.g. "f16, llama.cpp b7000": another format is not read.
  virtual std::string cells_format() const = 0;
  // Copies all cells of the view out of the cache.
  virtual std::string save(SequenceId sequence) = 0;
  // The copy's cells enter the empty view with the first at `begin`, their keys turned to the
  // positions there. False, and nothing changed: no room, bytes of another shape, or a model whose
  // keys cannot be turned.
  virtual bool restore(SequenceId sequence, const SavedCells& cells, Position begin) = 0;
};

}  // namespace polyphon
