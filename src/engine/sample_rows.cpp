#include "engine/sample_rows.h"

namespace polyphon {

void sample_rows(std::span<SampleJob> jobs, [[maybe_unused]] int threads) {
  const auto count = static_cast<int>(jobs.size());
#ifdef _OPENMP  // not under a sanitizer
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (count > 1)
#endif
  for (int i = 0; i < count; ++i) jobs[i].result = jobs[i].sampler->sample(jobs[i].logits);
}

}  // namespace polyphon
