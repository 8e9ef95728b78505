#include "server/reply.h"

#include <fmt/format.h>

#include <random>

#include "record/codec.h"
#include "server/api_error.h"

namespace polyphon {

std::string sse(const Json& data) { return "data: " + to_text(data) + "\n\n"; }

std::string fresh_id(const std::string& prefix) {
  std::random_device device;
  return fmt::format("{}-{:08x}{:08x}{:08x}", prefix, device(), device(), device());
}

Json usage_json(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}},
          {"completion_tokens_details", {{"reasoning_tokens", usage.reasoning_tokens}}}};
}

Json polyphon_json(const Finished& finished, bool with_trace) {
  Json json = polyphon_object(*finished.trace);
  if (with_trace) json["trace"] = to_json(*finished.trace);
  return json;
}

}  // namespace polyphon
