#include "sessions/capacity.h"

#include <algorithm>

#include "memory/node_cells.h"
#include "sessions/plan.h"
#include "streams/synthesis.h"
#include "text/memory_markers.h"
#include "workspace/promotion.h"

namespace polyphon {
namespace {

// Tokens of the longest preamble and of the longest reseed cue.
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

// Cells and sequences that registers and promotions add to one phase.
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

// Cells and sequences that memory adds to one phase with `streams` streams.
PlanNeeds memory_needs(const MemoryRequest& request, int streams, const Vocabulary& vocabulary) {
  if (!request.enabled) return {};
  const int own = vocabulary.count_tokens(marker_explanation()) + request.max_recall_tokens;
  PlanNeeds needs;
  needs.sequences = NodeWriter::kAtOnce + 1;  // plus the sequence that places cells
  needs.cells = streams * own + NodeWriter::cells_needed(vocabulary);
  needs.last_position = own;
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
  // A branch uses positions that its stream's budget covers already.
  if (request.search.on()) {
    needs.cells += request.search.max_tokens;
    most_sequences += request.search.max_sequences;
  }
  needs.cells += request.max_answer_tokens + 1;
  needs.last_position += request.max_answer_tokens + 1;
  needs.sequences = most_sequences + 2;  // plus the prompt's and the merged one
  return needs;
}

constexpr int kPlanAnswerTokens = 32;

// One token per byte: no vocabulary needs more tokens.
class ByteVocabulary final : public Vocabulary {
 public:
  int size() const override { return 256; }
  Tokens tokenize(std::string_view text, bool, bool add_bos) const override {
    Tokens tokens(add_bos ? 1 : 0);
    for (const char byte : text) tokens.push_back(static_cast<unsigned char>(byte));
    return tokens;
  }
  std::string piece(Token token, bool) const override { return {static_cast<char>(token)}; }
  bool is_end_of_generation(Token) const override { return false; }
  int longest_piece_bytes() const override { return 1; }
};

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

SessionNeeds completion_needs(int prompt_tokens, int choices, int max_tokens) {
  return {prompt_tokens + choices * (max_tokens + 2), choices + 1};
}

int most_completion_tokens(int prompt_tokens, int choices, int cells) {
  return (cells - prompt_tokens) / choices - 2;
}

int context_cells(const ThinkInput& input, const ReasonOptions& options) {
  constexpr int kBlock = 256, kFewest = 4096, kMost = 1 << 20;
  const ByteVocabulary bytes;
  const auto asked = static_cast<int>(input.chat.messages.dump().size());
  ThinkRequest request;
  request.topology = input.topology;
  request.merge = input.merge;
  request.max_answer_tokens = input.max_answer_tokens;
  request.auto_budget_tokens = options.caps.auto_budget_tokens;
  request.workspace = input.workspace;
  request.search = input.search;
  request.memory = input.memory;
  // A larger topology is refused or narrowed to the caps.
  const PlanCaps& caps = options.caps;
  if (request.topology.budget_tokens() > caps.max_budget_tokens)
    request.topology = {{{caps.max_streams, caps.max_budget_tokens / caps.max_streams}}};
  const int repeated = std::min(asked, options.max_repeated_request_tokens);
  request.prompt.resize(static_cast<size_t>(asked + repeated + kMostTemplateTokens));
  request.merge_instruction =
      bytes.tokenize(merge_instruction(request.topology, "?"), false, false);
  if (request.topology.is_auto())
    request.plan_instruction = bytes.tokenize(
        plan_instruction(auto_topologies(request.auto_budget_tokens, options.caps)), false, false);
  const int cells = plan_needs(request, options, bytes).cells;
  return std::clamp((cells + kBlock - 1) / kBlock * kBlock, kFewest, kMost);
}

}  // namespace polyphon
