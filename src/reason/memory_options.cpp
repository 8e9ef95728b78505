#include "reason/memory_options.h"

#include <fmt/format.h>

#include "base/error.h"

namespace polyphon {

void validate(const MemoryRequest& request) {
  const auto require = [](bool holds, const char* field, auto value, const std::string& expected) {
    if (holds) return;
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("memory.{} is {}: must be {}", field, value, expected),
                std::string("polyphon.memory.") + field);
  };
  constexpr int kMost = 1 << 20;
  constexpr int kShortestWindow = 32;  // a cue and the sentence around it
  constexpr int kMostNodes = 160;      // each holds a sequence id
  const int window = request.window_tokens;
  require(window == 0 || (window >= kShortestWindow && window <= kMost), "window_tokens", window,
          fmt::format("0 (off) or {} to {}", kShortestWindow, kMost));
  const auto whole = [&](const char* field, int value, int least, int most) {
    require(value >= least && value <= most, field, value, fmt::format("{} to {}", least, most));
  };
  whole("keep_first_tokens", request.keep_first_tokens, 0, kMost);
  whole("max_nodes", request.max_nodes, 1, kMostNodes);
  whole("cadence_tokens", request.cadence_tokens, 0, kMost);
  whole("top_k", request.top_k, 1, kMostNodes);
  whole("max_recalls", request.max_recalls, 0, 1024);
  const auto share = [&](const char* field, double value) {
    require(value >= 0 && value <= 1, field, value, "0 to 1");
  };
  share("read_threshold", request.read_threshold);
  share("write_threshold", request.write_threshold);
}

Json to_json(const MemoryRequest& request) {
  Json loaded = Json::array();
  for (const LoadedNode& node : request.loaded)
    loaded.push_back(
        {{"id", node.id}, {"text", node.text}, {"tokens", node.tokens}, {"key", node.key}});
  return {{"enabled", request.enabled},
          {"window_tokens", request.window_tokens},
          {"keep_first_tokens", request.keep_first_tokens},
          {"max_nodes", request.max_nodes},
          {"cadence_tokens", request.cadence_tokens},
          {"top_k", request.top_k},
          {"max_recalls", request.max_recalls},
          {"read_threshold", request.read_threshold},
          {"write_threshold", request.write_threshold},
          {"keep", request.keep},
          {"problem", request.problem},
          {"loaded", std::move(loaded)}};
}

MemoryRequest memory_request_from_json(const Json& json) {
  MemoryRequest request;
  json.at("enabled").get_to(request.enabled);
  json.at("window_tokens").get_to(request.window_tokens);
  json.at("keep_first_tokens").get_to(request.keep_first_tokens);
  json.at("max_nodes").get_to(request.max_nodes);
  json.at("cadence_tokens").get_to(request.cadence_tokens);
  json.at("top_k").get_to(request.top_k);
  json.at("max_recalls").get_to(request.max_recalls);
  json.at("read_threshold").get_to(request.read_threshold);
  json.at("write_threshold").get_to(request.write_threshold);
  json.at("keep").get_to(request.keep);
  json.at("problem").get_to(request.problem);
  for (const Json& node : json.at("loaded"))
    request.loaded.push_back({node.at("id").get<int64_t>(), node.at("text").get<std::string>(),
                              node.at("tokens").get<Tokens>(),
                              node.at("key").get<std::vector<float>>()});
  return request;
}

}  // namespace polyphon
