// A strategy: how a stream approaches a problem. Its preamble is a short text in the assistant's
// own voice that follows the shared prompt. The built-in strategies are at least: direct, lateral,
// devils_advocate, decompose, work_backwards, check_by_example, estimate_first, restate. The config
// file can add strategies, or replace one by its name.
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
