#pragma once

namespace polyphon {

// An upper bound of what a session can use.
struct PlanNeeds {
  int cells = 0;          // decoded over the whole session
  int sequences = 0;      // open at the same time
  int last_position = 0;  // of the longest path
};

}  // namespace polyphon
