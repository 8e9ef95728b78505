// How a stream goes at a problem: a short preamble in the assistant's own voice after the shared
// prompt. Built in are at least: direct, lateral, devils_advocate, decompose, work_backwards,
// check_by_example, estimate_first, restate. The config can add more or replace one by name.
#pragma once

#include <string>
#include <vector>

namespace polyphon {

struct Strategy {
  std::string name;
  std::string preamble;  // ends with a space or newline, never empty
};

const std::vector<Strategy>& built_in_strategies();

}  // namespace polyphon
