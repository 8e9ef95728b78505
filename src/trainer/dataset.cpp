#include "trainer/dataset.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "heads/gate.h"

namespace polyphon {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorCode::kInvalidArgument, why); }

// An example is never cut: its rows are there because what is learnt sees them.
void check(const Example& example, const ExampleLimits& limits) {
  if (example.rows() > limits.most_tokens)
    refuse(fmt::format("{} tokens are more than the {} of a batch: --batch-tokens must be {}",
                       example.rows(), limits.most_tokens, example.rows()));
  for (const ExamplePromotion& promotion : example.promotions)
    if (promotion.features.size() != GateFeatures::kCount)
      refuse(fmt::format("a promotion has {} features, the gate {}", promotion.features.size(),
                         GateFeatures::kCount));
  for (Token token : example.tokens)
    if (token < 0 || token >= limits.vocabulary_size)
      refuse(fmt::format("token {} is not in the model's vocabulary of {}", token,
                         limits.vocabulary_size));
}

void check(const std::string& model_digest, const ExampleLimits& limits) {
  if (model_digest != limits.model_digest)
    refuse(
        fmt::format("these are tokens of model {}, this is {}", model_digest, limits.model_digest));
}

}  // namespace

std::vector<Example> read_examples(const std::string& path, const ExampleLimits& limits) {
  std::ifstream file(path);
  if (!file) throw Error(ErrorCode::kNotFound, "cannot read " + path);
  std::vector<Example> examples;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty()) continue;
    try {
      const auto json = nlohmann::json::parse(line);
      if (number == 1 && json.contains(kExamplesModel)) {
        check(json.at(kExamplesModel).get<std::string>(), limits);
        continue;
      }
      Example& example = examples.emplace_back(example_from_json(json));
      check(example, limits);
      example.line = number;
    } catch (const std::exception& error) {
      refuse(fmt::format("{} line {}: {}", path, number, error.what()));
    }
  }
  if (examples.empty()) refuse(path + " holds no example");
  return examples;
}

}  // namespace polyphon
