#include "simd/logit_kernels.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/logit_kernels.cpp"
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

float clean_block_maxima(float* logits, size_t size, float* maxima) {
  const F32 d;
  const auto never = hn::Set(d, kNever);
  float all = kNever;
  for (size_t begin = 0, block = 0; begin < size; begin += kLogitBlock, ++block) {
    const size_t end = std::min(size, begin + kLogitBlock);
    auto maximum = never;
    size_t i = begin;
    for (; i + hn::Lanes(d) <= end; i += hn::Lanes(d)) {
      auto logit = hn::LoadU(d, logits + i);
      const auto finite = hn::IsFinite(logit);
      if (HWY_UNLIKELY(!hn::AllTrue(d, finite))) {
        logit = hn::IfThenElse(finite, logit, never);
        hn::StoreU(logit, d, logits + i);
      }
      maximum = hn::Max(maximum, logit);
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

double exp_sums(const float* logits, size_t size, float maximum, float scale, float* sums) {
  const F32 d;
  const auto shift = hn::Set(d, maximum);
  const auto factor = hn::Set(d, scale);
  double all = 0;
  for (size_t begin = 0, block = 0; begin < size; begin += kLogitBlock, ++block) {
    const size_t end = std::min(size, begin + kLogitBlock);
    auto sum = hn::Zero(d);
    size_t i = begin;
    for (; i + hn::Lanes(d) <= end; i += hn::Lanes(d)) {
      const auto below = hn::Sub(hn::LoadU(d, logits + i), shift);
      sum = hn::Add(sum, hn::Exp(d, hn::Mul(below, factor)));
    }
    float block_sum = hn::GetLane(hn::SumOfLanes(d, sum));
    for (; i < end; ++i) block_sum += std::exp((logits[i] - maximum) * scale);
    sums[block] = block_sum;
    all += block_sum;
  }
  return all;
}

// Sum of x exp(x), x = logit - maximum. Far below the maximum it is 0, also for -infinity.
double weighted_exp_sum(const float* logits, size_t size, float maximum) {
  constexpr float kFarBelow = -80;
  const F32 d;
  const auto shift = hn::Set(d, maximum);
  const auto floor = hn::Set(d, kFarBelow);
  double all = 0;
  for (size_t begin = 0; begin < size; begin += kLogitBlock) {
    const size_t end = std::min(size, begin + kLogitBlock);
    auto sum = hn::Zero(d);
    size_t i = begin;
    for (; i + hn::Lanes(d) <= end; i += hn::Lanes(d)) {
      const auto below = hn::Max(hn::Sub(hn::LoadU(d, logits + i), shift), floor);
      sum = hn::MulAdd(below, hn::Exp(d, below), sum);
    }
    all += hn::GetLane(hn::SumOfLanes(d, sum));
    for (; i < end; ++i) {
      const float below = std::max(logits[i] - maximum, kFarBelow);
      all += static_cast<double>(below) * std::exp(below);
    }
  }
  return all;
}

}  // namespace polyphon::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polyphon {

HWY_EXPORT(clean_block_maxima);
HWY_EXPORT(exp_sums);
HWY_EXPORT(weighted_exp_sum);

namespace {

size_t block_count(std::span<const float> logits) {
  return (logits.size() + kLogitBlock - 1) / kLogitBlock;
}

}  // namespace

float clean_and_block_maxima(std::span<float> logits, std::vector<float>& maxima) {
  maxima.resize(block_count(logits));
  return HWY_DYNAMIC_DISPATCH(clean_block_maxima)(logits.data(), logits.size(), maxima.data());
}

void collect_at_least(std::span<const float> logits, std::span<const float> maxima, float threshold,
                      std::vector<int32_t>& indices) {
  indices.clear();
  for (size_t block = 0; block < maxima.size(); ++block) {
    if (!(maxima[block] >= threshold)) continue;
    const size_t end = std::min(logits.size(), (block + 1) * kLogitBlock);
    for (size_t i = block * kLogitBlock; i < end; ++i)
      if (logits[i] >= threshold) indices.push_back(static_cast<int32_t>(i));
  }
}

void collect_best(std::span<const float> logits, std::span<const float> maxima, size_t count,
                  std::vector<int32_t>& indices) {
  indices.clear();
  if (count == 0) return;
  float threshold = std::numeric_limits<float>::lowest();
  if (count <= maxima.size()) {
    std::vector<float> order(maxima.begin(), maxima.end());
    const auto rank = order.begin() + static_cast<long>(count) - 1;
    std::nth_element(order.begin(), rank, order.end(), std::greater<>());
    threshold = std::max(threshold, *rank);
  }
  collect_at_least(logits, maxima, threshold, indices);
  const auto end = indices.begin() + static_cast<long>(std::min(count, indices.size()));
  std::partial_sort(indices.begin(), end, indices.end(), [&](int32_t a, int32_t b) {
    const float x = logits[static_cast<size_t>(a)];
    const float y = logits[static_cast<size_t>(b)];
    return x > y || (x == y && a < b);
  });
  indices.erase(end, indices.end());
}

double exp_block_sums(std::span<const float> logits, float maximum, float scale,
                      std::vector<float>& sums) {
  sums.resize(block_count(logits));
  return HWY_DYNAMIC_DISPATCH(exp_sums)(logits.data(), logits.size(), maximum, scale, sums.data());
}

// With p = exp(x) / sum: -sum of p log p = log(sum) - (sum of x exp(x)) / sum.
double entropy_nats(std::span<const float> logits, float maximum, double sum) {
  const double weighted =
      HWY_DYNAMIC_DISPATCH(weighted_exp_sum)(logits.data(), logits.size(), maximum);
  return std::max(0.0, std::log(sum) - weighted / sum);
}

}  // namespace polyphon
#endif  // HWY_ONCE
