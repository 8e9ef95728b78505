#include "streams/synthesis.h"

#include <fmt/format.h>

#include "text/answer_extraction.h"

namespace polyphon {

std::string merge_instruction(const Topology& topology, const std::string& request) {
  const bool one_line = !topology.is_auto() && topology.phases.back().streams == 1;
  const std::string what = one_line ? "reasoning" : "attempts";
  const std::string judge =
      one_line ? "Check the reasoning above"
               : "The attempts above were made independently of each other, and some may be wrong. "
                 "Compare them";
  if (request.empty())
    return fmt::format(
        "{}, decide what is right, and give the final answer to my request. Do not mention the {}.",
        judge, what);
  return fmt::format(
      "{} and decide what is right. Then answer my request without a word about "
      "the {}:\n\n{}",
      judge, what, request);
}

std::string bridge_text() { return "\n\nTaking these attempts together, I go on:\n"; }

std::string urge_cue() { return "\nWait, let me check that again. "; }

std::string reseed_cue(const Strategy& strategy) {
  return "\nWait, let me try another way. " + strategy.preamble;
}

Tokens scaffold(MergeMode mode, const std::vector<Attempt>& attempts,
                const Vocabulary& vocabulary) {
  Tokens tokens;
  if (mode != MergeMode::kPrefill && mode != MergeMode::kCompact) return tokens;
  for (size_t i = 0; i < attempts.size(); ++i) {
    Tokens header = vocabulary.tokenize(
        fmt::format("\n\nAttempt {} ({}):\n", i + 1, attempts[i].strategy), false, false);
    header.resize(std::min<size_t>(header.size(), kMaxAttemptHeaderTokens));
    tokens.insert(tokens.end(), header.begin(), header.end());
    Tokens body = attempts[i].tokens;
    if (mode == MergeMode::kCompact) {
      const Tokens conclusion = vocabulary.tokenize(conclusion_of(attempts[i].text), false, false);
      if (conclusion.size() < body.size()) body = conclusion;
    }
    tokens.insert(tokens.end(), body.begin(), body.end());
  }
  return tokens;
}

}  // namespace polyphon
