#include "streams/strategy.h"

namespace polyphon {

const std::vector<Strategy>& built_in_strategies() {
  static const std::vector<Strategy> strategies = {
      {"direct", "Let me solve this step by step.\n"},
      {"lateral", "Let me look at this from an unusual angle.\n"},
      {"devils_advocate",
       "Most people get this wrong. Let me ask what the obvious answer misses.\n"},
      {"decompose", "Let me break this into smaller parts and solve each one.\n"},
      {"work_backwards", "Let me start from what is asked and work backwards to what is given.\n"},
      {"check_by_example", "Let me try a small concrete example first and check it.\n"},
      {"estimate_first",
       "Let me first estimate roughly what the answer should be, then compute it.\n"},
      {"restate", "Let me restate the problem in my own words and list what is known.\n"}};
  return strategies;
}

}  // namespace polyphon
