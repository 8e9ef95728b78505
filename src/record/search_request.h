// What a session may spend on tree search, and when a stream begins one. Plain.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "record/request_field.h"

namespace polyphon {

enum class SearchMode { kOff, kAuto, kAlways };
std::string to_string(SearchMode mode);
// Throws Error{kInvalidArgument, field "polyphon.search"}.
SearchMode parse_search_mode(const std::string& text);

// A search that the clock ended, counted in steps since it began.
struct ClockEnd {
  int stream = 0;
  int search = 0;  // of the stream, from 0
  int steps = 0;
};

struct SearchRequest {
  SearchMode mode = SearchMode::kOff;
  int simulations = 32;      // of one search: leaves valued
  int depth = 4;             // thought steps below the root
  int step_tokens = 40;      // of one thought step, when no sentence ends before
  int parallel_leaves = 16;  // of one search, decoded in one batch
  int max_children = 8;      // of one node
  double widening = 2;       // a node may have widening * visits^widening_power children (Chaslot
  double widening_power = 0.5;  // et al. 2008), more only when all else is in flight
  double cpuct = 1.5;
  double temperature = 0.8;  // a branch's own is the stream's, but at least this
  // Of the whole session.
  int max_tokens = 4096;   // decoded in branches, committed or not
  int max_sequences = 64;  // branches whose cells are kept
  int max_searches = 16;
  int max_stream_searches = 4;  // of one stream
  int min_gap_tokens = 32;      // of a stream, between two searches
  // Triggers of "auto", at the end of a thought step.
  double entropy_threshold = 2;  // of the stream's smoothed next-token entropy, in nats
  double value_drop = 0.15;      // of the value, over the last value_steps steps
  int value_steps = 3;
  // When a search is over, each of its states is played out to the stream's end, in max_tokens and
  // max_sequences as well: what the value head learns from (branch_playouts.h).
  bool plays_out = false;
  // Wall clock of one search; 0: none. What it cuts short is in the trace, and a replay cuts there.
  int milliseconds = 0;
  bool replays_clock = false;
  std::vector<ClockEnd> clock_ends;  // in a replay: where the clock ended searches

  bool on() const { return mode != SearchMode::kOff; }
};

// What all searches of a session may still use. Both were set aside when it was admitted.
struct SearchBudget {
  int tokens_left = 0;     // that branches may still decode
  int sequences_left = 0;  // that may still be opened
};

using SearchField = RequestField<SearchRequest>;
std::span<const SearchField> search_fields();

// Throws Error{kInvalidArgument} that names the field of the request's polyphon.search object.
void validate(const SearchRequest& request);

}  // namespace polyphon
