#include "engine/logit_kernels.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/logit_kernels.cpp"
// foreach_target must come first.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace polyphon::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;

constexpr float kNever = -std::numeric_limits<float>::infinity();

float CleanAndBlockMaxima(float* logits, size_t size, float* maxima) {
  const F32 d;
  const auto never = hn::Set(d, kNever);
  float all = kNever;
  for (size_t begin = 0, block = 0; begin < size; begin += kLogitBlock, ++block) {
    const size_t end = std::min(size, begin + kLogitBlock);
    auto maximum = never;
    size_t i = begin;
    for (; i + hn::Lanes(d) <= end; i += hn::Lanes(d)) {
      const auto raw = hn::LoadU(d, logits + i);
      const auto clean = hn::IfThenElse(hn::IsFinite(raw), raw, never);
      hn::StoreU(clean, d, logits + i);
      maximum = hn::Max(maximum, clean);
    }
    float block_maximum = hn::GetLane(hn::MaxOfLanes(d, maximum));
    for (; i < end; ++i) {
      if (!std::isfinite(logits[i])) logits[i] = kNever;
      block_maximum = std::max(block_maximum, logits[i]);
    }
    maxima[block] = block_maximum;
    all = std::max(all, block_maximum);
  }
  return all;
}

float SumExp(const float* logits, size_t size, float maximum) {
  const F32 d;
  const auto shift = hn::Set(d, maximum);
  const auto lowest = hn::Set(d, -87.0f);
  auto sum = hn::Zero(d);
  size_t i = 0;
  for (; i + hn::Lanes(d) <= size; i += hn::Lanes(d)) {
    const auto x = hn::Max(hn::Sub(hn::LoadU(d, logits + i), shift), lowest);
    sum = hn::Add(sum, hn::Exp(d, x));
  }
  float total = hn::GetLane(hn::SumOfLanes(d, sum));
  for (; i < size; ++i) total += std::exp(std::max(logits[i] - maximum, -87.0f));
  return total;
}

}  // namespace polyphon::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polyphon {

HWY_EXPORT(CleanAndBlockMaxima);
HWY_EXPORT(SumExp);

float clean_and_block_maxima(std::span<float> logits, std::vector<float>& maxima) {
  maxima.resize((logits.size() + kLogitBlock - 1) / kLogitBlock);
  return HWY_DYNAMIC_DISPATCH(CleanAndBlockMaxima)(logits.data(), logits.size(), maxima.data());
}

void collect_at_least(std::span<const float> logits, const std::vector<float>& maxima,
                      float threshold, std::vector<Token>& indices) {
  indices.clear();
  for (size_t block = 0; block < maxima.size(); ++block) {
    if (!(maxima[block] >= threshold)) continue;
    const size_t end = std::min(logits.size(), (block + 1) * kLogitBlock);
    for (size_t i = block * kLogitBlock; i < end; ++i)
      if (logits[i] >= threshold) indices.push_back(static_cast<Token>(i));
  }
}

float log_sum_exp(std::span<const float> logits, float maximum) {
  return maximum + std::log(HWY_DYNAMIC_DISPATCH(SumExp)(logits.data(), logits.size(), maximum));
}

}  // namespace polyphon
#endif  // HWY_ONCE
