#include "selfplay/topology_play.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "sessions/plan.h"

namespace polyphon {
namespace {

constexpr const char* kEvery = "all";
constexpr int kMergedAnswerTokens = 64;

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::kInvalidArgument, why, "topologies");
}

}  // namespace

std::vector<std::string> TopologyPlay::names() const {
  std::vector<std::string> names;
  for (const Topology& choice : choices) names.push_back(choice.to_string());
  return names;
}

TopologyPlay parse_topology_play(const std::vector<std::string>& names, int budget_tokens,
                                 const PlanCaps& caps) {
  TopologyPlay play{{}, budget_tokens};
  if (names == std::vector<std::string>{kEvery}) {
    play.choices = auto_topologies(budget_tokens, caps);
    play.choices.push_back({});
  } else {
    for (const std::string& name : names) play.choices.push_back(parse_topology(name));
  }
  int stated = 0;
  for (const Topology& choice : play.choices) {
    if (std::count(play.choices.begin(), play.choices.end(), choice) > 1)
      refuse(fmt::format("{} is listed twice", choice.to_string()));
    if (choice.is_auto()) continue;
    ++stated;
    if (choice.budget_tokens() != budget_tokens)
      refuse(fmt::format("{} spends {} tokens, not {}: all topologies must spend the same budget",
                         choice.to_string(), choice.budget_tokens(), budget_tokens));
  }
  if (stated < 2) refuse("give at least two topologies other than auto");
  return play;
}

void play_topology(ThinkInput& input, const Topology& choice) {
  input.topology = choice;
  input.merge = MergeMode::kVote;
  input.max_answer_tokens = kMergedAnswerTokens;
}

void require_budget(const Trace& trace, int budget_tokens) {
  const int spends = trace.request.auto_budget_tokens;
  if (trace.request.topology.is_auto() && spends != budget_tokens)
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("auto plans with {} tokens, not {}: set auto_budget_tokens", spends,
                            budget_tokens));
}

}  // namespace polyphon
