#include "bench/figures.h"

#include <algorithm>
#include <fstream>

#include "sessions/reasoner.h"

namespace polyphon {

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values.front(), values.back()};
}

Json to_json(const Spread& spread) {
  return {{"median", spread.median}, {"min", spread.least}, {"max", spread.most}};
}

std::string processor() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);)
    if (line.starts_with("model name")) return line.substr(line.find(": ") + 2);
  return "unknown";
}

Json result_head(const std::string& bench, const Reasoner& reasoner) {
  return {{"bench", bench},
          {"machine", {{"cpu", processor()}, {"kernels", compute_info().cpu_variant}}},
          {"model", reasoner.model().info().description},
          {"model_digest", reasoner.identity().model_digest}};
}

}  // namespace polyphon
