#include "core/sampling.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "base/error.h"

namespace polyphon {
namespace {

template <typename T>
void require(bool holds, const char* field, T value, const char* expected) {
  if (holds) return;
  std::ostringstream message;
  message << field << " is " << value << ": must be " << expected;
  throw Error(ErrorCode::kInvalidArgument, message.str(), field);
}

// Comparisons with NaN are false, so each range also refuses it.
bool within(float value, float low, float high) { return value >= low && value <= high; }

template <typename Member>
Setting<SamplingParams> sampling(const char* name, Member member, SettingRange range,
                                 const char* help, unsigned scopes = kRequestScope) {
  return setting<SamplingParams>(name, scopes, member, range, help);
}

}  // namespace

const std::vector<Setting<SamplingParams>>& sampling_settings() {
  using Params = SamplingParams;
  constexpr double kMostTokens = 1 << 20;
  static const std::vector<Setting<Params>> rows = [] {
    std::vector<Setting<Params>> made = {
        sampling(
            "temperature", [](Params& p) -> float& { return p.temperature; }, {0, 100},
            "Sampling temperature: the middle one of the streams; 0: the likeliest token",
            kRequestScope | kFlagScope),
        sampling(
            "top_k", [](Params& p) -> int& { return p.top_k; }, {-1, kMostTokens},
            "Likeliest tokens that may be drawn; 0 or -1: all"),
        sampling(
            "top_p", [](Params& p) -> float& { return p.top_p; }, {0, 1},
            "Probability that the likeliest tokens that may be drawn sum up to; above 0, 1: all"),
        sampling(
            "min_p", [](Params& p) -> float& { return p.min_p; }, {0, 1},
            "Least probability of a token that may be drawn, as a share of the likeliest one's"),
        sampling(
            "repetition_penalty", [](Params& p) -> float& { return p.repetition_penalty; },
            {0.01, 100}, "Divisor of the logits of tokens that occurred; 1: off"),
        sampling(
            "frequency_penalty", [](Params& p) -> float& { return p.frequency_penalty; }, {-2, 2},
            "Number that each earlier occurrence of a token takes from its logit"),
        sampling(
            "presence_penalty", [](Params& p) -> float& { return p.presence_penalty; }, {-2, 2},
            "Number that is taken from the logit of a token that occurred"),
        sampling(
            "repeat_last_n", [](Params& p) -> int& { return p.penalty_last_n; }, {-1, kMostTokens},
            "Tokens that the three penalties look back on; -1: all, 0: none")};
    made[1].set = [](Params& p, const Json& value) { p.top_k = std::max(0, value.get<int>()); };
    return made;
  }();
  return rows;
}

void validate(const SamplingParams& params, int vocabulary_size) {
  require(within(params.temperature, 0, 100), "temperature", params.temperature, "0 to 100");
  require(params.top_k >= 0, "top_k", params.top_k, "0 (off) or more");
  require(params.top_p > 0 && params.top_p <= 1, "top_p", params.top_p, "above 0 and at most 1");
  require(within(params.min_p, 0, 1), "min_p", params.min_p, "0 to 1");
  require(within(params.repetition_penalty, 0.01f, 100), "repetition_penalty",
          params.repetition_penalty, "0.01 to 100");
  require(within(params.frequency_penalty, -2, 2), "frequency_penalty", params.frequency_penalty,
          "-2 to 2");
  require(within(params.presence_penalty, -2, 2), "presence_penalty", params.presence_penalty,
          "-2 to 2");
  require(params.penalty_last_n >= -1, "penalty_last_n", params.penalty_last_n, "-1 or more");
  require(params.logprobs >= -1 && params.logprobs <= 20, "top_logprobs", params.logprobs,
          "0 to 20");
  for (const auto& [token, bias] : params.logit_bias) {
    require(token >= 0 && token < vocabulary_size, "logit_bias", token,
            "a token of the vocabulary");
    require(within(bias, -100, 100), "logit_bias", bias, "-100 to 100");
  }
}

}  // namespace polyphon
