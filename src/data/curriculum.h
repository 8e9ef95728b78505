// Where self-play's next problem comes from: a dial of difficulty for each family, turned so that
// single streams succeed in 20 to 80 % of attempts, where right and wrong ones say most. Pure
// state, not thread-safe; what it does depends on what is recorded, in that order.
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
  int right = 0;      // of the streams
  int any_right = 0;  // problems that one stream or more had right
  int mixed = 0;      // problems that some streams had right and some wrong: these teach

  void add_problem(int streams, int right);
  double success() const { return streams > 0 ? static_cast<double>(right) / streams : 0; }
};

struct CurriculumOptions {
  double least_success = 0.2;  // of single streams: below it the dial goes down
  double most_success = 0.8;   // above it the dial goes up
  int look_problems = 8;       // of a cell, between two looks at the dial
  int cold_problems = 16;      // without one success at the least difficulty: the family rests
};

class Curriculum {
 public:
  explicit Curriculum(const std::vector<std::string>& families,
                      const CurriculumOptions& options = {});

  // Of the family with the fewest problems handed out; none when all rest.
  std::optional<Cell> next();
  void record(const Cell& cell, int streams, int right);

  const std::map<Cell, CellCounts>& cells() const { return cells_; }
  // Had no success in as many problems as it takes to say so: self-play has nothing to learn from.
  bool is_cold(const Cell& cell) const;

 private:
  struct Dial {
    int difficulty = 1;
    CellCounts seen;  // since the last look, at this difficulty
    int handed_out = 0;
    bool rests = false;
  };

  CurriculumOptions options_;
  std::map<std::string, Dial> dials_;
  std::map<Cell, CellCounts> cells_;
};

}  // namespace polyphon
