#include "tensors/lora.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace polyphon {

std::pair<int64_t, int64_t> projection_size(const ModelShape& shape, int projection) {
  const int64_t hidden = shape.hidden_size, inner = shape.feed_forward_size;
  const int64_t q = static_cast<int64_t>(shape.heads) * shape.head_size;
  const int64_t kv = static_cast<int64_t>(shape.kv_heads) * shape.head_size;
  switch (projection) {
    case kQuery:
      return {q, hidden};
    case kKey:
    case kValue:
      return {kv, hidden};
    case kOutput:
      return {hidden, q};
    case kGate:
    case kUp:
      return {inner, hidden};
    default:
      return {hidden, inner};
  }
}

void check(const LoraConfig& config) {
  const auto refuse = [](const std::string& field, const std::string& why) {
    throw Error(ErrorCode::kInvalidArgument, "lora." + field + " " + why, "lora." + field);
  };
  if (config.rank < 1 || config.rank > 1024)
    refuse("rank", fmt::format("is {}: it must be between 1 and 1024", config.rank));
  if (!(config.alpha > 0)) refuse("alpha", fmt::format("is {}: it must be above 0", config.alpha));
  if (!(config.dropout >= 0 && config.dropout < 1))
    refuse("dropout", fmt::format("is {}: it must be in [0, 1)", config.dropout));
  if (config.projections.empty()) refuse("projections", "is empty: nothing would be trained");
  for (const std::string& name : config.projections)
    if (std::find(std::begin(kProjections), std::end(kProjections), name) == std::end(kProjections))
      refuse("projections",
             fmt::format("has {}: known are {}", name, fmt::join(kProjections, ", ")));
}

Lora::Lora(const ModelShape& shape, const LoraConfig& config, uint64_t seed,
           const at::TensorOptions& kind)
    : config_(config) {
  check(config);
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  pairs_.resize(static_cast<size_t>(shape.layers) * kProjectionCount);
  for (size_t i = 0; i < pairs_.size(); ++i) {
    const int projection = static_cast<int>(i % kProjectionCount);
    const auto& chosen = config.projections;
    if (std::find(chosen.begin(), chosen.end(), kProjections[projection]) == chosen.end()) continue;
    const auto [out, in] = projection_size(shape, projection);
    const double bound = 1 / std::sqrt(static_cast<double>(in));
    pairs_[i].a = torch::empty({config.rank, in}, kind.device(torch::kCPU))
                      .uniform_(-bound, bound, generator)
                      .to(kind)
                      .set_requires_grad(true);
    pairs_[i].b = torch::zeros({out, config.rank}, kind).set_requires_grad(true);
  }
}

std::vector<std::pair<std::string, torch::Tensor>> Lora::parameters() const {
  std::vector<std::pair<std::string, torch::Tensor>> all;
  for (size_t i = 0; i < pairs_.size(); ++i) {
    if (!pairs_[i].a.defined()) continue;
    const std::string weight =
        fmt::format("blk.{}.{}.weight", i / kProjectionCount, kProjections[i % kProjectionCount]);
    all.emplace_back(weight + ".lora_a", pairs_[i].a);
    all.emplace_back(weight + ".lora_b", pairs_[i].b);
  }
  return all;
}

Lora no_adapter(const ModelShape& shape, const at::TensorOptions& kind) {
  return Lora(shape, {.rank = 1, .projections = {"attn_q"}}, 0, kind);  // B is zero
}

}  // namespace polyphon
