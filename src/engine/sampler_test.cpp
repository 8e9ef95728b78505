#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <string>

namespace polyphon {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> random_logits(size_t size, uint64_t seed, double spread) {
  Random random(seed);
  std::vector<float> logits(size);
  for (float& logit : logits)
    logit = static_cast<float>(spread * (random.uniform() + random.uniform() + random.uniform()));
  return logits;
}

SamplingParams no_filters() {
  SamplingParams params;
  params.temperature = 1;
  params.top_k = 0;
  params.top_p = 1;
  params.min_p = 0;
  return params;
}

// What sampler.h promises, in doubles and with a whole sort: probability of each token.
std::map<Token, double> reference(const SamplingParams& params, std::vector<float> logits,
                                  const std::map<Token, int>& occurrences = {}) {
  for (const auto& [token, bias] : params.logit_bias) logits[static_cast<size_t>(token)] += bias;
  for (const auto& [token, times] : occurrences) {
    float& logit = logits[static_cast<size_t>(token)];
    logit = logit > 0 ? logit / params.repetition_penalty : logit * params.repetition_penalty;
    logit -= static_cast<float>(times) * params.frequency_penalty;
    logit -= params.presence_penalty;
  }
  std::vector<Token> order;
  for (size_t i = 0; i < logits.size(); ++i)
    if (std::isfinite(logits[i])) order.push_back(static_cast<Token>(i));
  const auto logit = [&](Token token) {
    return static_cast<double>(logits[static_cast<size_t>(token)]);
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](Token a, Token b) { return logit(a) > logit(b); });
  if (params.temperature == 0) return {{order.front(), 1.0}};
  if (params.top_k > 0) order.resize(std::min(order.size(), static_cast<size_t>(params.top_k)));
  const double best = logit(order.front());
  double sum = 0;
  for (Token token : order) sum += std::exp(logit(token) - best);
  std::vector<Token> kept;
  double mass = 0;
  for (Token token : order) {
    const double weight = std::exp(logit(token) - best);
    if (params.top_p < 1 && mass >= params.top_p * sum) break;
    mass += weight;
    if (weight >= params.min_p) kept.push_back(token);
  }
  std::map<Token, double> probabilities;
  double total = 0;
  for (Token token : kept)
    total += probabilities[token] = std::exp((logit(token) - best) / params.temperature);
  for (auto& [token, probability] : probabilities) probability /= total;
  return probabilities;
}

std::map<Token, int> count_draws(const SamplingParams& params, const std::vector<float>& logits,
                                 int draws, std::span<const Token> history = {}) {
  std::map<Token, int> counts;
  for (int i = 0; i < draws; ++i) {
    SamplingParams seeded = params;
    seeded.seed = derive_seed(params.seed, static_cast<uint64_t>(i));
    Sampler sampler(seeded, nullptr, false);
    sampler.observe(history);
    std::vector<float> row = logits;
    ++counts[sampler.sample(row).token];
  }
  return counts;
}

// Every drawn token is in the reference's support, and the counts fit its probabilities: chi-square
// over the tokens expected at least 5 times, the others pooled, within 5 standard deviations.
void expect_fits(const std::map<Token, int>& counts, const std::map<Token, double>& expected,
                 int draws) {
  double chi_square = 0, pooled_expected = 0;
  int cells = 0, pooled = 0;
  for (const auto& [token, count] : counts)
    EXPECT_TRUE(expected.contains(token)) << "token " << token << " must not be drawn";
  for (const auto& [token, probability] : expected) {
    const int count = counts.contains(token) ? counts.at(token) : 0;
    if (probability * draws < 5) {
      pooled += count;
      pooled_expected += probability * draws;
      continue;
    }
    ++cells;
    chi_square += std::pow(count - probability * draws, 2) / (probability * draws);
  }
  if (pooled_expected >= 5) {
    ++cells;
    chi_square += std::pow(pooled - pooled_expected, 2) / pooled_expected;
  }
  const double freedom = std::max(1, cells - 1);
  EXPECT_LT(chi_square, freedom + 5 * std::sqrt(2 * freedom));
}

struct Case {
  const char* name;
  void (*set)(SamplingParams&);
};

class SamplerFits : public testing::TestWithParam<Case> {};

