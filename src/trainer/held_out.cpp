#include "trainer/held_out.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/random.h"

namespace polyphon {

std::vector<Example> hold_out(std::vector<Example>& examples, double share, uint64_t seed) {
  std::map<Tokens, std::vector<Example>> alike;
  std::vector<Example> kept;
  for (Example& example : examples) {
    if (example.targets.empty()) {
      kept.push_back(std::move(example));
      continue;
    }
    int first = example.targets.front().begin;
    for (const TargetRange& target : example.targets) first = std::min(first, target.begin);
    const auto begin = example.tokens.begin();
    alike[Tokens(begin, begin + first)].push_back(std::move(example));
  }
  if (alike.size() < 2)
    throw Error(ErrorCode::kInvalidArgument,
                "all examples are alike up to their first target: none can be held out; give "
                "--validation a file",
                "validation-share");
  std::vector<std::vector<Example>> groups;
  for (auto& [tokens, group] : alike) groups.push_back(std::move(group));
  Random random(seed);
  for (size_t i = groups.size(); i > 1; --i) std::swap(groups[i - 1], groups[random.next() % i]);

  const double wanted = share * static_cast<double>(examples.size());
  std::vector<Example> held;
  while (held.empty() || (static_cast<double>(held.size()) < wanted && groups.size() > 1)) {
    held.insert(held.end(), groups.back().begin(), groups.back().end());
    groups.pop_back();
  }
  for (const auto& group : groups) kept.insert(kept.end(), group.begin(), group.end());
  examples = std::move(kept);
  const auto by_line = [](const Example& a, const Example& b) { return a.line < b.line; };
  std::sort(examples.begin(), examples.end(), by_line);
  return held;
}

HeldOut::HeldOut(std::vector<Example> examples, int batch_tokens)
    : examples_(std::move(examples)), plan_(examples_, batch_tokens, /*seed=*/0) {
  const auto weighs = [](const Example& example) {
    return std::any_of(example.targets.begin(), example.targets.end(),
                       [](const auto& target) { return target.weight != 0; });
  };
  if (std::none_of(examples_.begin(), examples_.end(), weighs))
    throw Error(ErrorCode::kInvalidArgument,
                "the loss on held-out data is always 0: no target of it weighs anything");
}

double HeldOut::loss(const BaseWeights& weights, const Lora& lora, const ProcessGroup& group) {
  const torch::NoGradGuard guard;
  double loss = 0;
  LossCounts counts;
  DataPosition position;
  for (int i = 0; position.epoch == 0; ++i) {
    const TrainingBatch batch = plan_.take(position);
    counts.add(batch);
    if (i % group.place().size == group.place().rank)
      loss += batch_loss(weights, lora, batch, {}).tokens.item<double>();
  }
  return group.sum(loss) / counts.targets;
}

}  // namespace polyphon
