#include "server/chat_request.h"

#include "deploy/settings.h"
#include "server/sampling_reader.h"

namespace polyphon {
namespace {

// A setting of several: an object whose members are rows under `name`, or one short value that
// `whole` reads; false and "off" switch it off.
template <typename Whole>
void read_group(const FieldReader& fields, const char* name, Whole whole, ThinkSettings& wish) {
  const OrderedJson* const value = fields.find(name);
  if (!value) return;
  if (!value->is_object()) return whole(*value);
  const FieldReader inner(*value, fields.path(name));
  std::vector<const char*> keys;
  inner.read_settings(think_settings(), std::string(name) + ".", wish, keys);
  inner.allow_only(keys);
}

// "off", "auto", "always", false, or an object with a mode ("auto" if it names none).
void read_search(const FieldReader& fields, ThinkSettings& wish) {
  const OrderedJson* const value = fields.find("search");
  if (value && value->is_object() && !wish.search.on()) wish.search.mode = SearchMode::kAuto;
  const auto whole = [&](const OrderedJson& short_value) {
    if (short_value == false)
      wish.search.mode = SearchMode::kOff;
    else if (short_value.is_string())
      wish.search.mode = parse_search_mode(*fields.string("search"));
    else
      fields.refuse("search", "must be off, auto, always or an object");
  };
  read_group(fields, "search", whole, wish);
}

// true, false, "off", or an object, which switches memory on unless it says otherwise.
void read_memory(const FieldReader& fields, ThinkSettings& wish) {
  const OrderedJson* const value = fields.find("memory");
  if (value && value->is_object()) wish.memory.enabled = true;
  const auto whole = [&](const OrderedJson& short_value) {
    if (!short_value.is_boolean() && short_value != "off")
      fields.refuse("memory", "must be true, false, \"off\" or an object of settings");
    wish.memory.enabled = short_value == true;
  };
  read_group(fields, "memory", whole, wish);
  validate(wish.memory);
}

// `wishes`: the request's polyphon object, null when the config makes it think.
void read_wishes(const OrderedJson* wishes, GenerationRequest& request) {
  ThinkInput& input = *request.think;
  input.narrow = true;  // a default topology may be narrowed, one that was asked for is refused
  if (!wishes) return;
  const FieldReader fields(*wishes, "polyphon");
  if (fields.find("topology")) input.narrow = false;
  // "off" and false are registers too.
  OrderedJson plain = *wishes;
  if (const auto registers = plain.find("registers");
      registers != plain.end() && (*registers == false || *registers == "off"))
    *registers = 0;
  const FieldReader numbers(plain, "polyphon");
  std::vector<const char*> keys = {"search", "memory", "seed"};
  numbers.read_settings(think_settings(), "", static_cast<ThinkSettings&>(input), keys);
  numbers.read_settings(answer_settings(), "", static_cast<AnswerWishes&>(request), keys);
  fields.allow_only(keys);
  read_search(fields, input);
  read_memory(fields, input);
  if (const auto seed = fields.integer("seed", INT64_MIN, INT64_MAX))
    input.sampling.seed = input.answer_sampling.seed = static_cast<uint64_t>(*seed);
}

int read_logprobs(const FieldReader& fields) {
  if (fields.boolean("logprobs").value_or(false))
    return static_cast<int>(fields.integer("top_logprobs", 0, 20).value_or(0));
  if (fields.find("top_logprobs")) fields.refuse("top_logprobs", "needs logprobs to be true");
  return -1;
}

}  // namespace

GenerationRequest read_chat_generation(const FieldReader& fields, ChatInput chat,
                                       const RequestContext& context) {
  const Vocabulary& vocabulary = context.reasoner.model().vocabulary();
  GenerationRequest request = read_frame(fields, context.options);
  SamplingParams sampling = read_sampling(fields, vocabulary.size());
  sampling.logprobs = read_logprobs(fields);
  chat.grammar = fields.string("grammar").value_or("");
  if (!chat.grammar.empty() && (!chat.json_schema.is_null() || !chat.tools.is_null()))
    fields.refuse("grammar", "cannot be combined with response_format or tools");
  const std::vector<std::string> stop = read_stop(fields);
  const int choices = read_choices(fields);
  const OrderedJson* wishes = fields.object("polyphon");
  const bool views = context.reasoner.model().info().supports_views;

  ChatPrompt prompt = context.reasoner.model().chat_template().render(chat);
  request.parser = prompt.parser;
  if (wishes || (context.options.think_by_default && views)) {
    if (choices > 1) fields.refuse("n", "must be 1 for a request that thinks in streams");
    ThinkInput& input = request.think.emplace();
    static_cast<ThinkSettings&>(input) = context.reasoner.options().defaults;
    input.sampling = input.answer_sampling = sampling;
    input.sampling.logprobs = -1;
    read_wishes(wishes, request);
    input.chat = std::move(chat);
    input.stop = stop;
    input.max_answer_tokens = read_max_tokens(fields, input.max_answer_tokens);
    return request;
  }
  CompletionRequest completion;
  completion.prompt = context.reasoner.tokenize_prompt(prompt.text, true, "messages");
  completion.sampling = std::move(sampling);
  completion.grammar = std::move(prompt.grammar);
  completion.stop = stop;
  completion.stop.insert(completion.stop.end(), prompt.stops.begin(), prompt.stops.end());
  completion.max_tokens = read_max_tokens(fields, context.options.default_max_tokens);
  completion.choices = choices;
  completion.ignore_eos = fields.boolean("ignore_eos").value_or(false);
  request.completions.push_back(std::move(completion));
  return request;
}

GenerationRequest read_chat_request(const OrderedJson& body, const RequestContext& context) {
  const FieldReader fields(body);
  check_model(fields, context.options);
  for (const char* media : {"audio", "web_search_options"})
    if (fields.find(media))
      fields.refuse(media, "is not available: this server answers with text only");
  return read_chat_generation(fields, read_chat_input(fields), context);
}

}  // namespace polyphon