TEST_P(SamplerFits, TheReference) {
  constexpr int kDraws = 4000;
  for (const size_t size : {3u, 127u, 1000u}) {
    SamplingParams params = no_filters();
    params.seed = size;
    GetParam().set(params);
    std::erase_if(params.logit_bias,
                  [&](const auto& bias) { return static_cast<size_t>(bias.first) >= size; });
    const Tokens history = {0, 1, 1, 2, 0, 1};
    const std::vector<float> logits = random_logits(size, size, 6);
    SCOPED_TRACE(size);
    expect_fits(count_draws(params, logits, kDraws, history),
                reference(params, logits, {{0, 2}, {1, 3}, {2, 1}}), kDraws);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Parameters, SamplerFits,
    testing::Values(Case{"NoFilter", [](SamplingParams&) {}},
                    Case{"Hot", [](SamplingParams& p) { p.temperature = 3; }},
                    Case{"Cold", [](SamplingParams& p) { p.temperature = 0.3f; }},
                    Case{"Greedy", [](SamplingParams& p) { p.temperature = 0; }},
                    Case{"TopK1", [](SamplingParams& p) { p.top_k = 1; }},
                    Case{"TopK5", [](SamplingParams& p) { p.top_k = 5; }},
                    Case{"TopKAboveBlocks", [](SamplingParams& p) { p.top_k = 100; }},
                    Case{"TopKAboveVocabulary", [](SamplingParams& p) { p.top_k = 5000; }},
                    Case{"TopP", [](SamplingParams& p) { p.top_p = 0.7f; }},
                    Case{"TopPNearlyAll", [](SamplingParams& p) { p.top_p = 0.999f; }},
                    Case{"TopPNearlyNone", [](SamplingParams& p) { p.top_p = 1e-6f; }},
                    Case{"MinP", [](SamplingParams& p) { p.min_p = 0.2f; }},
                    Case{"MinPLow", [](SamplingParams& p) { p.min_p = 0.001f; }},
                    Case{"MinPOne", [](SamplingParams& p) { p.min_p = 1; }},
                    Case{"TopPAndMinP",
                         [](SamplingParams& p) {
                           p.top_p = 0.9f;
                           p.min_p = 0.1f;
                         }},
                    Case{"Defaults",
                         [](SamplingParams& p) {
                           const uint64_t seed = p.seed;
                           p = {};
                           p.seed = seed;
                         }},
                    Case{"Bias", [](SamplingParams& p) { p.logit_bias = {{2, 15.f}, {50, -9.f}}; }},
                    Case{"Penalties",
                         [](SamplingParams& p) {
                           p.logit_bias = {{0, 9.f}, {1, 12.f}};
                           p.repetition_penalty = 1.3f;
                           p.frequency_penalty = 0.6f;
                           p.presence_penalty = 0.9f;
                         }}),
    [](const auto& info) { return info.param.name; });

// Many rows with few draws each: nothing outside the filters' support is ever drawn.
TEST(Sampler, DrawsOnlyWhatTheFiltersKeep) {
  Random random(7);
  for (int trial = 0; trial < 300; ++trial) {
    SamplingParams params;
    params.temperature = static_cast<float>(0.2 + 2 * random.uniform());
    params.top_k = static_cast<int>(random.next() % 60);
    params.top_p =
        random.uniform() < 0.3 ? 1.0f : static_cast<float>(0.01 + 0.98 * random.uniform());
    params.min_p = random.uniform() < 0.3 ? 0.0f : static_cast<float>(random.uniform() * 0.5);
    params.seed = static_cast<uint64_t>(trial);
    const auto logits = random_logits(1 + random.next() % 900, random.next(), 9);
    const auto expected = reference(params, logits);
    for (const auto& [token, count] : count_draws(params, logits, 20))
      ASSERT_TRUE(expected.contains(token)) << "trial " << trial << " token " << token;
  }
}

TEST(Sampler, GreedyTakesTheLowestOfEqualTokens) {
  std::vector<float> logits(1000, -1.0f);
  logits[700] = logits[301] = logits[999] = 4;
  SamplingParams params;
  params.temperature = 0;
  EXPECT_EQ(Sampler(params, nullptr, false).sample(logits).token, 301);
}

TEST(Sampler, TopKKeepsTheLowerOfEqualTokens) {
  const std::vector<float> logits(1000, 2.5f);
  SamplingParams params = no_filters();
  params.top_k = 3;
  const auto counts = count_draws(params, logits, 200);
  ASSERT_EQ(counts.size(), 3u);
  EXPECT_EQ(counts.rbegin()->first, 2);
}

TEST(Sampler, NonFiniteLogitsNeverWin) {
  for (const float temperature : {0.0f, 1.0f})
    for (const int top_k : {0, 2, 40})
      for (const float top_p : {0.9f, 1.0f}) {
        std::vector<float> logits(300, kNan);
        logits[5] = kInfinity;
        logits[6] = -kInfinity;
        logits[131] = -1e30f;
        SamplingParams params = no_filters();
        params.temperature = temperature;
        params.top_k = top_k;
        params.top_p = top_p;
        params.logprobs = 4;
        const SampledToken sampled = Sampler(params, nullptr, false).sample(logits);
        EXPECT_EQ(sampled.token, 131);
        EXPECT_NEAR(sampled.logprob, 0, 1e-6);
        ASSERT_EQ(sampled.top.size(), 1u);
        EXPECT_EQ(sampled.top[0].token, 131);
      }
}

TEST(Sampler, NothingFiniteGivesNoToken) {
  for (const float value : {kNan, kInfinity, -kInfinity}) {
    SamplingParams params;
    params.logprobs = 3;
    std::vector<float> logits(200, value);
    const SampledToken sampled = Sampler(params, nullptr, true).sample(logits);
    EXPECT_EQ(sampled.token, kNoToken);
    EXPECT_EQ(sampled.logprob, 0);
    EXPECT_TRUE(sampled.top.empty());
  }
}

TEST(Sampler, EntropyIsThatOfTheModelBeforeAnyFilter) {
  SamplingParams params;
  params.temperature = 0;
  params.top_k = 1;
  Sampler sampler(params, nullptr, false);
  std::vector<float> logits = {1, 1, 1, 1};
  sampler.sample(logits);
  EXPECT_EQ(sampler.entropy(), 0);  // not asked for
  sampler.measure_entropy();
  logits = {1, 1, 1, 1};
  sampler.sample(logits);
  EXPECT_NEAR(sampler.entropy(), std::log(4.0), 1e-6);
  logits = {100, 0, 0, 0};
  sampler.sample(logits);
  EXPECT_NEAR(sampler.entropy(), 0, 1e-6);
}

TEST(Sampler, TinyTemperatureIsNearlyGreedy) {
  for (const float temperature : {1e-6f, 1e-20f, 1e-44f}) {
    SamplingParams params = no_filters();
    params.temperature = temperature;
    std::vector<float> logits = random_logits(500, 3, 9);
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    EXPECT_EQ(Sampler(params, nullptr, false).sample(logits).token, best);
  }
}

Tokens draw_row(Sampler& sampler, int count) {
  Tokens tokens;
  for (int i = 0; i < count; ++i) {
    auto logits = random_logits(800, static_cast<uint64_t>(i), 6);
    tokens.push_back(sampler.sample(logits).token);
  }
  return tokens;
}

TEST(Sampler, TheSeedDecidesEveryDraw) {
  for (const SamplingParams& base : {SamplingParams{}, no_filters()}) {
    SamplingParams params = base;
    params.seed = 11;
    Sampler one(params, nullptr, false), same(params, nullptr, true), reseeded(params, nullptr, 0);
    params.seed = 12;
    Sampler other(params, nullptr, false);
    const Tokens tokens = draw_row(one, 50);
    EXPECT_EQ(tokens, draw_row(same, 50));
    EXPECT_NE(tokens, draw_row(other, 50));
    draw_row(reseeded, 7);
    reseeded.reseed(11, params.temperature);
    EXPECT_EQ(tokens, draw_row(reseeded, 50));
    reseeded.reseed(11, 0);
    EXPECT_EQ(reseeded.params().temperature, 0);
  }
}

TEST(Sampler, LogprobIsTheModelsBeforeBiasAndFilters) {
  const auto raw = random_logits(3000, 5, 8);
  double sum = 0;
  for (float logit : raw) sum += std::exp(static_cast<double>(logit));
  SamplingParams params;
  params.logprobs = 5;
  params.repetition_penalty = 1.5f;
  params.logit_bias = {{17, 60.0f}};
  Sampler sampler(params, nullptr, false);
  sampler.observe(Tokens{17, 17});
  auto logits = raw;
  const SampledToken sampled = sampler.sample(logits);
  EXPECT_EQ(sampled.token, 17);
  EXPECT_NEAR(sampled.logprob, raw[17] - std::log(sum), 1e-5);

  std::vector<Token> order(raw.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](Token a, Token b) {
    return raw[static_cast<size_t>(a)] > raw[static_cast<size_t>(b)];
  });
  ASSERT_EQ(sampled.top.size(), 5u);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(sampled.top[i].token, order[i]);
    EXPECT_NEAR(sampled.top[i].logprob, raw[static_cast<size_t>(order[i])] - std::log(sum), 1e-5);
  }
}

