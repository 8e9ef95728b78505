// What the benchmarks share: repeated measurements with their spread, and what they ran on.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "app/command.h"
#include "core/json.h"

namespace polyphon {

// `polyphon bench decode`, `attention`, `perplexity`, `memory`, `recall` and `workspace`.
void add_decode_bench(CLI::App& bench, Run& run);
void add_attention_bench(CLI::App& bench, Run& run);
void add_perplexity_bench(CLI::App& bench, Run& run);
void add_memory_bench(CLI::App& bench, Run& run);
void add_recall_bench(CLI::App& bench, Run& run);
void add_workspace_bench(CLI::App& bench, Run& run);

struct Spread {
  double median = 0, least = 0, most = 0;
};

inline Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values.front(), values.back()};
}

template <typename Measure>
Spread repeat(int times, Measure measure) {
  std::vector<double> values;
  for (int i = 0; i < times; ++i) values.push_back(measure(i));
  return spread_of(std::move(values));
}

inline Json to_json(const Spread& spread) {
  return {{"median", spread.median}, {"min", spread.least}, {"max", spread.most}};
}

// The processor's name, as the kernel has it.
std::string processor();

}  // namespace polyphon
