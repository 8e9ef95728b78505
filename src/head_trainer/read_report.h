// What ways to score memory's nodes are worth on looks that they were not fitted to, as JSON. No
// torch.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"

namespace polyphon {

// What came of one look.
struct RankedLook {
  int session = 0;
  bool wants = false;  // one of the nodes it could choose
  double above = 0;    // of a look that wants one: nodes with a greater score, equal ones by half
  double first = 0;    // and the chance that it is the first, equal ones by lot
  double best_score = 0;  // of all nodes
};

struct ReadArm {
  std::string name;
  std::vector<RankedLook> looks;  // the same in all arms, in one order
  double loss = 0;                // none for what is no probability: 0
  double threshold = 0;           // that a score must pass to be brought back
};

// An object an arm, {"head": "read", "arm"} and these, all intervals of 95 % by session:
// "recall_at_1" and "mrr" (1 / rank) of looks that want a node; "found", the share of them whose
// node is first and above the threshold; "in_vain", the share of the others for which a node is;
// "recall_at_1_gain", what the first arm has over this one, paired.
std::vector<Json> report_read(const std::vector<ReadArm>& arms);

}  // namespace polyphon
