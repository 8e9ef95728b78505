#include "eval/arms.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace polyphon {
namespace {

constexpr int kRegisters = 3;
constexpr int kFewestSearchTokens = 64;  // the least that a request may ask for

void breadth(ThinkInput& input, const EvaluationShape& shape, MergeMode merge) {
  input.topology = {{{shape.streams, shape.tokens}}};
  input.merge = merge;
}

void depth(ThinkInput& input, const EvaluationShape& shape) {
  input.topology = {{{1, shape.streams * shape.tokens}}};
  input.merge = MergeMode::kKv;
  input.diversity.strategies = {"direct"};
}

// The measures that keep streams from saying the same.
struct Cures {
  bool strategies = false;
  double ladder = 0;
  bool watch = false;
  bool first_token = false;
};

// An arm like vote@N with only some of these measures.
Arm cure(const char* name, const char* what, Cures cures) {
  return {name, what, [=](ThinkInput& input, const EvaluationShape& shape) {
            breadth(input, shape, MergeMode::kVote);
            if (!cures.strategies) input.diversity.strategies = {"direct"};
            input.diversity.temperature_ladder = cures.ladder;
            input.diversity.collapse_watch = cures.watch;
            input.diversity.branch_first_token = cures.first_token;
          }};
}

std::vector<Arm> make_arms() {
  const auto merge = [](MergeMode mode) {
    return [mode](ThinkInput& input, const EvaluationShape& shape) { breadth(input, shape, mode); };
  };
  const auto workspace = [](MergeMode mode) {
    return [mode](ThinkInput& input, const EvaluationShape& shape) {
      breadth(input, shape, mode);
      input.workspace.registers = kRegisters;
    };
  };
  return {
      {"sequential", "one stream with the whole budget, until it ends by itself", depth},
      {"sequential_urged", "the same, told to check its work until the budget is spent",
       [](ThinkInput& input, const EvaluationShape& shape) {
         depth(input, shape);
         input.diversity.spend_budget = true;
       }},
      {"short", "one stream of one share of the budget",
       [](ThinkInput& input, const EvaluationShape& shape) { depth(input, {1, shape.tokens}); }},
      {"vote", "all streams, the most frequent answer", merge(MergeMode::kVote)},
      {"prefill", "all streams, their texts prefilled again for the answer",
       merge(MergeMode::kPrefill)},
      {"compact", "all streams, their conclusions prefilled for the answer",
       merge(MergeMode::kCompact)},
      {"kv", "all streams, merged by views", merge(MergeMode::kKv)},
      {"kv_workspace", "kv, with registers and the gate", workspace(MergeMode::kKv)},
      {"kv_workspace_search", "kv_workspace, half of the budget set aside for tree search",
       [](ThinkInput& input, const EvaluationShape& shape) {
         const int half = std::max(1, shape.tokens / 2);
         breadth(input, {shape.streams, half}, MergeMode::kKv);
         input.workspace.registers = kRegisters;
         input.search.mode = SearchMode::kAuto;
         input.search.max_tokens = std::max(kFewestSearchTokens, shape.streams * half);
       }},
      {"kv_memory", "kv, with graph memory",
       [](ThinkInput& input, const EvaluationShape& shape) {
         breadth(input, shape, MergeMode::kKv);
         input.memory.enabled = true;
       }},
      {"vote_workspace", "vote, with registers and the gate", workspace(MergeMode::kVote)},
      cure("same", "vote over samples of one strategy", {}),
      cure("ladder", "same, with the temperature ladder", {.ladder = 0.6}),
      cure("strategies", "same, with a strategy each", {.strategies = true}),
      cure("reseed", "same, with the watch that re-seeds followers", {.watch = true}),
      cure("first_token", "same, each beginning with another token", {.first_token = true}),
      cure("all_cures", "strategies, ladder and watch", {true, 0.6, true}),
  };
}

}  // namespace

const std::vector<Arm>& arms() {
  static const std::vector<Arm> all = make_arms();
  return all;
}

const Arm& arm(const std::string& name) {
  std::string names;
  for (const Arm& each : arms()) {
    if (each.name == name) return each;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", each.name);
  }
  throw Error(ErrorCode::kNotFound,
              fmt::format("no arm is called '{}': known arms are {}", name, names));
}

const std::vector<std::string>& control_set() {
  static const std::vector<std::string> names = {
      "sequential", "sequential_urged", "short",
      "vote",       "prefill",          "compact",
      "kv",         "kv_workspace",     "kv_workspace_search",
      "kv_memory",  "vote_workspace"};
  return names;
}

const std::vector<std::string>& collapse_cures() {
  static const std::vector<std::string> names = {"same",   "ladder",      "strategies",
                                                 "reseed", "first_token", "all_cures"};
  return names;
}

}  // namespace polyphon
