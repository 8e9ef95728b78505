// What self-play leaves in a folder: traces.jsonl, a session's trace a line with its outcome, and
// selfplay.json, what must be the same for a run to go on there.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/curriculum.h"
#include "record/outcome.h"
#include "record/trace.h"
#include "tasks/problem.h"

namespace polyphon {

// What was played. Throws Error{kInvalidArgument, kNotFound} when there is no such problem.
Problem problem_of(const Outcome& outcome);

inline std::string traces_path(const std::string& folder) { return folder + "/traces.jsonl"; }

// Lines that hold no trace with an outcome are left out.
struct RolloutCounts {
  int traces = 0;
  int damaged = 0;
  std::string first_damage;  // the line and why
};
// Throws Error{kNotFound} for no such folder.
void require_rollouts(const std::string& folder);

using OnRollout = std::function<void(const Trace&, const Outcome&)>;
// In the order in which they were written. A line that `on_trace` refuses is damaged, that is for
// which it throws Error{kInvalidArgument, kNotFound}, a JSON exception or std::out_of_range. Throws
// Error{kNotFound} for no such folder, and what else `on_trace` throws.
RolloutCounts read_rollouts(const std::string& folder, const OnRollout& on_trace);

// Makes the folder for rollouts of `header`, or goes on in it: a line that a killed run did not
// finish is cut off. Throws Error{kInvalidArgument} when the folder holds something else, or
// rollouts of another header, naming the member; Error{kInternal} when it cannot be written.
void open_rollouts(const std::string& folder, const Json& header);

}  // namespace polyphon
