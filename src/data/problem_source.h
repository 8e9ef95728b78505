// Hands out the problems that may be played: never one of an evaluation suite, and new ones first.
// A small cell (81 products of two digits) repeats problems when it has no new ones. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "data/curriculum.h"
#include "tasks/problem.h"

namespace polyphon {

class ProblemSource {
 public:
  // `held_out`: the texts of the problems of all suites.
  ProblemSource(uint64_t seed, std::set<std::string> held_out)
      : seed_(seed), held_out_(std::move(held_out)) {}

  // CHECKs that the cell has problems that are not held out.
  Problem next(const Cell& cell);
  // Call for a problem that an earlier run of this folder played.
  void remember(const Problem& problem);
  int64_t held_out_skipped() const { return skipped_; }

  // Whether a problem from elsewhere may be played. A new one counts as handed out from now on.
  enum class Standing { kNew, kSeen, kHeldOut };
  Standing take(const Problem& problem);

  // At most `count` different questions of the cell, none of them held out, as examples for a
  // model. They do not count as handed out.
  std::vector<std::string> examples(const Cell& cell, size_t count, uint64_t seed) const;

 private:
  uint64_t seed_;
  const std::set<std::string> held_out_;
  std::set<std::string> seen_;
  std::map<Cell, uint64_t> drawn_;
  int64_t skipped_ = 0;
};

// The texts of the problems of every *.json suite in the folder. Throws like read_suite(), and
// Error{kNotFound} if there is no suite.
std::set<std::string> held_out_texts(const std::string& suites_folder);

}  // namespace polyphon
