// Samples the rows of one step, on the OpenMP team that ggml has just used (never a second set of
// threads). Call from the decode thread.
#pragma once

#include <span>

#include "engine/sampler.h"

namespace polyphon {

struct SampleJob {
  Sampler* sampler = nullptr;  // each in one job only
  std::span<float> logits;     // [vocabulary_size], overwritten
  SampledToken result;
};

// `threads` as the decoder's: OpenMP keeps a team only while its size stays.
void sample_rows(std::span<SampleJob> jobs, int threads);

}  // namespace polyphon
