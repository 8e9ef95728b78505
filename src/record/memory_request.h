// What a session asks of memory, and what it brings from the store. Plain.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/token.h"
#include "record/request_field.h"

namespace polyphon {

struct SavedCells;  // model/decoder.h

// A node of an earlier session, chosen for this one by the words it shares with the problem.
struct LoadedNode {
  int64_t id = 0;  // in the store
  std::string text;
  Tokens tokens;
  std::vector<float> key;  // may be empty
  std::shared_ptr<const SavedCells>
      cells;  // of the tokens; not in the trace, a replay computes them
};

struct MemoryRequest {
  bool enabled = false;
  int window_tokens = 0;        // of a stream's own positions that stay in its view; 0: all
  int keep_first_tokens = 16;   // of a stream, preamble included, that always stay
  int max_nodes = 32;           // of the session; one more makes the least recently used one go
  int cadence_tokens = 64;      // between two reads of the read head; 0: markers alone recall
  int top_k = 2;                // nodes of one recall, contradictions apart
  int max_recall_tokens = 256;  // that recalls may add to a stream in a phase, cues included
  double read_threshold = 0.5;  // of the read head's score; a marker needs half of it
  double write_threshold = 0.7;
  bool keep = true;  // what markers and conclusions wrote goes to the tenant's store
  // Filled in by the Reasoner, or by a trace.
  std::string problem;             // what loaded nodes are compared with
  std::vector<LoadedNode> loaded;  // at most max_nodes / 2
};

using MemoryField = RequestField<MemoryRequest>;
std::span<const MemoryField> memory_fields();

// Throws Error{kInvalidArgument} that names the field of the request's polyphon.memory object.
void validate(const MemoryRequest& request);

}  // namespace polyphon
