#include "data/curriculum.h"

#include "tasks/problem.h"

namespace polyphon {
void CellCounts::add_problem(int of_streams, int of_right) {
  ++problems;
  streams += of_streams;
  right += of_right;
  any_right += of_right > 0 ? 1 : 0;
  mixed += of_right > 0 && of_right < of_streams ? 1 : 0;
}

Curriculum::Curriculum(const std::vector<std::string>& families, const CurriculumOptions& options)
    : options_(options) {
  for (const std::string& family : families) dials_[family];
}

std::optional<Cell> Curriculum::next() {
  Dial* least = nullptr;
  Cell cell;
  for (auto& [family, dial] : dials_) {
    if (dial.rests || (least && dial.handed_out >= least->handed_out)) continue;
    least = &dial;
    cell = {family, dial.difficulty};
  }
  if (!least) return std::nullopt;
  ++least->handed_out;
  return cell;
}

void Curriculum::record(const Cell& cell, int streams, int right) {
  cells_[cell].add_problem(streams, right);
  Dial& dial = dials_[cell.family];
  if (cell.difficulty != dial.difficulty) return;  // handed out before the difficulty changed
  dial.seen.add_problem(streams, right);
  if (dial.seen.problems < options_.look_problems) return;
  const double success = dial.seen.success();
  dial.seen = {};
  if (success > options_.most_success && dial.difficulty < Problem::kMaxDifficulty)
    ++dial.difficulty;
  else if (success < options_.least_success && dial.difficulty > 1)
    --dial.difficulty;
  dial.rests = dial.difficulty == 1 && is_cold({cell.family, 1});
}

bool Curriculum::is_cold(const Cell& cell) const {
  const auto found = cells_.find(cell);
  return found != cells_.end() && found->second.right == 0 &&
         found->second.problems >= options_.cold_problems;
}

}  // namespace polyphon
