// What a session that thought says of itself: the answer's "polyphon" object. Plain.
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
  kCollapsed,  // it only followed another stream
  kAgreement,  // other streams agreed
};
std::span<const EnumName<FinishReason>> names_of(FinishReason);

struct StreamResult {
  int id = 0;  // over all phases
  std::string strategy;
  std::string text;
  int tokens = 0;
  FinishReason finish_reason = FinishReason::kStop;
  std::string answer;  // extracted, may be empty
};

// What a stream did after it had read a promotion.
struct StreamReaction {
  int id = 0;
  // Of its next token's distribution with the note against the one without, in nats; none when it
  // was not measured.
  std::optional<double> kl;
  std::string next;  // the first sentence
};

// A broadcast.
struct Broadcast {
  int promotion = 0;
  Step step = 0;
  NoteSource source;
  std::string text;
  double p = 0;
  GateFeatures features;
  bool carried_out = true;
  std::vector<GateCandidate> lost;  // what it beat
  std::vector<StreamReaction> streams;
};

struct RegisterCost {
  std::string name;
  int notes = 0;
  int rows = 0;    // of its notes with their cues
  int tokens = 0;  // of its notes
  double ms = 0;   // by share of rows
};

// A state of a search's tree. `same_as`: its text is that of another state, which counts for it.
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
  std::optional<ValueFeatures> features;  // none at the root
  std::string answer;                     // empty: it states none
  std::optional<int> same_as;
  bool pruned = false;
  std::optional<std::string> playout;  // what was said from here to the stream's end
};

struct SearchResult {
  int stream = 0;
  int search = 0;  // of the stream, from 0
  SearchCause trigger = SearchCause::kAlways;
  Step step = 0;  // when it began
  int steps = 0;  // in which a branch was decoded
  SearchEnd why_ended = SearchEnd::kSimulations;
  int simulations = 0;
  int tokens = 0;  // decoded in branches
  int committed_tokens = 0;
  double leaves_per_step = 0;
  double waste = 0;      // share of the tokens that were not committed
  double ms = 0;         // by share of rows
  std::string text;      // that was committed
  size_t from_byte = 0;  // of the stream's text, where it began
  std::vector<SearchNode> tree;
  std::optional<int> playout_tokens;
};

// Share of the tokens that were decoded for nothing; 0 of none.
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
  std::vector<MemoryRecall> recalls;  // that were carried out
  int rows = 0;                       // decoded for nodes' cells
};

struct Timings {
  double queue_ms = 0;                       // submitted to admitted
  double prompt_ms = 0;                      // admitted to first sampled token
  double streams_ms = 0;                     // thinking, all phases
  double merge_ms = 0;                       // last stream's end to the first answer token
  double time_to_first_answer_token_ms = 0;  // submitted to the first answer token
  double answer_ms = 0;
  double total_ms = 0;
  int prompt_tokens = 0;         // of the request, each prefilled once or from the cache
  int merge_prefill_tokens = 0;  // decoded between the streams and the answer
  int answer_tokens = 0;
};

struct SessionResult {
  std::string trace_id;
  std::string version;
  Topology topology;  // as played
  MergeMode merge = MergeMode::kKv;
  std::vector<StreamResult> streams;
  std::vector<Broadcast> workspace;
  std::vector<RegisterCost> registers;
  std::optional<SearchReport> search;  // none when it was off
  std::optional<MemoryReport> memory;  // the same
  std::optional<PlanDecision> plan;    // only where a trained head could correct it
  Timings timings;
  std::string answer;  // the text

  // Broadcasts that were carried out.
  int promotions() const {
    return static_cast<int>(std::count_if(workspace.begin(), workspace.end(),
                                          [](const Broadcast& each) { return each.carried_out; }));
  }
};

}  // namespace polyphon
