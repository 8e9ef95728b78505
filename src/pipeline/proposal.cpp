#include "pipeline/proposal.h"

#include <algorithm>
#include <variant>

#include "base/check.h"

namespace polyphon {
namespace {

constexpr int kMostQuestionTokens = 128;

// A plain list: to go on with one needs no instruction, which small models follow badly.
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

std::string propose_question(Reasoner& reasoner, const Family& family,
                             const std::vector<std::string>& examples, uint64_t seed,
                             SessionTerms terms) {
  POLYPHON_CHECK(family.questions);
  CompletionRequest request;
  request.prompt = reasoner.model().vocabulary().tokenize(list_of(examples), false, true);
  request.grammar.gbnf = family.questions;
  // Nothing is filtered: what is wanted is variety, and the grammar keeps the form.
  request.sampling.temperature = 1;
  request.sampling.top_k = 0;
  request.sampling.top_p = 1;
  request.sampling.min_p = 0;
  request.sampling.seed = seed;
  request.max_tokens = kMostQuestionTokens;
  std::string question;
  SessionTicket ticket = reasoner.complete(std::move(request), std::move(terms));
  wait_finished(ticket, [&](const SessionEvent& event) {
    if (const auto* delta = std::get_if<AnswerDelta>(&event)) question += delta->text;
  });
  return question;
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
