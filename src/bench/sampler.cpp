#include "bench/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "base/clock.h"
#include "base/random.h"
#include "engine/sample_rows.h"
#include "model/plain_llama.h"

namespace polyphon {

void bench_sampler(const OnFigure& on_figure) {
  constexpr int kRows = 8, kVocabulary = 151936, kRepeats = 51;
  Random random(1);
  std::vector<std::vector<float>> logits(kRows);
  for (auto& row : logits)
    for (int i = 0; i < kVocabulary; ++i)
      row.push_back(static_cast<float>(random.uniform() + random.uniform() + random.uniform()) * 6);
  std::vector<std::unique_ptr<Sampler>> samplers;
  std::vector<SampleJob> jobs;
  for (int r = 0; r < kRows; ++r) {
    SamplingParams params;
    params.seed = static_cast<uint64_t>(r);
    samplers.push_back(std::make_unique<Sampler>(params, nullptr, false));
    jobs.push_back({samplers.back().get(), logits[static_cast<size_t>(r)], {}});
  }
  const int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const SteadyClock clock;
  const Spread ours = repeat(kRepeats, [&](int) {
    const TimePoint start = clock.now();
    sample_rows(jobs, threads);
    return milliseconds_between(start, clock.now());
  });
  const double peer = plain_sampler_ms(kRows, kVocabulary, kRepeats);
  const Json row = {{"bench", "sampler"},  {"rows", kRows},        {"vocabulary", kVocabulary},
                    {"ms", to_json(ours)}, {"llama_cpp_ms", peer}, {"ratio", peer / ours.median}};
  on_figure(row, fmt::format("{} rows of {}: {:.2f} ms a step, llama.cpp's chain {:.2f} ms, "
                             "ratio {:.1f}\n",
                             kRows, kVocabulary, ours.median, peer, peer / ours.median));
}

}  // namespace polyphon
