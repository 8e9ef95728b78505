#include "record/memory_request.h"

#include <array>

namespace polyphon {

std::span<const MemoryField> memory_fields() {
  using M = MemoryRequest;
  constexpr double kMost = 1 << 20;
  static const std::array<MemoryField, 8> fields = {{
      {"window_tokens", &M::window_tokens, 0, kMost, kConfigScope | kFlagScope | kRequestScope,
       "Own tokens that a stream keeps in view: 0 for all, else 32 or more"},
      {"keep_first_tokens", &M::keep_first_tokens, 0, kMost},
      {"max_nodes", &M::max_nodes, 1, 1024, kRequestScope,
       "Most sentences that a session's memory holds; one more replaces the least recently used"},
      {"cadence_tokens", &M::cadence_tokens, 0, kMost, kRequestScope,
       "Distance between two reads of the read head, in tokens; 0: only markers recall"},
      {"top_k", &M::top_k, 1, 1024, kRequestScope,
       "Most sentences that one recall brings back, contradictions apart"},
      {"max_recall_tokens", &M::max_recall_tokens, 0, kMost},
      {"read_threshold", &M::read_threshold, 0, 1, kRequestScope,
       "Score of the read head above which a sentence is recalled; a marker needs half"},
      {"write_threshold", &M::write_threshold, 0, 1, kRequestScope,
       "Probability of the write head above which a sentence is kept"},
  }};
  return fields;
}

void validate(const MemoryRequest& request) {
  check_bounds(memory_fields(), request, "memory");
  constexpr int kShortestWindow = 32;  // a cue and the sentence around it
  if (request.window_tokens > 0 && request.window_tokens < kShortestWindow)
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("memory.window_tokens is {}: must be 0 (off) or {} and more",
                            request.window_tokens, kShortestWindow),
                "polyphon.memory.window_tokens");
}

}  // namespace polyphon
