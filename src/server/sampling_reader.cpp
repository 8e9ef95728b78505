#include "server/sampling_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "base/error.h"
#include "base/shown.h"

namespace polyphon {
namespace {

constexpr int kMostTokens = 1 << 20;

void read_logit_bias(const FieldReader& fields, SamplingParams& params) {
  const OrderedJson* biases = fields.object("logit_bias");
  if (!biases) return;
  for (const auto& [token, bias] : biases->items()) {
    const bool number = !token.empty() && token.size() < 10 &&
                        token.find_first_not_of("0123456789") == std::string::npos;
    if (!number || !bias.is_number())
      fields.refuse("logit_bias", "must map token ids to numbers, not '" + shown(token) + "'");
    params.logit_bias.emplace_back(std::stoi(token), bias.get<float>());
  }
}

uint64_t random_seed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) ^ device();
}

}  // namespace

SamplingParams read_sampling(const FieldReader& fields, int vocabulary_size) {
  SamplingParams params;
  std::vector<const char*> keys;
  if (const auto penalty = fields.number("repeat_penalty", 0.01, 100))  // llama-server's name
    params.repetition_penalty = static_cast<float>(*penalty);
  fields.read_settings(sampling_settings(), "", params, keys);
  read_logit_bias(fields, params);
  const auto seed = fields.integer("seed", INT64_MIN, INT64_MAX);
  params.seed = seed ? static_cast<uint64_t>(*seed) : random_seed();
  validate(params, vocabulary_size);
  return params;
}

int read_max_tokens(const FieldReader& fields, int otherwise) {
  std::optional<int64_t> limit;
  for (const char* key : {"max_completion_tokens", "max_output_tokens", "max_tokens"}) {
    const auto value = fields.integer(key, 1, kMostTokens);
    if (!limit) limit = value;
  }
  return static_cast<int>(limit.value_or(otherwise));
}

std::vector<std::string> read_stop(const FieldReader& fields) {
  std::vector<std::string> stop = fields.strings("stop", kMaxStops);
  if (std::any_of(stop.begin(), stop.end(), [](const std::string& s) { return s.empty(); }))
    fields.refuse("stop", "must not hold an empty string");
  return stop;
}

int read_choices(const FieldReader& fields) {
  const auto choices = static_cast<int>(fields.integer("n", 1, kMaxChoices).value_or(1));
  if (fields.integer("best_of", 1, kMaxChoices).value_or(choices) != choices)
    fields.refuse("best_of", "must equal n: candidates are not ranked");
  return choices;
}

GenerationRequest read_frame(const FieldReader& fields, const ServerOptions& options) {
  check_model(fields, options);
  GenerationRequest request;
  request.model = fields.string("model").value_or("");
  if (request.model.empty()) request.model = options.served_name;
  request.stream = fields.boolean("stream").value_or(false);
  if (const OrderedJson* wishes = fields.object("stream_options"))
    request.include_usage =
        FieldReader(*wishes, "stream_options").boolean("include_usage").value_or(false);
  return request;
}

void check_model(const FieldReader& fields, const ServerOptions& options) {
  const auto model = fields.string("model");
  if (!model || model->empty() || *model == options.served_name) return;
  if (std::find(options.aliases.begin(), options.aliases.end(), *model) != options.aliases.end())
    return;
  throw Error(ErrorCode::kNotFound,
              fmt::format("the model '{}' is not served here; use '{}'", shown(*model),
                          options.served_name),
              "model");
}

}  // namespace polyphon
