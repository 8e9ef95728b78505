// The arms of an evaluation: ways to spend the same budget of tokens on a problem. The control set
// is that of design.md section 2; the cures take apart what keeps streams from saying the same.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sessions/reasoner.h"

namespace polyphon {

// The budget that all arms of one evaluation share: streams x tokens of thinking.
struct EvaluationShape {
  int streams = 8;
  int tokens = 128;
};

struct Arm {
  std::string name;
  std::string what;  // one line
  // Sets topology, merge and policies of an input that is otherwise the same for all arms.
  std::function<void(ThinkInput&, const EvaluationShape&)> apply;
};

const std::vector<Arm>& arms();
// Throws Error{kNotFound} that lists the names.
const Arm& arm(const std::string& name);
// Names, in the order in which they are reported.
const std::vector<std::string>& control_set();
const std::vector<std::string>& collapse_cures();

}  // namespace polyphon
