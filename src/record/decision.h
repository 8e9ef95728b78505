// Choices of policy that a session made, each with its evidence. Plain.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/token.h"
#include "core/topology.h"
#include "record/features.h"
#include "record/kept_memory.h"
#include "record/names.h"
#include "record/span_owner.h"

namespace polyphon {

// What competed for a broadcast.
struct GateCandidate {
  NoteSource source;
  int sequence = -1;   // whose view holds its cells,
  Position begin = 0;  // at [begin, end); records of format 1 have no begin
  Position end = 0;
  std::string text;
  double p = 0;  // the gate's
  GateFeatures features;
};

struct GateDecision {
  static constexpr const char* kName = "gate";
  std::vector<GateCandidate> candidates;  // the likeliest first
  double threshold = 0;
  bool promoted = false;  // the first one
};

// A broadcast, as the workspace knew it when it made it. The edits that carried it out have its
// number (record/trace.h). Follows the gate's decision.
struct PromotionDecision {
  static constexpr const char* kName = "promotion";
  int promotion = 0;  // from 0 in the session
  bool carried_out = true;
  GateFeatures features;
  // The candidate's last token that its sequence sampled, whose state the gate read:
  // Trace::spans[span].tokens[index]; -1: none.
  int span = -1;
  int index = -1;
};

struct PredictedTopology {
  Topology topology;
  double p = 0;  // of a right answer
};
struct PlanDecision {
  static constexpr const char* kName = "plan";
  std::string said;                          // by the model
  std::optional<Topology> stated;            // what that means; only if the head could correct it
  std::vector<PredictedTopology> predicted;  // by the head; the same
  Topology topology;                         // what is played
};

enum class CollapseAction { kEnd, kNone, kReseed };  // kNone: the stream searches
std::span<const EnumName<CollapseAction>> names_of(CollapseAction);
struct CollapseDecision {
  static constexpr const char* kName = "collapse";
  int stream = 0;
  int follows = 0;
  double ngram_overlap = 0;
  double hidden_cosine = 0;
  CollapseAction action = CollapseAction::kEnd;
};

struct AgreementDecision {
  static constexpr const char* kName = "agreement";
  std::string answer;  // in normal form
};

struct MergeDecision {
  static constexpr const char* kName = "merge";
  MergeMode wanted = MergeMode::kVote;
  MergeMode done = MergeMode::kKv;
  std::string why;
};

struct VoteDecision {
  static constexpr const char* kName = "vote";
  int stream = 0;  // whose answer it is
  std::string answer;
};

enum class SearchCause { kEntropy, kValue, kMarker, kAlways };
std::span<const EnumName<SearchCause>> names_of(SearchCause);
struct SearchDecision {
  static constexpr const char* kName = "search";
  int stream = 0;
  int search = 0;  // of the stream, from 0
  SearchCause trigger = SearchCause::kAlways;
  double entropy = 0;  // smoothed, in nats
  double value = 0;
  ValueFeatures features;
};

enum class SearchObstacle { kStreamSearches, kSearches, kTokens, kSequences, kStreamBudget };
std::span<const EnumName<SearchObstacle>> names_of(SearchObstacle);
struct SearchRefusal {
  static constexpr const char* kName = "search_refused";
  int stream = 0;
  SearchCause trigger = SearchCause::kAlways;
  SearchObstacle why = SearchObstacle::kSearches;
};

enum class SearchEnd { kSimulations, kSequences, kTokens, kNothingLeft, kClock, kStreamEnded };
std::span<const EnumName<SearchEnd>> names_of(SearchEnd);
struct SearchEnding {
  static constexpr const char* kName = "search_ended";
  int stream = 0;
  int search = 0;
  SearchEnd why = SearchEnd::kSimulations;
  int steps = 0;
  int simulations = 0;
  int tokens = 0;
  int committed_tokens = 0;
};

struct MemoryLoad {
  static constexpr const char* kName = "memory_load";
  NodeId node = 0;
  int64_t stored = 0;  // in the store
  std::string text;
};

// A sentence that the write head was shown.
struct MemoryConsideration {
  static constexpr const char* kName = "memory_consider";
  int stream = 0;
  std::string text;
  double p = 0;
  WriteFeatures features;
  double threshold = 0;
  bool written = false;
};

struct MemoryWrite {
  static constexpr const char* kName = "memory_write";
  NoteSource source;
  NodeOrigin how = NodeOrigin::kMarker;
  std::string text;
  std::optional<NodeId> node;        // none when it is too long
  std::optional<NodeId> evicted;     // had to go for it
  std::optional<int> too_long = {};  // tokens
};

enum class RecallCause { kMarker, kReadHead, kStart };
std::span<const EnumName<RecallCause>> names_of(RecallCause);
struct RecalledNode {
  NodeId node = 0;
  std::string text;
  double score = 0;
  double direct = 0;  // without what came over edges
  std::optional<NodeId> contradicts;
};
struct MemoryRecall {
  static constexpr const char* kName = "memory_recall";
  Step step = 0;
  int stream = 0;
  RecallCause by = RecallCause::kMarker;
  std::string query;
  double threshold = 0;
  std::vector<RecalledNode> nodes;  // the best first
  bool carried_out = false;
  std::vector<NodeId> placed;  // those that there was room for
};

struct MemoryRefusal {
  static constexpr const char* kName = "memory_refused";
  NodeId node = 0;
  std::string why;
};

struct MemoryWindow {
  static constexpr const char* kName = "memory_window";
  int stream = 0;
  Position begin = 0;  // [begin, end) has left the stream's view
  Position end = 0;
};

using Decision = std::variant<GateDecision, PromotionDecision, PlanDecision, CollapseDecision,
                              AgreementDecision, MergeDecision, VoteDecision, SearchDecision,
                              SearchRefusal, SearchEnding, MemoryLoad, MemoryConsideration,
                              MemoryWrite, MemoryRecall, MemoryRefusal, MemoryWindow>;

struct TraceDecision {
  Step step = 0;
  Decision what;
};

}  // namespace polyphon
