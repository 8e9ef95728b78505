// What the benchmarks share: how a figure is reported, repeated measurements with their spread, and
// what they ran on. A benchmark blocks until it is done; one at a time in a process.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/json.h"

namespace polyphon {

class Reasoner;

// Hears of each figure when it is measured: as data, and as whole lines for a person.
using OnFigure = std::function<void(const Json& row, const std::string& text)>;

struct Spread {
  double median = 0, least = 0, most = 0;
};

Spread spread_of(std::vector<double> values);
Json to_json(const Spread& spread);

template <typename Measure>
Spread repeat(int times, Measure measure) {
  std::vector<double> values;
  for (int i = 0; i < times; ++i) values.push_back(measure(i));
  return spread_of(std::move(values));
}

// The processor's name, as the kernel has it.
std::string processor();

// {"bench", "machine", "model", "model_digest"}: the head of a benchmark's result.
Json result_head(const std::string& bench, const Reasoner& reasoner);

}  // namespace polyphon
