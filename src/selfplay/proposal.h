// Problems that the model proposes itself: the model reads a few questions of a cell and writes one
// more, under the grammar of the family's questions. Code then parses and solves the question. A
// proposal that cannot be used is counted by reason.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/problem_source.h"
#include "sessions/player.h"
#include "tasks/family.h"

namespace polyphon {

// How many questions the model wrote, by what became of them.
struct ProposalCounts {
  int64_t taken = 0;
  int64_t malformed = 0;   // not of the family's form, because it was cut off
  int64_t unsolvable = 0;  // the family's code finds no solution
  int64_t held_out = 0;    // the problem is in an evaluation suite
  int64_t seen = 0;        // already in this folder or among the examples

  int64_t asked() const { return taken + malformed + unsolvable + held_out + seen; }
};
Json to_json(const ProposalCounts& counts);

// The request that lets a player propose a question. CHECKs that the family has a grammar.
Continuation proposal_request(const Family& family, const std::vector<std::string>& examples,
                              uint64_t seed);

// The problem of the question, if it may be played; `source` then counts it as handed out.
std::optional<Problem> take_proposal(const std::string& question, const Family& family,
                                     int difficulty, uint64_t seed,
                                     const std::vector<std::string>& examples,
                                     ProblemSource& source, ProposalCounts& counts);

}  // namespace polyphon
