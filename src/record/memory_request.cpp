#include "record/memory_request.h"

#include <array>

namespace polyphon {

std::span<const MemoryField> memory_fields() {
  using M = MemoryRequest;
  constexpr double kMost = 1 << 20;
  static const std::array<MemoryField, 8> fields = {{
      {"window_tokens", &M::window_tokens, 0, kMost},
      {"keep_first_tokens", &M::keep_first_tokens, 0, kMost},
      {"max_nodes", &M::max_nodes, 1, 1024},
      {"cadence_tokens", &M::cadence_tokens, 0, kMost},
      {"top_k", &M::top_k, 1, 1024},
      {"max_recall_tokens", &M::max_recall_tokens, 0, kMost},
      {"read_threshold", &M::read_threshold, 0, 1},
      {"write_threshold", &M::write_threshold, 0, 1},
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
