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

Json to_json(const MemoryRequest& request) {
  Json loaded = Json::array();
  for (const LoadedNode& node : request.loaded)
    loaded.push_back(
        {{"id", node.id}, {"text", node.text}, {"tokens", node.tokens}, {"key", node.key}});
  Json json = {{"enabled", request.enabled},
               {"keep", request.keep},
               {"problem", request.problem},
               {"loaded", std::move(loaded)}};
  fields_to_json(memory_fields(), request, json);
  return json;
}

MemoryRequest memory_request_from_json(const Json& json) {
  MemoryRequest request;
  json.at("enabled").get_to(request.enabled);
  json.at("keep").get_to(request.keep);
  json.at("problem").get_to(request.problem);
  fields_from_json(memory_fields(), json, request);
  for (const Json& node : json.at("loaded"))
    request.loaded.push_back({node.at("id").get<int64_t>(),
                              node.at("text").get<std::string>(),
                              node.at("tokens").get<Tokens>(),
                              node.at("key").get<std::vector<float>>(),
                              {}});
  return request;
}

}  // namespace polyphon
