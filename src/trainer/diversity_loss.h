// L_diversity: what it costs that the streams of a session think alike.
#pragma once

#include <vector>

#include "record/example.h"
#include "tensors/torch.h"

namespace polyphon {

// The sum over sets of weight times the mean over the set's pairs of streams of max(0, cos(s_i,
// s_j) - margin), where s is the mean of a stream's states: a hinge on the cosine, as in Hadsell et
// al. 2006's contrastive loss. `states`: [rows, hidden_size] of the sets' rows, in their order. The
// type of the states, or float where that is bfloat16.
torch::Tensor diversity_loss(const torch::Tensor& states, const std::vector<StreamSummaries>& sets,
                             double margin);

// The rows that it takes, in that order.
std::vector<int> summarised_rows(const std::vector<StreamSummaries>& sets);

}  // namespace polyphon
