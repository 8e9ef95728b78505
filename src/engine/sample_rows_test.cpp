#include "engine/sample_rows.h"

#include <gtest/gtest.h>

#include <memory>

#include "base/random.h"

namespace polyphon {
namespace {

// The rows of one step give what each sampler gives alone, whatever thread ran it.
TEST(SampleRows, EqualsSamplingOneByOne) {
  constexpr size_t kVocabulary = 2000;
  for (const size_t rows : {0u, 1u, 2u, 13u}) {
    std::vector<std::unique_ptr<Sampler>> together, alone;
    for (size_t row = 0; row < rows; ++row) {
      SamplingParams params;
      params.seed = row;
      params.frequency_penalty = 0.5f;
      params.logprobs = 2;
      together.push_back(std::make_unique<Sampler>(params, nullptr, true));
      alone.push_back(std::make_unique<Sampler>(params, nullptr, true));
    }
    for (uint64_t step = 0; step < 20; ++step) {
      std::vector<float> logits(rows * kVocabulary);
      Random random(step);
      for (float& logit : logits) logit = static_cast<float>(12 * random.uniform());
      std::vector<float> copy = logits;
      std::vector<SampleJob> jobs;
      for (size_t row = 0; row < rows; ++row)
        jobs.push_back(
            {together[row].get(), std::span(logits).subspan(row * kVocabulary, kVocabulary), {}});
      sample_rows(jobs, 2);
      for (size_t row = 0; row < rows; ++row) {
        const SampledToken expected =
            alone[row]->sample(std::span(copy).subspan(row * kVocabulary, kVocabulary));
        EXPECT_EQ(jobs[row].result.token, expected.token);
        EXPECT_EQ(jobs[row].result.logprob, expected.logprob);
        EXPECT_EQ(jobs[row].result.top.size(), 2u);
      }
    }
  }
}

}  // namespace
}  // namespace polyphon
