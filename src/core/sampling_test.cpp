#include "core/sampling.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"

namespace polyphon {
namespace {

constexpr int kVocabulary = 100;

// The field that validate() names, empty when it accepts.
std::string refused_field(const SamplingParams& params) {
  try {
    validate(params, kVocabulary);
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find(error.field()), std::string::npos);
    return error.field();
  }
}

TEST(SamplingParams, DefaultsAndEdgesAreAccepted) {
  EXPECT_EQ(refused_field({}), "");
  SamplingParams params;
  params.temperature = 0;
  params.top_k = 0;
  params.top_p = 1;
  params.min_p = 1;
  params.frequency_penalty = -2;
  params.presence_penalty = 2;
  params.penalty_last_n = -1;
  params.logprobs = 20;
  params.logit_bias = {{0, -100.0f}, {kVocabulary - 1, 100.0f}};
  EXPECT_EQ(refused_field(params), "");
}

TEST(SamplingParams, EveryFloatFieldRefusesNonFiniteAndOutOfRange) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  struct {
    const char* name;
    float SamplingParams::* member;
    float below, above;
  } const fields[] = {
      {"temperature", &SamplingParams::temperature, -0.1f, 1e9f},
      {"top_p", &SamplingParams::top_p, 0.0f, 1.01f},
      {"min_p", &SamplingParams::min_p, -0.01f, 1.01f},
      {"repetition_penalty", &SamplingParams::repetition_penalty, 0.0f, 1e9f},
      {"frequency_penalty", &SamplingParams::frequency_penalty, -2.1f, 2.1f},
      {"presence_penalty", &SamplingParams::presence_penalty, -2.1f, 2.1f},
  };
  for (const auto& field : fields)
    for (const float value : {field.below, field.above, kNan, kInfinity, -kInfinity}) {
      SamplingParams params;
      params.*field.member = value;
      EXPECT_EQ(refused_field(params), field.name) << value;
    }
}

TEST(SamplingParams, IntegersAndBiasesAreBounded) {
  SamplingParams params;
  params.top_k = -1;
  EXPECT_EQ(refused_field(params), "top_k");
  params = {};
  params.penalty_last_n = -2;
  EXPECT_EQ(refused_field(params), "penalty_last_n");
  for (const int logprobs : {-2, 21}) {
    params = {};
    params.logprobs = logprobs;
    EXPECT_EQ(refused_field(params), "top_logprobs");
  }
  for (const auto& [token, bias] :
       std::vector<std::pair<Token, float>>{{-1, 0.0f},
                                            {kVocabulary, 0.0f},
                                            {3, 101.0f},
                                            {3, std::numeric_limits<float>::quiet_NaN()}}) {
    params = {};
    params.logit_bias = {{token, bias}};
    EXPECT_EQ(refused_field(params), "logit_bias");
  }
}

TEST(SamplingParams, TheMessageNamesTheValue) {
  SamplingParams params;
  params.top_p = 1.5f;
  try {
    validate(params, kVocabulary);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("1.5"), std::string::npos);
  }
}

}  // namespace
}  // namespace polyphon
