// The arms of an evaluation: ways to spend the same token budget on a problem. The control set
// compares depth, breadth and Polyphon's mechanisms; the collapse cures test, one by one, what
// keeps streams from saying the same.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sessions/reasoner.h"

namespace polyphon {

// The budget of all arms of an evaluation: `streams` x `tokens` tokens of thinking.
struct EvaluationShape {
  int streams = 8;
  int tokens = 128;
};

struct Arm {
  std::string name;
  std::string what;  // one line of description
  // Sets topology, merge and policies of an input. All else is equal for all arms.
  std::function<void(ThinkInput&, const EvaluationShape&)> apply;
};

const std::vector<Arm>& arms();
// Throws Error{kNotFound} that lists the known names.
const Arm& arm(const std::string& name);
// Names of arms, in the order of a report.
const std::vector<std::string>& control_set();
const std::vector<std::string>& collapse_cures();

}  // namespace polyphon
