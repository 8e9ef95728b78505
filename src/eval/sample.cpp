#include "eval/sample.h"

#include <fmt/format.h>

#include <fstream>

#include "base/error.h"
#include "core/json_fault.h"

namespace polyphon {

Json to_json(const EvaluationSample& sample) {
  Json streams = Json::array();
  for (const StreamSample& stream : sample.streams)
    streams.push_back({{"strategy", stream.strategy},
                       {"right", stream.right},
                       {"answered", stream.answered},
                       {"tokens", stream.tokens}});
  return {{"arm", sample.arm},
          {"family", sample.family},
          {"difficulty", sample.difficulty},
          {"seed", sample.seed},
          {"right", sample.right},
          {"answer", sample.answer},
          {"thought_tokens", sample.thought_tokens},
          {"answer_tokens", sample.answer_tokens},
          {"prefill_tokens", sample.prefill_tokens},
          {"cells", sample.cells},
          {"answer_ms", sample.answer_ms},
          {"promotions", sample.promotions},
          {"search_tokens", sample.search_tokens},
          {"search_committed_tokens", sample.search_committed_tokens},
          {"streams", std::move(streams)}};
}

EvaluationSample sample_from_json(const Json& json) {
  try {
    EvaluationSample sample;
    json.at("arm").get_to(sample.arm);
    json.at("family").get_to(sample.family);
    json.at("difficulty").get_to(sample.difficulty);
    json.at("seed").get_to(sample.seed);
    json.at("right").get_to(sample.right);
    json.at("answer").get_to(sample.answer);
    json.at("thought_tokens").get_to(sample.thought_tokens);
    json.at("answer_tokens").get_to(sample.answer_tokens);
    json.at("prefill_tokens").get_to(sample.prefill_tokens);
    json.at("cells").get_to(sample.cells);
    json.at("answer_ms").get_to(sample.answer_ms);
    json.at("promotions").get_to(sample.promotions);
    json.at("search_tokens").get_to(sample.search_tokens);
    json.at("search_committed_tokens").get_to(sample.search_committed_tokens);
    for (const Json& stream : json.at("streams"))
      sample.streams.push_back({stream.at("strategy").get<std::string>(),
                                stream.at("right").get<bool>(), stream.at("answered").get<bool>(),
                                stream.at("tokens").get<int>()});
    return sample;
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::kInvalidArgument, "not a sample: " + json_fault(error));
  }
}

EvaluationFile read_evaluation(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Error(ErrorCode::kNotFound, "no evaluation at " + path);
  EvaluationFile result;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    const bool whole = !file.eof();  // it ends with a newline
    const Json json = Json::parse(line, nullptr, false);
    const auto refuse = [&](const std::string& why) {
      return Error(ErrorCode::kInvalidArgument, fmt::format("{} line {}: {}", path, number, why));
    };
    if (json.is_discarded()) {
      if (!whole) break;
      throw refuse("not JSON");
    }
    if (number == 1) {
      if (!json.is_object() || !json.contains("evaluation"))
        throw refuse("not the header of an evaluation");
      result.header = json.at("evaluation");
      continue;
    }
    try {
      result.samples.push_back(sample_from_json(json));
    } catch (const Error& error) {
      throw refuse(error.what());
    }
  }
  if (result.header.is_null())
    throw Error(ErrorCode::kInvalidArgument, path + " is empty: not an evaluation");
  return result;
}

}  // namespace polyphon
