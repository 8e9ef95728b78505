// What self-play leaves in a folder: traces.jsonl, a session's trace a line with its outcome, and
// selfplay.json, what must be the same for a run to go on there.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/curriculum.h"
#include "data/tree_outcomes.h"
#include "record/trace.h"
#include "tasks/problem.h"
#include "tasks/recall_play.h"

namespace polyphon {

// The same session, with the same seeds, without one of its promotions.
struct Counterfactual {
  int promotion = 0;  // its number in result.workspace
  // All tokens before the promotion came out the same: else the kernels' last bits, which depend on
  // what is decoded beside a session, are part of the difference.
  bool same_before = true;
  std::vector<bool> right;  // by stream
};

struct Outcome {
  Cell cell;
  uint64_t seed = 0;        // of the problem
  std::vector<bool> right;  // by stream
  std::vector<Counterfactual> counterfactuals = {};
  // Of a session of recall (recall_rollouts.h), which has no attempts: `right` is empty then.
  std::vector<AskedFact> asked = {};
  std::string proposed = "";  // the question, where the model proposed it
  std::vector<TreeOutcome> trees = {};
  // Of a session that was played for the topology head (topology_play.h): its answer was right.
  std::optional<bool> answer_right = {};

  int right_count() const;
  bool is_proposed() const { return !proposed.empty(); }
  // Some streams were right and some wrong.
  bool is_mixed() const;
};
// What was played. Throws Error{kInvalidArgument, kNotFound} when there is no such problem.
Problem problem_of(const Outcome& outcome);

// Share of right streams with the promotion, less that without it.
double effect_of(const Outcome& outcome, const Counterfactual& without);

Json to_json(const Outcome& outcome);
// Throws Error{kInvalidArgument}.
Outcome outcome_from_json(const Json& json);

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
