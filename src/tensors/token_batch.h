// Sequences packed into one row of tokens for a forward pass. Tokens of one segment never see those
// of another: attention is computed segment by segment, so the mask of a packed batch is
// block-diagonal by construction and costs nothing off the diagonal. Plain state, no torch.
#pragma once

#include <optional>
#include <vector>

#include "core/token.h"
#include "record/visibility.h"

namespace polyphon {

struct Segment {
  int begin = 0;  // rows [begin, end) of the batch
  int end = 0;
  // Of size end - begin; every row sees itself. Without one a row sees all rows up to its own.
  std::optional<Visibility> visibility;
};

struct TokenBatch {
  Tokens tokens;                    // [rows]
  std::vector<Position> positions;  // [rows], of RoPE; need not grow
  std::vector<Segment> segments;    // in order, cover all rows

  int rows() const { return static_cast<int>(tokens.size()); }
};

// Appends a plain sequence: positions from 0, each token sees all before it.
inline void append_plain(TokenBatch& batch, const Tokens& tokens) {
  const int begin = batch.rows();
  batch.tokens.insert(batch.tokens.end(), tokens.begin(), tokens.end());
  for (size_t i = 0; i < tokens.size(); ++i) batch.positions.push_back(static_cast<Position>(i));
  batch.segments.push_back({begin, batch.rows(), std::nullopt});
}

}  // namespace polyphon
