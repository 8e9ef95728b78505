// The decisions that a session took, each with the evidence for it. A decision is one alternative
// of the variant `Decision` below. Plain data.
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

// A note or conclusion that competed for promotion.
struct GateCandidate {
  NoteSource source;
  int sequence = -1;  // the sequence whose view holds the candidate's cells
  // First position of the candidate's cells; 0 in format 1, which did not record it.
  Position begin = 0;
  Position end = 0;
  std::string text;
  double p = 0;  // the gate's probability for this candidate
  GateFeatures features;
};

struct GateDecision {
  static constexpr const char* kName = "gate";
  std::vector<GateCandidate> candidates;  // sorted by p, highest first
  double threshold = 0;
  bool promoted = false;  // whether candidates[0] was promoted
};

// One promotion, with what the workspace knew when it made it. Follows its gate decision in the
// trace. The edits that carried it out have the same number (TraceEdit::promotion).
struct PromotionDecision {
  static constexpr const char* kName = "promotion";
  int promotion = 0;  // number within the session, from 0
  bool carried_out = true;
  GateFeatures features;
  // The last token of the candidate that its sequence sampled: Trace::spans[span].tokens[index].
  // The gate read the state from which this token was sampled. -1 if there is no such token.
  int span = -1;
  int index = -1;
};

struct PredictedTopology {
  Topology topology;
  double p = 0;  // predicted probability of a right answer
};
struct PlanDecision {
  static constexpr const char* kName = "plan";
  std::string said;  // the model's text
  // The topology in `said`; set only if a trained head could correct it.
  std::optional<Topology> stated;
  // The head's predictions; filled only if `stated` is set.
  std::vector<PredictedTopology> predicted;
  Topology topology;  // the topology that the session used
};

// kNone: nothing was done, because the stream is in a search.
enum class CollapseAction { kEnd, kNone, kReseed };
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
  std::string answer;  // normalised (normalise_answer)
};

struct MergeDecision {
  static constexpr const char* kName = "merge";
  MergeMode wanted = MergeMode::kVote;
  MergeMode done = MergeMode::kKv;
  std::string why;
};

struct VoteDecision {
  static constexpr const char* kName = "vote";
  int stream = 0;  // the stream whose answer won
  std::string answer;
};

enum class SearchCause { kEntropy, kValue, kMarker, kAlways };
std::span<const EnumName<SearchCause>> names_of(SearchCause);
struct SearchDecision {
  static constexpr const char* kName = "search";
  int stream = 0;
  int search = 0;  // number of this search within its stream, from 0
  SearchCause trigger = SearchCause::kAlways;
  double entropy = 0;  // smoothed entropy of the stream's tokens, in nats
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
  int64_t stored = 0;  // id in the tenant's store
  std::string text;
};

// A sentence that the write head scored.
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
  std::optional<NodeId> node;        // the new node; none if the text was too long
  std::optional<NodeId> evicted;     // the node that was removed to make room
  std::optional<int> too_long = {};  // length in tokens, if the text was too long for a node
};

enum class RecallCause { kMarker, kReadHead, kStart };
std::span<const EnumName<RecallCause>> names_of(RecallCause);
struct RecalledNode {
  NodeId node = 0;
  std::string text;
  double score = 0;
  double direct = 0;  // the part of `score` that did not come over edges of the graph
  std::optional<NodeId> contradicts;
};
struct MemoryRecall {
  static constexpr const char* kName = "memory_recall";
  Step step = 0;
  int stream = 0;
  RecallCause by = RecallCause::kMarker;
  std::string query;
  double threshold = 0;
  std::vector<RecalledNode> nodes;  // sorted by score, highest first
  bool carried_out = false;
  std::vector<NodeId> placed;  // the nodes that fitted into the recall budget
};

struct MemoryRefusal {
  static constexpr const char* kName = "memory_refused";
  NodeId node = 0;
  std::string why;
};

struct MemoryWindow {
  static constexpr const char* kName = "memory_window";
  int stream = 0;
  Position begin = 0;  // positions [begin, end) left the stream's view
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
