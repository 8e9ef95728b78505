// How a token budget is spent: phases of parallel streams. "8x256" is one phase of 8 streams of 256
// tokens; in "4x512>1x2048" the merge of the first phase is the prompt of the second.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polyphon {

struct Phase {
  int streams = 1;  // 1..kMaxStreams
  int tokens = 1;   // budget of each stream, 1..kMaxStreamTokens

  bool operator==(const Phase&) const = default;
};

// No phases means "auto": the model states its own topology in a planning turn.
struct Topology {
  static constexpr int kMaxStreams = 64;
  static constexpr int kMaxStreamTokens = 1 << 20;
  static constexpr int kMaxPhases = 8;

  std::vector<Phase> phases;

  bool is_auto() const { return phases.empty(); }
  // Sum of streams x tokens over the phases.
  long long budget_tokens() const;
  // Inverse of parse_topology.
  std::string to_string() const;

  bool operator==(const Topology&) const = default;
};

// Reads "auto" or "AxB" joined by '>'. Throws Error{kInvalidArgument, field "polyphon.topology"}
// that names the value and what is expected.
Topology parse_topology(std::string_view text);

// How the streams of a phase become one view (see streams/synthesis.h).
enum class MergeMode {
  kKv,       // by views: only the instruction is prefilled
  kPrefill,  // the streams' texts concatenated and prefilled again
  kCompact,  // each stream's conclusion only, prefilled
  kVote,     // the most frequent extracted answer, nothing is decoded
};

std::string_view to_string(MergeMode mode);
// Throws Error{kInvalidArgument, field "polyphon.merge"}.
MergeMode parse_merge_mode(std::string_view text);

}  // namespace polyphon
