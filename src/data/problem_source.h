// Which problems may be played: none that a suite holds, new ones before any repeats itself.
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

// Hands out problems of a cell that no suite holds, new ones as long as there are any: a small cell
// (81 products of two digits) repeats itself. Not thread-safe.
class ProblemSource {
 public:
  // `held_out`: the texts of all suites.
  ProblemSource(uint64_t seed, std::set<std::string> held_out)
      : seed_(seed), held_out_(std::move(held_out)) {}

  // CHECKs that the cell has other problems than those held out.
  Problem next(const Cell& cell);
  // That one of next() was handed out by an earlier run.
  void remember(const Problem& problem);
  int64_t held_out_skipped() const { return skipped_; }

  // May a problem from elsewhere be played? If it is new, it counts as handed out from now on.
  enum class Standing { kNew, kSeen, kHeldOut };
  Standing take(const Problem& problem);

  // Questions of the cell, all different and none of them held out, which show what others look
  // like; they are not handed out. At most `count`.
  std::vector<std::string> examples(const Cell& cell, size_t count, uint64_t seed) const;

 private:
  uint64_t seed_;
  const std::set<std::string> held_out_;
  std::set<std::string> seen_;
  std::map<Cell, uint64_t> drawn_;
  int64_t skipped_ = 0;
};

// The texts of the problems of every *.json suite in the folder. Throws as read_suite(), and
// Error{kNotFound} when there is none.
std::set<std::string> held_out_texts(const std::string& suites_folder);

}  // namespace polyphon
