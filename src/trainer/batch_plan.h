// In which order examples are trained on, and which are packed together: a function of the data,
// the seed and a position, so that a resumed run goes on with exactly the batch it was to see next.
// Plain state, no torch.
#pragma once

#include <cstdint>
#include <vector>

#include "tensors/token_batch.h"
#include "trainer/dataset.h"

namespace polyphon {

// Where the example is a plain sequence, however it says so, it is appended as one: same kernels,
// same bits.
void append(TokenBatch& batch, const Example& example);

// Rows `readers` of a segment see its rows `cells` because of a promotion.
struct BroughtCells {
  size_t segment = 0;  // in TokenBatch::segments
  int promotion = 0;   // in TrainingBatch::promotions
  RowRange readers;    // both counted from the segment's first row
  RowRange cells;
};

// Examples packed into one forward pass, and what is learnt from them.
struct TrainingBatch {
  TokenBatch tokens;
  std::vector<int> rows;                     // [targets]: whose state predicts
  std::vector<int64_t> targets;              // [targets]: the token predicted
  std::vector<float> weights;                // [targets]
  std::vector<ExamplePromotion> promotions;  // states: rows of the batch
  std::vector<BroughtCells> brought;
  std::vector<int> lines;  // of the examples, to name them
};

struct DataPosition {
  int64_t epoch = 0;
  int64_t next = 0;  // in the epoch's order
  bool operator==(const DataPosition&) const = default;
};

class BatchPlan {
 public:
  // `examples` must outlive this; none has more than `batch_tokens` tokens.
  BatchPlan(const std::vector<Example>& examples, int batch_tokens, uint64_t seed);

  // The batch at `position`, which moves past it. A batch is of one epoch.
  TrainingBatch take(DataPosition& position);
  int64_t batches_in(int64_t epochs);

 private:
  const std::vector<size_t>& order_of(int64_t epoch);
  // One past the last example that is packed into the batch beginning at `position`.
  int64_t end_of_batch(const DataPosition& position);

  const std::vector<Example>& examples_;
  const int batch_tokens_;
  const uint64_t seed_;
  int64_t epoch_ = -1;  // that order_ is of
  std::vector<size_t> order_;
};

}  // namespace polyphon
