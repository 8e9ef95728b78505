#include "sessions/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "memory/session_memory.h"
#include "streams/synthesis.h"
#include "workspace/promotion.h"

namespace polyphon {
namespace {

// Tokens of the longest preamble, and of the longest cue of a re-seed.
struct StrategyCosts {
  int preamble = 0;
  int cue = 0;
};

StrategyCosts strategy_costs(const ReasonOptions& options, const Vocabulary& vocabulary) {
  StrategyCosts costs;
  for (const Strategy& strategy : options.strategies) {
    costs.preamble = std::max(costs.preamble, vocabulary.count_tokens(strategy.preamble));
    costs.cue = std::max(costs.cue, vocabulary.count_tokens(reseed_cue(strategy)));
  }
  return costs;
}

// What registers and promotions add to one phase.
PlanNeeds workspace_needs(const Phase& phase, const ThinkRequest& request,
                          const ReasonOptions& options, const Vocabulary& vocabulary) {
  const WorkspaceRequest& wish = request.workspace;
  if (wish.registers == 0) return {};
  PlanNeeds needs;
  for (int i = 0; i < wish.registers; ++i) {
    const RegisterSpec& spec = options.workspace.registers[static_cast<size_t>(i)];
    const int note = vocabulary.count_tokens("\n" + spec.cue) + spec.note_tokens + 1;
    const int notes = phase.tokens / spec.cadence(wish.cadence_tokens) + 1;
    needs.cells += notes * note;
    needs.last_position = std::max(needs.last_position, notes * note);
  }
  const int promotions = phase.tokens / wish.refractory_tokens + 1;
  const int cue = vocabulary.count_tokens(reconsider_cue());
  const int probes = options.workspace.measure_effect ? phase.streams : 0;
  needs.cells += promotions * (phase.streams * cue + probes);
  needs.last_position += promotions * cue;
  needs.sequences = wish.registers + probes;
  return needs;
}

PlanNeeds needs_of(const Topology& topology, const ThinkRequest& request,
                   const ReasonOptions& options, const Vocabulary& vocabulary) {
  const StrategyCosts costs = strategy_costs(options, vocabulary);
  const int reseeds = options.collapse.enabled ? options.collapse.reseeds : 0;
  const int bridge = vocabulary.count_tokens(bridge_text());
  PlanNeeds needs;
  needs.cells = needs.last_position = static_cast<int>(request.prompt.size());
  int most_sequences = 1;
  for (size_t i = 0; i < topology.phases.size(); ++i) {
    const Phase& phase = topology.phases[i];
    const int stream = costs.preamble + reseeds * costs.cue + phase.tokens + 1;
    int merge = i + 1 == topology.phases.size() ? static_cast<int>(request.merge_instruction.size())
                                                : bridge;
    if (request.merge == MergeMode::kPrefill || request.merge == MergeMode::kCompact)
      merge += phase.streams * (phase.tokens + kMaxAttemptHeaderTokens);
    const PlanNeeds workspace = workspace_needs(phase, request, options, vocabulary);
    const PlanNeeds memory = memory_needs(request.memory, phase.streams, vocabulary);
    needs.cells += phase.streams * stream + merge + workspace.cells + memory.cells;
    needs.last_position += stream + merge + workspace.last_position + memory.last_position;
    most_sequences =
        std::max(most_sequences, phase.streams + workspace.sequences + memory.sequences);
  }
  // A branch's positions are those that its stream's budget covers.
  if (request.search.on()) {
    needs.cells += request.search.max_tokens;
    most_sequences += request.search.max_sequences;
  }
  needs.cells += request.max_answer_tokens + 1;
  needs.last_position += request.max_answer_tokens + 1;
  needs.sequences = most_sequences + 2;  // and the prompt's, and the merged one
  return needs;
}

constexpr int kPlanAnswerTokens = 32;

}  // namespace

PlanNeeds plan_needs(const ThinkRequest& request, const ReasonOptions& options,
                     const Vocabulary& vocabulary) {
  if (!request.topology.is_auto()) return needs_of(request.topology, request, options, vocabulary);
  PlanNeeds worst;
  for (const Topology& topology : auto_topologies(request.auto_budget_tokens, options.caps)) {
    const PlanNeeds needs = needs_of(topology, request, options, vocabulary);
    worst.cells = std::max(worst.cells, needs.cells);
    worst.sequences = std::max(worst.sequences, needs.sequences);
    worst.last_position = std::max(worst.last_position, needs.last_position);
  }
  worst.cells += static_cast<int>(request.plan_instruction.size()) + kPlanAnswerTokens;
  return worst;
}

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

// A search gets along with fewer branches at a time and, with `narrow`, with fewer of them.
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

// One notch smaller: half the streams of the widest phase, then half the tokens of the longest.
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
