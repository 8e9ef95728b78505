#include "core/sampling.h"

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

}  // namespace

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
