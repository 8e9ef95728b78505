// The result of a thinking session: what clients get as the answer's "polyphon" object. Plain data.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/topology.h"
#include "record/decision.h"
#include "record/features.h"
#include "record/kept_memory.h"
#include "record/names.h"
#include "record/search_request.h"

namespace polyphon {

enum class FinishReason {
  kStop,
  kLength,
  kCollapsed,  // it repeated another stream
  kAgreement,  // enough other streams agreed on an answer
};
std::span<const EnumName<FinishReason>> names_of(FinishReason);

struct StreamResult {
  int id = 0;  // number counted over all phases
  std::string strategy;
  std::string text;
  int tokens = 0;
  FinishReason finish_reason = FinishReason::kStop;
  std::string answer;  // extracted from `text`; may be empty
};

// How a stream reacted to a promotion.
struct StreamReaction {
  int id = 0;
  // KL divergence, in nats, of the next token's distribution with the note from the one without it;
  // none if it was not measured.
  std::optional<double> kl;
  std::string next;  // the first sentence that the stream wrote after it
};

// One promotion, as clients see it.
struct Broadcast {
  int promotion = 0;
  Step step = 0;
  NoteSource source;
  std::string text;
  double p = 0;
  GateFeatures features;
  bool carried_out = true;
  std::vector<GateCandidate> lost;  // the candidates that were not chosen
  std::vector<StreamReaction> streams;
};

struct RegisterCost {
  std::string name;
  int notes = 0;
  int rows = 0;    // rows decoded for the register's notes and their cues
  int tokens = 0;  // tokens of the notes
  double ms = 0;   // decode time, in proportion to the rows
};

// A node of a search's tree. `same_as`: another node has the same text, and is searched instead of
// this one.
struct SearchNode {
  int id = 0;
  int parent = -1;
  int depth = 0;
  std::string text;
  int tokens = 0;
  double mean_logprob = 0;
  int visits = 0;
  double value = 0;
  double mean_value = 0;
  std::optional<double> prior;
  bool terminal = false;
  std::optional<ValueFeatures> features;  // none for the root
  std::string answer;                     // the answer that it states; empty if none
  std::optional<int> same_as;
  bool pruned = false;
  std::optional<std::string> playout;  // text of the play-out from here to the end of the stream
};

struct SearchResult {
  int stream = 0;
  int search = 0;  // number within the stream, from 0
  SearchCause trigger = SearchCause::kAlways;
  Step step = 0;  // step in which it began
  int steps = 0;  // number of steps in which a branch was decoded
  SearchEnd why_ended = SearchEnd::kSimulations;
  int simulations = 0;
  int tokens = 0;  // tokens decoded in branches
  int committed_tokens = 0;
  double leaves_per_step = 0;
  double waste = 0;      // share of `tokens` that were not committed
  double ms = 0;         // decode time, in proportion to the rows
  std::string text;      // the text that was committed to the stream
  size_t from_byte = 0;  // offset in the stream's text at which the search began
  std::vector<SearchNode> tree;
  std::optional<int> playout_tokens;
};

// Share of the tokens that were decoded in vain; 0 if there are none.
inline double share_wasted(int tokens, int committed) {
  return tokens == 0 ? 0 : 1 - static_cast<double>(committed) / tokens;
}

struct SearchReport {
  SearchMode mode = SearchMode::kOff;
  std::vector<SearchResult> searches;
  int simulations = 0;
  int tokens = 0;
  int committed_tokens = 0;
  double leaves_per_step = 0;
  double waste = 0;
  double ms = 0;
};

struct NodeReport {
  NodeId node = 0;
  std::string text;
  NoteSource source;
  NodeOrigin how = NodeOrigin::kMarker;
  Step step = 0;
};

struct MemoryReport {
  std::vector<NodeReport> nodes;
  std::vector<MemoryEdge> edges;
  std::vector<MemoryRecall> recalls;  // only recalls that were carried out
  int rows = 0;                       // rows decoded to compute the cells of nodes
};

struct Timings {
  double queue_ms = 0;    // from submission to admission
  double prompt_ms = 0;   // from admission to the first sampled token
  double streams_ms = 0;  // all thinking phases
  double merge_ms = 0;    // from the end of the last stream to the first answer token
  double time_to_first_answer_token_ms = 0;  // from submission
  double answer_ms = 0;
  double total_ms = 0;
  int prompt_tokens = 0;         // length of the prompt, cached tokens included
  int merge_prefill_tokens = 0;  // decoded between the streams and the answer
  int answer_tokens = 0;
};

struct SessionResult {
  std::string trace_id;
  std::string version;
  Topology topology;  // the topology that was used
  MergeMode merge = MergeMode::kKv;
  std::vector<StreamResult> streams;
  std::vector<Broadcast> workspace;
  std::vector<RegisterCost> registers;
  std::optional<SearchReport> search;  // none if search was off
  std::optional<MemoryReport> memory;  // none if memory was off
  std::optional<PlanDecision> plan;    // only if a trained head could correct it
  Timings timings;
  std::string answer;  // the answer's text

  // Number of promotions that were carried out.
  int promotions() const {
    return static_cast<int>(std::count_if(workspace.begin(), workspace.end(),
                                          [](const Broadcast& each) { return each.carried_out; }));
  }
};

}  // namespace polyphon
