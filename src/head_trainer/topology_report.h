// What choosing topologies by a head would have been worth: the answers of the sessions that played
// what it chooses, beside those of every fixed topology. No torch.
#pragma once

#include <string>
#include <vector>

#include "head_trainer/head_report.h"

namespace polyphon {

// A session a row: one problem with one topology. Rows go together.
struct PlayedTopologies {
  std::vector<int> problems;
  std::vector<int> choices;        // place in `names`
  std::vector<int> right;          // its answer: 0 or 1
  std::vector<int> stated;         // 1: what the model states for the problem
  std::vector<std::string> names;  // of topologies
};

// An object a policy for each budget, {"head": "choice of 512 tokens", "arm", "right", "gain",
// "problems", "chosen": how often which one}, over the problems that were played with all
// topologies of the budget. "right" is the share of problems whose answer would have been right,
// "gain" what the first policy has over this one, paired; intervals of 95 % by problem. Policies,
// the first one first:
// - of each arm the topology that it thinks best; where the model's statements are known, of the
//   first arm what the engine would do with them before that (heads/topology_head.h)
// - what the model states, where it is known
// - each topology for all problems; the best in hindsight; one by chance
// - any: some topology is right, which no choice can exceed
std::vector<Json> report_choices(const PlayedTopologies& played, const std::vector<HeadArm>& arms);

}  // namespace polyphon
