// Reads and writes a folder of self-play: traces.jsonl holds one session's trace with its outcome
// per line; selfplay.json, the header, holds what must be the same for a run to continue there.
// Blocks on the files.
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

// The problem that was played. Throws Error{kInvalidArgument, kNotFound} if there is no such
// problem.
Problem problem_of(const Outcome& outcome);

inline std::string traces_path(const std::string& folder) { return folder + "/traces.jsonl"; }

// Result of reading a folder. Damaged lines (without a trace and outcome) are skipped.
struct RolloutCounts {
  int traces = 0;
  int damaged = 0;
  std::string first_damage;  // which line, and why
};
// Throws Error{kNotFound} if the folder is not one of self-play.
void require_rollouts(const std::string& folder);

using OnRollout = std::function<void(const Trace&, const Outcome&)>;
// Calls `on_trace` for each line in order. A line is damaged if it cannot be read, or if `on_trace`
// throws Error{kInvalidArgument, kNotFound}, a JSON exception or std::out_of_range. Throws
// Error{kNotFound} if the folder is not one of self-play, and any other exception of `on_trace`.
RolloutCounts read_rollouts(const std::string& folder, const OnRollout& on_trace);

// Creates the folder for a run with this header, or opens it to continue: cuts off a line that a
// killed run left unfinished. Throws Error{kInvalidArgument} if the folder holds something else, or
// a run with another header (naming the member); Error{kInternal} if it cannot be written.
void open_rollouts(const std::string& folder, const Json& header);

}  // namespace polyphon
