#include "record/think_request.h"

#include "base/error.h"
#include "core/json_fault.h"

namespace polyphon {
namespace {

Json to_json(const SamplingParams& params) {
  return {{"temperature", params.temperature},
          {"top_k", params.top_k},
          {"top_p", params.top_p},
          {"min_p", params.min_p},
          {"repetition_penalty", params.repetition_penalty},
          {"frequency_penalty", params.frequency_penalty},
          {"presence_penalty", params.presence_penalty},
          {"penalty_last_n", params.penalty_last_n},
          {"logit_bias", params.logit_bias},
          {"seed", params.seed},
          {"logprobs", params.logprobs}};
}

SamplingParams sampling_from_json(const Json& json) {
  SamplingParams params;
  json.at("temperature").get_to(params.temperature);
  json.at("top_k").get_to(params.top_k);
  json.at("top_p").get_to(params.top_p);
  json.at("min_p").get_to(params.min_p);
  json.at("repetition_penalty").get_to(params.repetition_penalty);
  json.at("frequency_penalty").get_to(params.frequency_penalty);
  json.at("presence_penalty").get_to(params.presence_penalty);
  json.at("penalty_last_n").get_to(params.penalty_last_n);
  json.at("logit_bias").get_to(params.logit_bias);
  json.at("seed").get_to(params.seed);
  json.at("logprobs").get_to(params.logprobs);
  return params;
}

Json to_json(const WorkspaceRequest& workspace) {
  return {{"registers", workspace.registers},
          {"cadence_tokens", workspace.cadence_tokens},
          {"refractory_tokens", workspace.refractory_tokens},
          {"gate_threshold", workspace.gate_threshold},
          {"without_promotion", workspace.without_promotion}};
}

WorkspaceRequest workspace_from_json(const Json& json) {
  WorkspaceRequest workspace;
  json.at("registers").get_to(workspace.registers);
  json.at("cadence_tokens").get_to(workspace.cadence_tokens);
  json.at("refractory_tokens").get_to(workspace.refractory_tokens);
  json.at("gate_threshold").get_to(workspace.gate_threshold);
  json.at("without_promotion").get_to(workspace.without_promotion);
  return workspace;
}

Json to_json(const DiversityRequest& diversity) {
  return {{"strategies", diversity.strategies},
          {"temperature_ladder",
           diversity.temperature_ladder ? Json(*diversity.temperature_ladder) : Json()},
          {"collapse_watch", diversity.collapse_watch},
          {"agreement", diversity.agreement},
          {"spend_budget", diversity.spend_budget},
          {"branch_first_token", diversity.branch_first_token}};
}

DiversityRequest diversity_from_json(const Json& json) {
  DiversityRequest diversity;
  json.at("strategies").get_to(diversity.strategies);
  if (const Json& ladder = json.at("temperature_ladder"); !ladder.is_null())
    diversity.temperature_ladder = ladder.get<double>();
  json.at("collapse_watch").get_to(diversity.collapse_watch);
  json.at("spend_budget").get_to(diversity.spend_budget);
  // Older traces have none of these.
  diversity.agreement = json.value("agreement", true);
  diversity.branch_first_token = json.value("branch_first_token", false);
  return diversity;
}

Json to_json(const GrammarSpec& grammar) {
  Json triggers = Json::array();
  for (const GrammarSpec::Trigger& trigger : grammar.triggers)
    triggers.push_back({{"kind", static_cast<int>(trigger.kind)},
                        {"value", trigger.value},
                        {"token", trigger.token}});
  return {{"gbnf", grammar.gbnf},
          {"lazy", grammar.lazy},
          {"triggers", triggers},
          {"generation_prompt", grammar.generation_prompt}};
}

GrammarSpec grammar_from_json(const Json& json) {
  GrammarSpec grammar;
  json.at("gbnf").get_to(grammar.gbnf);
  json.at("lazy").get_to(grammar.lazy);
  json.at("generation_prompt").get_to(grammar.generation_prompt);
  for (const Json& trigger : json.at("triggers"))
    grammar.triggers.push_back(
        {static_cast<GrammarSpec::Trigger::Kind>(trigger.at("kind").get<int>()),
         trigger.at("value").get<std::string>(), trigger.at("token").get<Token>()});
  return grammar;
}

}  // namespace

Json to_json(const ThinkRequest& request) {
  return {{"prompt", request.prompt},
          {"plan_instruction", request.plan_instruction},
          {"merge_instruction", request.merge_instruction},
          {"topology", request.topology.to_string()},
          {"merge", to_string(request.merge)},
          {"sampling", to_json(request.sampling)},
          {"answer_sampling", to_json(request.answer_sampling)},
          {"answer_grammar", to_json(request.answer_grammar)},
          {"stop", request.stop},
          {"max_answer_tokens", request.max_answer_tokens},
          {"auto_budget_tokens", request.auto_budget_tokens},
          {"workspace", to_json(request.workspace)},
          {"diversity", to_json(request.diversity)},
          {"search", to_json(request.search)},
          {"memory", to_json(request.memory)},
          {"scripts", request.scripts},
          {"ignore_eos", request.ignore_eos}};
}

ThinkRequest think_request_from_json(const Json& json) {
  try {
    ThinkRequest request;
    json.at("prompt").get_to(request.prompt);
    json.at("plan_instruction").get_to(request.plan_instruction);
    json.at("merge_instruction").get_to(request.merge_instruction);
    request.topology = parse_topology(json.at("topology").get<std::string>());
    request.merge = parse_merge_mode(json.at("merge").get<std::string>());
    request.sampling = sampling_from_json(json.at("sampling"));
    request.answer_sampling = sampling_from_json(json.at("answer_sampling"));
    request.answer_grammar = grammar_from_json(json.at("answer_grammar"));
    json.at("stop").get_to(request.stop);
    json.at("max_answer_tokens").get_to(request.max_answer_tokens);
    json.at("auto_budget_tokens").get_to(request.auto_budget_tokens);
    // Absent in traces of before they were.
    if (json.contains("workspace")) request.workspace = workspace_from_json(json.at("workspace"));
    if (json.contains("diversity")) request.diversity = diversity_from_json(json.at("diversity"));
    if (json.contains("search")) request.search = search_request_from_json(json.at("search"));
    if (json.contains("memory")) request.memory = memory_request_from_json(json.at("memory"));
    if (json.contains("scripts")) json.at("scripts").get_to(request.scripts);
    json.at("ignore_eos").get_to(request.ignore_eos);
    return request;
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::kInvalidArgument,
                "the trace's request cannot be read: " + json_fault(error), "request");
  }
}

}  // namespace polyphon
