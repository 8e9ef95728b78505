#include "sessions/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace polyphon {

std::string misfit(const ThinkRequest& request, const ReasonOptions& options,
                   const Vocabulary& vocabulary, const PlanLimits& limits) {
  for (const Phase& phase : request.topology.phases)
    if (phase.streams > options.caps.max_streams)
      return fmt::format("{} streams, but polyphon.max_streams allows {} at most", phase.streams,
                         options.caps.max_streams);
  if (request.topology.budget_tokens() > options.caps.max_budget_tokens)
    return fmt::format("{} tokens of thinking, but at most {} are allowed",
                       request.topology.budget_tokens(), options.caps.max_budget_tokens);
  const PlanNeeds needs = plan_needs(request, options, vocabulary);
  if (needs.cells > limits.cells)
    return fmt::format("needs {} KV cells ({:.0f} MiB), but there are {} ({:.0f} MiB)", needs.cells,
                       static_cast<double>(needs.cells) * limits.bytes_per_cell / (1 << 20),
                       limits.cells,
                       static_cast<double>(limits.cells) * limits.bytes_per_cell / (1 << 20));
  if (needs.sequences > limits.sequences)
    return fmt::format("needs {} sequences, but there are {}", needs.sequences, limits.sequences);
  if (needs.last_position > limits.positions)
    return fmt::format("reaches position {}, but the model was trained for {}", needs.last_position,
                       limits.positions);
  return "";
}

namespace {

// Reduces the parallel branches of searches; with `narrow` also their tokens.
bool shrink_search(SearchRequest& search, const PlanNeeds& needs, const PlanLimits& limits,
                   bool narrow) {
  constexpr int kFewestSequences = 8;
  constexpr int kFewestTokens = 512;
  if (!search.on()) return false;
  if (needs.sequences > limits.sequences && search.max_sequences > kFewestSequences) {
    search.max_sequences =
        std::max(kFewestSequences, search.max_sequences - (needs.sequences - limits.sequences));
    return true;
  }
  if (narrow && needs.cells > limits.cells && search.max_tokens > kFewestTokens) {
    search.max_tokens = std::max(kFewestTokens, search.max_tokens / 2);
    return true;
  }
  return false;
}

// One step smaller: halves the streams of the widest phase, then the tokens of the longest one.
bool shrink(ThinkRequest& request) {
  constexpr int kFewestTokens = 32;
  if (request.topology.is_auto()) {
    request.auto_budget_tokens /= 2;
    return request.auto_budget_tokens >= kFewestTokens;
  }
  auto& phases = request.topology.phases;
  const auto widest = std::max_element(phases.begin(), phases.end(),
                                       [](auto& a, auto& b) { return a.streams < b.streams; });
  if (widest->streams > 2) {
    widest->streams /= 2;
    return true;
  }
  const auto longest = std::max_element(phases.begin(), phases.end(),
                                        [](auto& a, auto& b) { return a.tokens < b.tokens; });
  longest->tokens /= 2;
  return longest->tokens >= kFewestTokens;
}

}  // namespace

std::string fit_plan(ThinkRequest& request, const ReasonOptions& options,
                     const Vocabulary& vocabulary, const PlanLimits& limits, bool narrow) {
  const int least = static_cast<int>(request.prompt.size() + request.merge_instruction.size()) +
                    request.max_answer_tokens;
  const int room = std::min(limits.cells, limits.positions);
  if (least >= room)
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("the prompt has {} tokens; with the answer's {} it does not fit the "
                            "context of {}",
                            request.prompt.size(), request.max_answer_tokens, room),
                "messages");
  request.auto_budget_tokens = std::min(request.auto_budget_tokens, options.caps.max_budget_tokens);
  const std::string wanted = request.topology.is_auto()
                                 ? fmt::format("auto over {} tokens", request.auto_budget_tokens)
                                 : request.topology.to_string();
  std::string first_reason;
  while (true) {
    const std::string reason = misfit(request, options, vocabulary, limits);
    if (reason.empty()) break;
    if (first_reason.empty()) first_reason = reason;
    const PlanNeeds needs = plan_needs(request, options, vocabulary);
    if (shrink_search(request.search, needs, limits, narrow)) continue;
    if ((!narrow && !request.topology.is_auto()) || !shrink(request))
      throw Error(ErrorCode::kInvalidArgument, fmt::format("topology {}: {}", wanted, first_reason),
                  "polyphon.topology");
  }
  if (first_reason.empty()) return "";
  std::string got = request.topology.is_auto()
                        ? fmt::format("auto over {} tokens", request.auto_budget_tokens)
                        : request.topology.to_string();
  if (request.search.on())
    got += fmt::format(", searches with {} tokens and {} sequences", request.search.max_tokens,
                       request.search.max_sequences);
  return fmt::format("{} {}; narrowed to {}", wanted, first_reason, got);
}

std::vector<Topology> auto_topologies(int budget_tokens, const PlanCaps& caps) {
  std::vector<Topology> topologies;
  for (int streams = 1; streams <= std::min(caps.max_streams, 16); streams *= 2) {
    const int tokens = budget_tokens / streams;
    if (tokens < 32 && streams > 1) break;
    topologies.push_back({{{streams, std::max(1, tokens)}}});
    if (streams > 1 && tokens >= 64)
      topologies.push_back({{{streams, tokens / 2}, {1, budget_tokens / 2}}});
  }
  return topologies;
}

std::string topology_grammar(const std::vector<Topology>& topologies) {
  std::string grammar = "root ::= ";
  for (size_t i = 0; i < topologies.size(); ++i)
    grammar += fmt::format("{}\"{}\"", i ? " | " : "", topologies[i].to_string());
  return grammar;
}

std::string plan_instruction(const std::vector<Topology>& topologies) {
  std::string choices;
  for (const Topology& topology : topologies)
    choices += (choices.empty() ? "" : ", ") + topology.to_string();
  return "Before you solve this, choose how to think about it. \"1x1024\" is one long line of "
         "thought "
         "of 1024 tokens, good for a problem that must be worked through step by step. \"8x128\" "
         "is "
         "eight short independent attempts, good for a problem that can be tried in several ways. "
         "\"4x128>1x512\" is four attempts that are then joined and carried on as one. Answer with "
         "one "
         "of: " +
         choices + ".";
}

}  // namespace polyphon
