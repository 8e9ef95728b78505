// Chooses the family and difficulty of self-play's next problem. Each family has a difficulty that
// is adjusted so that single streams succeed in 20 to 80 % of attempts, because a mix of right and
// wrong attempts teaches most. Deterministic: depends only on the recorded results and their order.
// Not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "record/outcome.h"

namespace polyphon {

struct CellCounts {
  int problems = 0;
  int streams = 0;
  int right = 0;      // streams that were right
  int any_right = 0;  // problems with at least one right stream
  int mixed = 0;      // problems with right and wrong streams: these teach

  void add_problem(int streams, int right);
  double success() const { return streams > 0 ? static_cast<double>(right) / streams : 0; }
};

struct CurriculumOptions {
  double least_success = 0.2;  // below this success of single streams, the difficulty goes down
  double most_success = 0.8;   // above this success, the difficulty goes up
  int look_problems = 8;       // problems of a cell between two adjustments
  // The family rests after so many problems of the lowest difficulty without a success.
  int cold_problems = 16;
};

class Curriculum {
 public:
  explicit Curriculum(const std::vector<std::string>& families,
                      const CurriculumOptions& options = {});

  // The family with the fewest problems handed out, at its current difficulty; none if all families
  // rest.
  std::optional<Cell> next();
  void record(const Cell& cell, int streams, int right);

  const std::map<Cell, CellCounts>& cells() const { return cells_; }
  // Whether the cell had cold_problems problems and no success: self-play cannot learn from it.
  bool is_cold(const Cell& cell) const;

 private:
  struct Dial {
    int difficulty = 1;
    CellCounts seen;  // results since the last adjustment, at this difficulty
    int handed_out = 0;
    bool rests = false;
  };

  CurriculumOptions options_;
  std::map<std::string, Dial> dials_;
  std::map<Cell, CellCounts> cells_;
};

}  // namespace polyphon
