#include "core/topology.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "base/error.h"
#include "base/shown.h"

namespace polyphon {
namespace {

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw Error(
      ErrorCode::kInvalidArgument,
      fmt::format("topology '{}': {}; expected \"auto\", STREAMSxTOKENS such as \"8x256\", or "
                  "phases such as \"4x512>1x2048\"",
                  shown(text), why),
      "polyphon.topology");
}

int read_number(std::string_view whole, std::string_view digits, int most, const char* what) {
  int value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool too_large = error == std::errc::result_out_of_range;
  if ((error != std::errc() && !too_large) || end != digits.data() + digits.size() ||
      digits[0] == '-')
    refuse(whole, fmt::format("'{}' is not a number of {}", shown(digits), what));
  if (too_large || value > most)
    refuse(whole, fmt::format("{} {} are more than the {} that any configuration allows",
                              shown(digits), what, most));
  if (value < 1) refuse(whole, fmt::format("{} must be 1 or more", what));
  return value;
}

Phase read_phase(std::string_view whole, std::string_view text) {
  const size_t by = text.find('x');
  if (by == std::string_view::npos) refuse(whole, fmt::format("'{}' has no 'x'", shown(text)));
  return {read_number(whole, text.substr(0, by), Topology::kMaxStreams, "streams"),
          read_number(whole, text.substr(by + 1), Topology::kMaxStreamTokens, "tokens")};
}

constexpr std::array<std::string_view, 4> kMergeNames = {"kv", "prefill", "compact", "vote"};

}  // namespace

long long Topology::budget_tokens() const {
  long long sum = 0;
  for (const Phase& phase : phases) sum += static_cast<long long>(phase.streams) * phase.tokens;
  return sum;
}

std::string Topology::to_string() const {
  if (is_auto()) return "auto";
  std::string text;
  for (const Phase& phase : phases) {
    if (!text.empty()) text += '>';
    text.append(std::to_string(phase.streams)).append("x").append(std::to_string(phase.tokens));
  }
  return text;
}

Topology parse_topology(std::string_view text) {
  Topology topology;
  if (text == "auto") return topology;
  std::string_view rest = text;
  while (true) {
    const size_t end = rest.find('>');
    topology.phases.push_back(read_phase(text, rest.substr(0, end)));
    if (topology.phases.size() > Topology::kMaxPhases)
      refuse(text, fmt::format("more than {} phases", Topology::kMaxPhases));
    if (end == std::string_view::npos) return topology;
    rest.remove_prefix(end + 1);
  }
}

std::string_view to_string(MergeMode mode) { return kMergeNames[static_cast<size_t>(mode)]; }

MergeMode parse_merge_mode(std::string_view text) {
  for (size_t i = 0; i < kMergeNames.size(); ++i)
    if (kMergeNames[i] == text) return static_cast<MergeMode>(i);
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("merge '{}': use kv, prefill, compact or vote", shown(text)),
              "polyphon.merge");
}

}  // namespace polyphon
