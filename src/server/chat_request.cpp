#include "server/chat_request.h"

#include "base/shown.h"
#include "server/memory_reader.h"
#include "server/sampling_reader.h"

namespace polyphon {
namespace {

WorkspaceRequest read_workspace(const FieldReader& fields, const WorkspaceRequest& defaults) {
  constexpr int kMost = 1 << 20;  // streams/options.h checks the exact bounds
  WorkspaceRequest wish = defaults;
  const OrderedJson* registers = fields.find("registers");
  if (registers && (*registers == false || *registers == "off"))
    wish.registers = 0;
  else if (const auto count = fields.integer("registers", 0, kMost))
    wish.registers = static_cast<int>(*count);
  if (const auto threshold = fields.number("gate_threshold", 0, 1))
    wish.gate_threshold = *threshold;
  if (const auto cadence = fields.integer("register_cadence", 1, kMost))
    wish.cadence_tokens = static_cast<int>(*cadence);
  if (const auto refractory = fields.integer("gate_refractory", 1, kMost))
    wish.refractory_tokens = static_cast<int>(*refractory);
  if (const auto promotion = fields.integer("without_promotion", 0, kMost))
    wish.without_promotion = static_cast<int>(*promotion);
  return wish;
}

DiversityRequest read_diversity(const FieldReader& fields) {
  DiversityRequest wish;
  wish.strategies = fields.strings("strategies", 64);
  wish.temperature_ladder = fields.number("temperature_ladder", 0, 4);
  wish.collapse_watch = fields.boolean("collapse_watch").value_or(true);
  wish.agreement = fields.boolean("agreement").value_or(true);
  wish.spend_budget = fields.boolean("spend_budget").value_or(false);
  wish.branch_first_token = fields.boolean("branch_first_token").value_or(false);
  return wish;
}

// Reads "off", "auto", "always", false, or an object with a mode (default "auto") and numbers.
SearchRequest read_search(const FieldReader& fields, const SearchRequest& defaults) {
  SearchRequest wish = defaults;
  const OrderedJson* search = fields.find("search");
  if (!search) return wish;
  if (*search == false) {
    wish.mode = SearchMode::kOff;
  } else if (search->is_string()) {
    wish.mode = parse_search_mode(*fields.string("search"));
  } else if (!search->is_object()) {
    fields.refuse("search", "must be off, auto, always or an object");
  } else {
    const FieldReader inner(*search, fields.path("search"));
    if (!wish.on()) wish.mode = SearchMode::kAuto;
    if (const auto mode = inner.string("mode")) wish.mode = parse_search_mode(*mode);
    std::vector<const char*> keys = {"mode"};
    inner.read_table(search_fields(), wish, keys);
    inner.allow_only(keys);
  }
  return wish;
}

// `wishes`: the request's polyphon object; null if the request has none and the config makes it
// think.
ThinkInput read_think(const OrderedJson* wishes, const SamplingParams& sampling,
                      const ReasonOptions& defaults) {
  ThinkInput input;
  input.topology = defaults.topology;
  input.merge = defaults.merge;
  // Only a default topology may be narrowed; one that the request names is refused.
  input.narrow = true;
  input.sampling = input.answer_sampling = sampling;
  input.sampling.logprobs = -1;
  input.workspace = defaults.workspace.defaults;
  input.search = defaults.search;
  input.memory = defaults.memory.defaults;
  if (!wishes) return input;
  const FieldReader fields(*wishes, "polyphon");
  fields.allow_only({"topology",
                     "merge",
                     "registers",
                     "search",
                     "memory",
                     "gate_threshold",
                     "register_cadence",
                     "gate_refractory",
                     "seed",
                     "stream_thoughts",
                     "narrow",
                     "strategies",
                     "temperature_ladder",
                     "collapse_watch",
                     "agreement",
                     "spend_budget",
                     "branch_first_token",
                     "without_promotion",
                     "priority",
                     "cache_prompt",
                     "include_trace"});
  input.workspace = read_workspace(fields, input.workspace);
  input.diversity = read_diversity(fields);
  input.search = read_search(fields, input.search);
  input.memory = read_memory(fields, input.memory);
  if (const auto topology = fields.string("topology")) {
    input.topology = parse_topology(*topology);
    input.narrow = false;
  }
  input.narrow = fields.boolean("narrow").value_or(input.narrow);
  if (const auto merge = fields.string("merge")) input.merge = parse_merge_mode(*merge);
  if (const auto seed = fields.integer("seed", INT64_MIN, INT64_MAX))
    input.sampling.seed = input.answer_sampling.seed = static_cast<uint64_t>(*seed);
  return input;
}

Priority read_priority(const FieldReader& wishes) {
  const std::string name = wishes.string("priority").value_or("interactive");
  if (name != "interactive" && name != "background")
    wishes.refuse("priority", "must be interactive or background, not '" + shown(name) + "'");
  return name == "background" ? Priority::kBackground : Priority::kInteractive;
}

// Reads the members that concern the session's priority, cache and answer, not its thoughts.
void read_terms(const FieldReader& wishes, GenerationRequest& request) {
  request.priority = read_priority(wishes);
  request.cache_prompt = wishes.boolean("cache_prompt").value_or(true);
  request.stream_thoughts = wishes.boolean("stream_thoughts").value_or(true);
  request.include_trace = wishes.boolean("include_trace").value_or(false);
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
    const ReasonOptions& defaults = context.reasoner.options();
    request.think = read_think(wishes, sampling, defaults);
    request.think->chat = std::move(chat);
    request.think->stop = stop;
    request.think->max_answer_tokens = read_max_tokens(fields, defaults.max_answer_tokens);
    if (wishes) read_terms(FieldReader(*wishes, "polyphon"), request);
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