TEST(Sampler, PenaltiesForgetTokensOlderThanTheirWindow) {
  SamplingParams params = no_filters();
  params.temperature = 0;
  params.presence_penalty = 1;
  params.penalty_last_n = 2;
  Sampler sampler(params, nullptr, false);
  Tokens tokens;
  for (int i = 0; i < 6; ++i) {
    std::vector<float> logits = {2.0f, 1.9f, 1.8f, 0.0f};
    tokens.push_back(sampler.sample(logits).token);
  }
  EXPECT_EQ(tokens, (Tokens{0, 1, 2, 0, 1, 2}));

  params.penalty_last_n = 0;
  Sampler blind(params, nullptr, false);
  blind.observe(Tokens{0, 0, 0});
  std::vector<float> logits = {2.0f, 1.9f};
  EXPECT_EQ(blind.sample(logits).token, 0);

  params.penalty_last_n = -1;
  Sampler whole(params, nullptr, false);
  whole.observe(Tokens{0});
  whole.observe(Tokens(1000, 3));
  logits = {2.0f, 1.9f, 0.0f, 0.0f};
  EXPECT_EQ(whole.sample(logits).token, 1);
}

class SetGrammar final : public Grammar {
 public:
  explicit SetGrammar(std::set<Token> allowed, std::string* calls)
      : allowed_(std::move(allowed)), calls_(calls) {}

