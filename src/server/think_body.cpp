#include "server/think_body.h"

#include "base/check.h"
#include "record/codec.h"

namespace polyphon {
namespace {

// Where the server reads it as a signed number.
int64_t written(uint64_t seed) { return static_cast<int64_t>(seed); }

bool can_be_written(const ThinkInput& input) {
  return input.chat.tools.is_null() && input.chat.json_schema.is_null() &&
         input.chat.grammar.empty() && input.chat.template_kwargs.is_null() && input.stop.empty() &&
         input.scripts.empty() && !input.ignore_eos && input.sampling.logit_bias.empty() &&
         input.sampling.logprobs < 0 && input.answer_sampling == input.sampling;
}

Json sampling_of(const SamplingParams& sampling) {
  return {{"temperature", sampling.temperature},
          {"top_k", sampling.top_k},
          {"top_p", sampling.top_p},
          {"min_p", sampling.min_p},
          {"repetition_penalty", sampling.repetition_penalty},
          {"frequency_penalty", sampling.frequency_penalty},
          {"presence_penalty", sampling.presence_penalty},
          {"repeat_last_n", sampling.penalty_last_n},
          {"seed", written(sampling.seed)}};
}

Json search_of(const SearchRequest& search) {
  Json json = {{"mode", to_string(search.mode)}};
  fields_to_json(search_fields(), search, json);
  return json;
}

Json memory_of(const MemoryRequest& memory) {
  Json json = {{"enabled", memory.enabled}, {"keep", memory.keep}};
  fields_to_json(memory_fields(), memory, json);
  return json;
}

Json wishes_of(const ThinkInput& input, const SessionTerms& terms) {
  const WorkspaceRequest& workspace = input.workspace;
  const DiversityRequest& diversity = input.diversity;
  Json wishes = {{"topology", input.topology.to_string()},
                 {"merge", to_string(input.merge)},
                 {"narrow", input.narrow},
                 {"registers", workspace.registers},
                 {"register_cadence", workspace.cadence_tokens},
                 {"gate_refractory", workspace.refractory_tokens},
                 {"gate_threshold", workspace.gate_threshold},
                 {"strategies", diversity.strategies},
                 {"collapse_watch", diversity.collapse_watch},
                 {"agreement", diversity.agreement},
                 {"spend_budget", diversity.spend_budget},
                 {"branch_first_token", diversity.branch_first_token},
                 {"search", search_of(input.search)},
                 {"memory", memory_of(input.memory)},
                 {"cache_prompt", terms.cache_prompt},
                 {"include_trace", true}};
  if (terms.priority == Priority::kBackground) wishes["priority"] = "background";
  if (diversity.temperature_ladder) wishes["temperature_ladder"] = *diversity.temperature_ladder;
  if (workspace.without_promotion >= 0) wishes["without_promotion"] = workspace.without_promotion;
  return wishes;
}

}  // namespace

Json think_body(const ThinkInput& input, const SessionTerms& terms) {
  POLYPHON_CHECK(can_be_written(input));
  Json body = sampling_of(input.sampling);
  body["messages"] = input.chat.messages;
  body["max_tokens"] = input.max_answer_tokens;
  body["polyphon"] = wishes_of(input, terms);
  return body;
}

Json completion_body(const Continuation& from) {
  Json body = sampling_of(from.sampling);
  body["prompt"] = from.text;
  body["grammar"] = from.grammar;
  body["max_tokens"] = from.max_tokens;
  return body;
}

}  // namespace polyphon
