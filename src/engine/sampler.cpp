#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "simd/logit_kernels.h"

namespace polyphon {
namespace {

// Where top-p alone filters, tokens this far below the best (e^-30 of its probability each) are
// left out, and this far is looked first.
constexpr double kNegligible = 30;
constexpr double kFirstReach = 4;

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
  const bool wants_logprob =
      with_logprob_ || params_.logprobs >= 0 || keeps_distribution_ || measures_entropy_;
  float normaliser = 0;
  if (wants_logprob) {
    const float maximum = clean_and_block_maxima(logits, maxima_);
    if (!std::isfinite(maximum)) return result;
    const double sum = exp_block_sums(logits, maximum, 1, sums_);
    normaliser = maximum + static_cast<float>(std::log(sum));
    if (measures_entropy_) entropy_ = entropy_nats(logits, maximum, sum);
    result.top = top_logprobs(logits, normaliser);
    if (std::exchange(keeps_distribution_, false)) {
      distribution_.assign(logits.begin(), logits.end());
      for (float& logprob : distribution_) logprob -= normaliser;
    }
  }
  apply_penalties(logits);
  std::optional<Token> token = choose(logits);
  if (token && grammar_ && !grammar_->allows(*token)) {
    grammar_->mask(logits);
    token = choose(logits);
  }
  if (!token) return result;
  if (grammar_) grammar_->accept(*token);
  remember(*token);
  rank_.reset();
  result.token = *token;
  if (wants_logprob) result.logprob = raw_logit(logits, *token) - normaliser;
  return result;
}

std::vector<TokenLogprob> Sampler::top_logprobs(std::span<const float> logits, float normaliser) {
  std::vector<TokenLogprob> top;
  collect_best(logits, maxima_, static_cast<size_t>(std::max(0, params_.logprobs)), indices_);
  for (Token token : indices_)
    top.push_back({token, logits[static_cast<size_t>(token)] - normaliser});
  return top;
}

std::optional<Token> Sampler::choose(std::span<float> logits) {
  const float maximum = clean_and_block_maxima(logits, maxima_);
  if (!std::isfinite(maximum)) return std::nullopt;
  if (rank_) return ranked(logits, *rank_);
  if (params_.temperature <= 0) {
    collect_at_least(logits, maxima_, maximum, indices_);
    return indices_.front();
  }
  if (is_unfiltered()) return draw_unfiltered(logits, maximum);
  candidates_.clear();
  cut(params_.top_k > 0 ? keep_best_k(logits, maximum) : keep_within_reach(logits, maximum));
  return draw(maximum);
}

Token Sampler::ranked(std::span<const float> logits, int rank) {
  collect_best(logits, maxima_, static_cast<size_t>(rank) + 1, indices_);
  const auto last = std::find_if(indices_.rbegin(), indices_.rend(), [&](Token token) {
    return std::isfinite(logits[static_cast<size_t>(token)]);
  });
  return *last;
}

bool Sampler::is_unfiltered() const {
  return params_.top_k <= 0 && params_.top_p >= 1 && params_.min_p <= 0;
}

// By the sums of blocks, then within one block, so that nothing is sorted.
Token Sampler::draw_unfiltered(std::span<const float> logits, float maximum) {
  const float scale = 1 / std::max(params_.temperature, 1e-30f);
  double left = random_.uniform() * exp_block_sums(logits, maximum, scale, sums_);
  size_t chosen = 0;
  for (size_t block = 0; block < sums_.size(); ++block) {
    if (sums_[block] <= 0) continue;
    chosen = block;
    if (left < sums_[block]) break;
    left -= sums_[block];
  }
  Token token = 0;
  const size_t end = std::min(logits.size(), (chosen + 1) * kLogitBlock);
  for (size_t i = chosen * kLogitBlock; i < end && left >= 0; ++i) {
    const double weight = std::exp(static_cast<double>(logits[i] - maximum) * scale);
    if (weight <= 0) continue;
    token = static_cast<Token>(i);
    left -= weight;
  }
  return token;
}

double Sampler::keep_best_k(std::span<const float> logits, float maximum) {
  collect_best(logits, maxima_, static_cast<size_t>(params_.top_k), indices_);
  return add_candidates(logits, maximum);
}

// Looks deeper below the best logit until top-p's share is there or min-p ends it.
double Sampler::keep_within_reach(std::span<const float> logits, float maximum) {
  const double deepest = params_.min_p > 0
                             ? std::min(-std::log(static_cast<double>(params_.min_p)), kNegligible)
                             : kNegligible;
  const double mass = exp_block_sums(logits, maximum, 1, sums_);
  const double first = params_.top_p < 1 ? std::min(kFirstReach, deepest) : deepest;
  for (double reach = first;; reach = std::min(2 * reach, deepest)) {
    // One float down, since the subtraction may round up.
    const auto threshold =
        std::nextafter(static_cast<float>(maximum - reach), std::numeric_limits<float>::lowest());
    collect_at_least(logits, maxima_, threshold, indices_);
    candidates_.clear();
    if (add_candidates(logits, maximum) >= params_.top_p * mass || reach >= deepest) break;
  }
  std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
  });
  return mass;
}

double Sampler::add_candidates(std::span<const float> logits, float maximum) {
  double mass = 0;
  for (Token token : indices_) {
    const float logit = logits[static_cast<size_t>(token)];
    const double weight = std::exp(static_cast<double>(logit) - maximum);
    candidates_.push_back({token, logit, weight});
    mass += weight;
  }
  return mass;
}

// Top-p and min-p each keep a prefix of what is sorted; the best token (weight 1) always stays.
void Sampler::cut(double mass) {
  size_t kept = 0;
  double sum = 0;
  while (kept < candidates_.size() && candidates_[kept].weight >= params_.min_p &&
         (kept == 0 || params_.top_p >= 1 || sum < params_.top_p * mass))
    sum += candidates_[kept++].weight;
  candidates_.resize(kept);
}

Token Sampler::draw(float maximum) {
  if (candidates_.size() == 1) return candidates_.front().token;
  double sum = 0;
  for (Candidate& candidate : candidates_)
    sum += candidate.weight =
        std::exp((static_cast<double>(candidate.logit) - maximum) / params_.temperature);
  double left = random_.uniform() * sum;
  for (const Candidate& candidate : candidates_) {
    left -= candidate.weight;
    if (left < 0) return candidate.token;
  }
  return candidates_.back().token;
}

}  // namespace polyphon
