#include "streams/options.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/shown.h"

namespace polyphon {

const std::vector<RegisterSpec>& built_in_registers() {
  static const std::vector<RegisterSpec> registers = {
      {"consistency", "Check: the attempts disagree because"},
      {"hunch", "Hunch: the answer is"},
      {"pattern", "Pattern: the attempts all"}};
  return registers;
}

ReasonOptions with_diversity(ReasonOptions options, const DiversityRequest& request) {
  if (!request.strategies.empty()) {
    std::vector<Strategy> chosen;
    for (const std::string& name : request.strategies) {
      const auto found = std::find_if(options.strategies.begin(), options.strategies.end(),
                                      [&](const Strategy& s) { return s.name == name; });
      if (found == options.strategies.end())
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("no strategy is called '{}'", shown(name)), "polyphon.strategies");
      chosen.push_back(*found);
    }
    options.strategies = std::move(chosen);
  }
  if (const auto ladder = request.temperature_ladder) {
    if (!(*ladder >= 0 && *ladder <= 4))
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("temperature_ladder is {}: must be 0 to 4", *ladder),
                  "polyphon.temperature_ladder");
    options.temperature_ladder = *ladder;
  }
  options.collapse.enabled = options.collapse.enabled && request.collapse_watch;
  options.agreement.enabled = options.agreement.enabled && request.agreement;
  return options;
}

void validate(const WorkspaceRequest& request, const WorkspaceOptions& options) {
  const auto require = [](bool holds, const char* field, auto value, const std::string& expected) {
    if (holds) return;
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} is {}: must be {}", field, value, expected),
                std::string("polyphon.") + field);
  };
  constexpr int kMost = 1 << 20;
  const auto specs = static_cast<int>(options.registers.size());
  require(request.registers >= 0 && request.registers <= specs, "registers", request.registers,
          fmt::format("0 to {}, the number of registers that are configured", specs));
  require(request.gate_threshold >= 0 && request.gate_threshold <= 1, "gate_threshold",
          request.gate_threshold, "0 to 1");
  require(request.cadence_tokens >= 1 && request.cadence_tokens <= kMost, "register_cadence",
          request.cadence_tokens, fmt::format("1 to {}", kMost));
  require(request.refractory_tokens >= 1 && request.refractory_tokens <= kMost, "gate_refractory",
          request.refractory_tokens, fmt::format("1 to {}", kMost));
}

}  // namespace polyphon
