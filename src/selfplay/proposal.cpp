#include "selfplay/proposal.h"

#include <algorithm>

#include "base/check.h"

namespace polyphon {
namespace {

constexpr int kMostQuestionTokens = 128;

// A plain list. A model continues a list without any instruction; small models follow instructions
// badly.
std::string list_of(const std::vector<std::string>& questions) {
  std::string text;
  for (const std::string& question : questions) text += question + "\n";
  return text;
}

}  // namespace

Json to_json(const ProposalCounts& counts) {
  return {{"asked", counts.asked()},       {"taken", counts.taken},
          {"malformed", counts.malformed}, {"unsolvable", counts.unsolvable},
          {"held_out", counts.held_out},   {"seen", counts.seen}};
}

Continuation proposal_request(const Family& family, const std::vector<std::string>& examples,
                              uint64_t seed) {
  POLYPHON_CHECK(family.questions);
  Continuation list{list_of(examples), family.questions, {}, kMostQuestionTokens};
  // No filtering of tokens: proposals should vary, and the grammar keeps the form.
  list.sampling.temperature = 1;
  list.sampling.top_k = 0;
  list.sampling.top_p = 1;
  list.sampling.min_p = 0;
  list.sampling.seed = seed;
  return list;
}

std::optional<Problem> take_proposal(const std::string& question, const Family& family,
                                     int difficulty, uint64_t seed,
                                     const std::vector<std::string>& examples,
                                     ProblemSource& source, ProposalCounts& counts) {
  const auto refuse = [](int64_t& reason) {
    ++reason;
    return std::nullopt;
  };
  auto problem = proposed_problem(family, difficulty, seed, question);
  if (!problem) return refuse(counts.malformed);
  if (problem->solution.empty()) return refuse(counts.unsolvable);
  if (std::find(examples.begin(), examples.end(), question) != examples.end())
    return refuse(counts.seen);
  switch (source.take(*problem)) {
    case ProblemSource::Standing::kHeldOut:
      return refuse(counts.held_out);
    case ProblemSource::Standing::kSeen:
      return refuse(counts.seen);
    case ProblemSource::Standing::kNew:
      ++counts.taken;
  }
  return problem;
}

}  // namespace polyphon
