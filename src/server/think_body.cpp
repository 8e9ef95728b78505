#include "server/think_body.h"

#include "base/check.h"
#include "deploy/settings.h"
#include "record/codec.h"

namespace polyphon {
namespace {

// Where the server reads it as a signed number.
int64_t written(uint64_t seed) { return static_cast<int64_t>(seed); }

// Every other setting of search and memory is as the server has it: a constant.
bool has_only_rows(const ThinkSettings& settings) {
  ThinkSettings again;
  for (const Setting<ThinkSettings>& row : think_settings())
    if (const Json value = row.get(settings); !value.is_null()) row.set(again, value);
  return to_json(again.search) == to_json(settings.search) &&
         to_json(again.memory) == to_json(settings.memory) &&
         again.workspace.refractory_tokens == settings.workspace.refractory_tokens;
}

bool can_be_written(const ThinkInput& input) {
  return input.chat.tools.is_null() && input.chat.json_schema.is_null() &&
         input.chat.grammar.empty() && input.chat.template_kwargs.is_null() && input.stop.empty() &&
         input.scripts.empty() && !input.ignore_eos && input.sampling.logit_bias.empty() &&
         input.sampling.logprobs < 0 && input.answer_sampling == input.sampling &&
         has_only_rows(input);
}

// What requests may set, under the rows' names.
template <typename Target>
void write_settings(const std::vector<Setting<Target>>& rows, const Target& target, Json& body) {
  for (const Setting<Target>& row : rows) {
    const Json value = row.in(kRequestScope) ? row.get(target) : Json();
    if (value.is_null()) continue;
    const size_t dot = row.name.find('.');
    if (dot == std::string::npos)
      body[row.name] = value;
    else
      body[row.name.substr(0, dot)][row.name.substr(dot + 1)] = value;
  }
}

Json sampling_of(const SamplingParams& sampling) {
  Json body = {{"seed", written(sampling.seed)}};
  write_settings(sampling_settings(), sampling, body);
  return body;
}

Json wishes_of(const ThinkInput& input, const SessionTerms& terms) {
  Json wishes = Json::object();
  write_settings(think_settings(), static_cast<const ThinkSettings&>(input), wishes);
  write_settings(
      answer_settings(),
      AnswerWishes{
          .priority = terms.priority, .cache_prompt = terms.cache_prompt, .include_trace = true},
      wishes);
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
