// Data that is not trained on, whose loss tells when training has done enough.
#pragma once

#include <vector>

#include "trainer/batch_loss.h"
#include "trainer/process_group.h"

namespace polyphon {

// Moves about `share` of the examples out, at least one, and leaves at least one. Examples that are
// alike up to their first target, as the streams of one problem are, stay together; those without a
// target stay where they are. Throws
// Error{kInvalidArgument} when all are alike.
std::vector<Example> hold_out(std::vector<Example>& examples, double share, uint64_t seed);

class HeldOut {
 public:
  // Throws Error{kInvalidArgument} when no target weighs anything.
  HeldOut(std::vector<Example> examples, int batch_tokens);
  HeldOut(const HeldOut&) = delete;  // the plan refers to the examples

  // The weighted mean that training minimises, without dropout. Every process of the group computes
  // its share.
  double loss(const BaseWeights& weights, const Lora& lora, const ProcessGroup& group);

 private:
  const std::vector<Example> examples_;
  BatchPlan plan_;
};

}  // namespace polyphon