  void mask(std::span<float> logits) override {
    *calls_ += "mask ";
    for (size_t i = 0; i < logits.size(); ++i)
      if (!allowed_.contains(static_cast<Token>(i))) logits[i] = -kInfinity;
  }
  bool allows(Token token) override {
    *calls_ += "allows" + std::to_string(token) + " ";
    return allowed_.contains(token);
  }
  void accept(Token token) override { *calls_ += "accept" + std::to_string(token) + " "; }

 private:
  std::set<Token> allowed_;
  std::string* calls_;
};

TEST(Sampler, GrammarMasksOnlyWhenTheFirstChoiceIsRefused) {
  for (const float temperature : {0.0f, 0.01f}) {
    SamplingParams params;
    params.temperature = temperature;
    std::string calls;
    Sampler sampler(params, std::make_unique<SetGrammar>(std::set<Token>{4, 9}, &calls), true);
    std::vector<float> logits(400, 0.0f);
    logits[9] = 30;
    EXPECT_EQ(sampler.sample(logits).token, 9);
    EXPECT_EQ(calls, "allows9 accept9 ");

    calls.clear();
    logits.assign(400, 0.0f);
    logits[300] = 30;
    logits[4] = 5;
    const SampledToken sampled = sampler.sample(logits);
    EXPECT_EQ(sampled.token, 4);
    EXPECT_NEAR(sampled.logprob, -25, 1e-4);
    EXPECT_EQ(calls, "allows300 mask accept4 ");
  }
}

TEST(Sampler, TakesARankOnceAndOnlyOfWhatMayFollow) {
  std::vector<float> logits(400, -kInfinity);
  logits[7] = 3;
  logits[300] = 2;
  logits[20] = 1;
  SamplingParams params = no_filters();
  params.temperature = 0;
  Sampler sampler(params, nullptr, true);
  const auto next = [&](Sampler& from) {
    std::vector<float> copy = logits;
    return from.sample(copy).token;
  };
  sampler.take_rank(1);
  EXPECT_EQ(next(sampler), 300);
  EXPECT_EQ(next(sampler), 7);
  sampler.take_rank(10);
  EXPECT_EQ(next(sampler), 20);

  std::string calls;
  Sampler bound(params, std::make_unique<SetGrammar>(std::set<Token>{7, 20}, &calls), true);
  bound.take_rank(1);
  EXPECT_EQ(next(bound), 20);
}

TEST(Sampler, GrammarThatAllowsNothingGivesNoTokenAndIsNotAdvanced) {
  std::string calls;
  Sampler sampler({}, std::make_unique<SetGrammar>(std::set<Token>{}, &calls), true);
  std::vector<float> logits(400, 0.0f);
  EXPECT_EQ(sampler.sample(logits).token, kNoToken);
  EXPECT_EQ(calls.find("accept"), std::string::npos);
}

}  // namespace
}  // namespace polyphon
