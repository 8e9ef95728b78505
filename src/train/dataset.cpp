#include "train/dataset.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace polyphon {
namespace {

using Json = nlohmann::json;

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorCode::kInvalidArgument, why); }

TargetRange range_from(const Json& json, int tokens) {
  if (!json.is_array() || json.size() != 3)
    refuse("a target is " + json.dump() + ", must be [begin, end, weight]");
  const TargetRange range{json[0].get<int>(), json[1].get<int>(), json[2].get<float>()};
  if (range.begin < 1 || range.begin >= range.end || range.end > tokens)
    refuse(fmt::format("target [{}, {}) must lie within [1, {})", range.begin, range.end, tokens));
  if (!std::isfinite(range.weight)) refuse("a target's weight is not a number");
  return range;
}

Example example_from(const Json& json, int vocabulary_size, int most_tokens) {
  Example example;
  json.at("tokens").get_to(example.tokens);
  const auto count = static_cast<int>(example.tokens.size());
  if (count > most_tokens)
    refuse(fmt::format("{} tokens are more than the {} of a batch", count, most_tokens));
  for (Token token : example.tokens)
    if (token < 0 || token >= vocabulary_size)
      refuse(
          fmt::format("token {} is not in the model's vocabulary of {}", token, vocabulary_size));
  for (const Json& target : json.at("targets"))
    example.targets.push_back(range_from(target, count));
  if (example.targets.empty()) refuse("there is no target: nothing would be learnt from it");
  return example;
}

}  // namespace

std::vector<Example> read_examples(const std::string& path, int vocabulary_size, int most_tokens) {
  std::ifstream file(path);
  if (!file) throw Error(ErrorCode::kNotFound, "cannot read " + path);
  std::vector<Example> examples;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty()) continue;
    try {
      examples.push_back(example_from(Json::parse(line), vocabulary_size, most_tokens));
      examples.back().line = number;
    } catch (const std::exception& error) {
      refuse(fmt::format("{} line {}: {}", path, number, error.what()));
    }
  }
  if (examples.empty()) refuse(path + " holds no example");
  return examples;
}

}  // namespace polyphon
