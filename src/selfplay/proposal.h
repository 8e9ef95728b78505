// Problems that the model proposes itself: it reads a few questions of a cell and writes one more,
// held to the grammar of the family's questions. What comes is read exactly, and code solves it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/problem_source.h"
#include "sessions/player.h"
#include "tasks/family.h"

namespace polyphon {

// What became of the questions that the model wrote.
struct ProposalCounts {
  int64_t taken = 0;
  int64_t malformed = 0;   // not of the family's form: it was not finished
  int64_t unsolvable = 0;  // no solution, says the family's code
  int64_t held_out = 0;    // a suite's
  int64_t seen = 0;        // in this folder, or among the examples

  int64_t asked() const { return taken + malformed + unsolvable + held_out + seen; }
};
Json to_json(const ProposalCounts& counts);

// What a player goes on with to propose a question. CHECKs that the family has a grammar.
Continuation proposal_request(const Family& family, const std::vector<std::string>& examples,
                              uint64_t seed);

// The question's problem, if it may be played; it then counts as handed out by `source`.
std::optional<Problem> take_proposal(const std::string& question, const Family& family,
                                     int difficulty, uint64_t seed,
                                     const std::vector<std::string>& examples,
                                     ProblemSource& source, ProposalCounts& counts);

}  // namespace polyphon
