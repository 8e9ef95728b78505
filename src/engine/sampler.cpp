#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "engine/logit_kernels.h"

namespace polyphon {
namespace {

// Without top-k, tokens this far below the best (e^-30 of its probability each) are left out.
constexpr float kNegligible = 30.0f;

}  // namespace

Sampler::Sampler(const SamplingParams& params, std::unique_ptr<Grammar> grammar, bool with_logprob)
    : params_(params),
      grammar_(std::move(grammar)),
      with_logprob_(with_logprob),
      random_(params.seed) {}

void Sampler::observe(std::span<const Token> tokens) {
  for (Token token : tokens) remember(token);
}

void Sampler::reseed(uint64_t seed, float temperature) {
  params_.seed = seed;
  params_.temperature = temperature;
  random_ = Random(seed);
}

void Sampler::remember(Token token) {
  if (params_.penalty_last_n == 0) return;
  history_.push_back(token);
  ++occurrences_[token];
  if (params_.penalty_last_n < 0 || history_.size() <= static_cast<size_t>(params_.penalty_last_n))
    return;
  const auto oldest = occurrences_.find(history_.front());
  if (--oldest->second == 0) occurrences_.erase(oldest);
  history_.pop_front();
}

void Sampler::change(std::span<float> logits, Token token, float value) {
  float& logit = logits[static_cast<size_t>(token)];
  changed_.emplace_back(token, logit);
  logit = value;
}

void Sampler::apply_penalties(std::span<float> logits) {
  changed_.clear();
  for (const auto& [token, bias] : params_.logit_bias)
    change(logits, token, logits[static_cast<size_t>(token)] + bias);
  const bool off = params_.repetition_penalty == 1 && params_.frequency_penalty == 0 &&
                   params_.presence_penalty == 0;
  if (off) return;
  for (const auto& [token, times] : occurrences_) {
    const float logit = logits[static_cast<size_t>(token)];
    const float repeated =
        logit > 0 ? logit / params_.repetition_penalty : logit * params_.repetition_penalty;
    change(logits, token,
           repeated - static_cast<float>(times) * params_.frequency_penalty -
               params_.presence_penalty);
  }
}

// The model's own logit: what stood there before the first change.
float Sampler::raw_logit(std::span<const float> logits, Token token) const {
  for (const auto& [changed, raw] : changed_)
    if (changed == token) return raw;
  return logits[static_cast<size_t>(token)];
}

SampledToken Sampler::sample(std::span<float> logits) {
  SampledToken result;
  const bool wants_logprob = with_logprob_ || params_.logprobs >= 0;
  float normaliser = 0;
  if (wants_logprob) {
    normaliser = log_sum_exp(logits, clean_and_block_maxima(logits, maxima_));
    result.top = top_logprobs(logits, normaliser);
  }
  apply_penalties(logits);
  if (!filter(logits)) return result;
  result.token = draw();
  if (grammar_ && !grammar_->allows(result.token)) {
    grammar_->mask(logits);
    if (filter(logits)) result.token = draw();
  }
  if (grammar_) grammar_->accept(result.token);
  if (wants_logprob) result.logprob = raw_logit(logits, result.token) - normaliser;
  remember(result.token);
  return result;
}

std::vector<TokenLogprob> Sampler::top_logprobs(std::span<const float> logits,
                                                float normaliser) const {
  const auto count = std::min(logits.size(), static_cast<size_t>(std::max(0, params_.logprobs)));
  if (count == 0) return {};
  std::vector<Token> best(logits.size());
  std::iota(best.begin(), best.end(), 0);
  std::partial_sort(best.begin(), best.begin() + static_cast<long>(count), best.end(),
                    [&](Token a, Token b) {
                      const float x = logits[static_cast<size_t>(a)];
                      const float y = logits[static_cast<size_t>(b)];
                      return x > y || (x == y && a < b);
                    });
  std::vector<TokenLogprob> top;
  for (size_t i = 0; i < count; ++i)
    top.push_back({best[i], logits[static_cast<size_t>(best[i])] - normaliser});
  return top;
}

// The k best: block maxima give a threshold that at least k logits reach, so that only few of the
// vocabulary are looked at twice.
void Sampler::keep_best_k(std::span<const float> logits, float maximum) {
  const auto k = static_cast<size_t>(params_.top_k);
  float threshold = maximum;
  if (k > 1) {
    std::vector<float> order = maxima_;
    const size_t rank = std::min(k, order.size()) - 1;
    std::nth_element(order.begin(), order.begin() + static_cast<long>(rank), order.end(),
                     std::greater<>());
    threshold = k <= order.size() ? order[rank] : std::numeric_limits<float>::lowest();
  }
  threshold = std::max(threshold, std::numeric_limits<float>::lowest());
  collect_at_least(logits, maxima_, threshold, indices_);
  for (Token token : indices_)
    candidates_.push_back({token, logits[static_cast<size_t>(token)], 0});
}

void Sampler::keep_whole_vocabulary(std::span<const float> logits, float maximum) {
  collect_at_least(logits, maxima_, maximum - kNegligible * std::max(1.0f, params_.temperature),
                   indices_);
  for (Token token : indices_)
    candidates_.push_back({token, logits[static_cast<size_t>(token)], 0});
}

bool Sampler::filter(std::span<float> logits) {
  candidates_.clear();
  const float maximum = clean_and_block_maxima(logits, maxima_);
  if (!std::isfinite(maximum)) return false;
  const bool greedy = params_.temperature <= 0;
  const bool top_k = params_.top_k > 0 && static_cast<size_t>(params_.top_k) < logits.size();
  if (greedy) {
    collect_at_least(logits, maxima_, maximum, indices_);
    candidates_.push_back({indices_.front(), maximum, 1});
    return true;
  }
  top_k ? keep_best_k(logits, maximum) : keep_whole_vocabulary(logits, maximum);
  std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
  });
  if (top_k && candidates_.size() > static_cast<size_t>(params_.top_k))
    candidates_.resize(static_cast<size_t>(params_.top_k));

  double sum = 0;
  for (Candidate& candidate : candidates_)
    sum += candidate.probability = std::exp(static_cast<double>(candidate.logit) - maximum);
  if (params_.top_p < 1) {
    double mass = 0;
    size_t kept = 0;
    while (kept < candidates_.size() && mass < params_.top_p * sum)
      mass += candidates_[kept++].probability;
    candidates_.resize(std::max<size_t>(1, kept));
  }
  if (params_.min_p > 0) {
    const double least = params_.min_p * candidates_.front().probability;
    std::erase_if(candidates_, [&](const Candidate& c) { return c.probability < least; });
  }
  sum = 0;
  for (Candidate& candidate : candidates_)
    sum += candidate.probability =
        std::exp((static_cast<double>(candidate.logit) - maximum) / params_.temperature);
  for (Candidate& candidate : candidates_) candidate.probability /= sum;
  return true;
}

Token Sampler::draw() {
  if (candidates_.size() == 1) return candidates_.front().token;
  double left = random_.uniform();
  for (const Candidate& candidate : candidates_) {
    left -= candidate.probability;
    if (left < 0) return candidate.token;
  }
  return candidates_.back().token;
}

}  // namespace polyphon
