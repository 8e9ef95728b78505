// Settings of the reasoning layer: caps and policies, from the config file.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/topology.h"
#include "record/think_request.h"
#include "streams/strategy.h"
#include "streams/think_settings.h"

namespace polyphon {

struct CollapseOptions {
  bool enabled = true;
  int cadence_tokens = 32;  // a stream's tokens between two looks
  int window_tokens = 64;   // of each stream's tail that is compared
  int ngram = 4;
  double ngram_overlap = 0.6;   // Jaccard of the windows' n-gram sets, at or above
  double hidden_cosine = 0.95;  // cosine of the windows' mean hidden states, at or above
  int reseeds = 1;              // after that many the follower is ended
};

struct AgreementOptions {
  bool enabled = true;
  int min_streams = 3;  // finished with the same extracted answer, and
  double quorum = 0.5;  // more than this share of the phase's streams
};

// A background sequence that reads all streams and writes notes that begin with its cue.
struct RegisterSpec {
  std::string name;
  std::string cue;  // never empty, no line break; the model goes on from here
  int note_tokens = 24;
  int cadence_tokens = 0;  // of the longest stream, between two notes; 0: what the request says

  int cadence(int requested) const { return cadence_tokens > 0 ? cadence_tokens : requested; }
};
const std::vector<RegisterSpec>& built_in_registers();

struct WorkspaceOptions;
// Throws Error{kInvalidArgument} that names the field of the request's polyphon object.
void validate(const WorkspaceRequest& request, const WorkspaceOptions& options);

struct WorkspaceOptions {
  std::vector<RegisterSpec> registers = built_in_registers();
  double evidence_decay = 0.7;  // of a register's accumulator, from note to note
  bool measure_effect =
      true;  // decode a token of each stream once more without the note, for its KL
};

struct MemoryOptions {
  std::string path;              // of the store; empty: nothing is kept between sessions
  int max_stored_nodes = 10000;  // of one tenant; one more makes the least recently used one go
  int max_stored_cells_mib =
      256;  // of one tenant's nodes' keys and values; over it, text alone stays
};

// Caps on any plan; a request may ask for less.
struct PlanCaps {
  int max_streams = 32;
  int max_budget_tokens = 32768;  // over all streams and phases
  int auto_budget_tokens = 2048;  // what "auto" may spend
};

struct ReasonOptions {
  std::vector<Strategy> strategies = built_in_strategies();
  // Hottest minus coldest stream; the request's temperature is the middle.
  double temperature_ladder = kTemperatureLadder;
  CollapseOptions collapse;
  AgreementOptions agreement;
  WorkspaceOptions workspace;
  // A checker's value, in [0, 1], of an answer that a branch states; null: the value head's. Called
  // on the decode thread: it must be quick and must not throw.
  std::function<double(const std::string& answer)> answer_value;
  MemoryOptions memory;
  PlanCaps caps;
  int max_repeated_request_tokens = 256;  // a longer request is not said again before the answer
  ThinkSettings defaults;                 // of requests that do not say
};

// The options under which one session's streams run. Throws Error{kInvalidArgument} for a strategy
// that is not configured or a ladder outside 0 to 4.
ReasonOptions with_diversity(ReasonOptions options, const DiversityRequest& request);

}  // namespace polyphon
