#include "head_trainer/read_report.h"

#include <functional>

#include "tasks/classification.h"

namespace polyphon {
namespace {

using Figure = std::function<double(const ReadArm&, const RankedLook&)>;

double is_first(const ReadArm&, const RankedLook& look) { return look.first; }
double reciprocal_rank(const ReadArm&, const RankedLook& look) { return 1 / (1 + look.above); }
double is_brought(const ReadArm& arm, const RankedLook& look) {
  return look.best_score > arm.threshold ? 1 : 0;
}
double is_found(const ReadArm& arm, const RankedLook& look) {
  return look.first * is_brought(arm, look);
}

// The mean of `figure` over looks that want a node, or over those that do not; less that of
// `other`, if there is one.
Json mean_of(const ReadArm& arm, const ReadArm* other, bool wants, const Figure& figure) {
  std::vector<int> sessions;
  std::vector<double> values;
  for (size_t i = 0; i < arm.looks.size(); ++i) {
    if (arm.looks[i].wants != wants) continue;
    sessions.push_back(arm.looks[i].session);
    values.push_back(figure(arm, arm.looks[i]) - (other ? figure(*other, other->looks[i]) : 0));
  }
  return to_json(bootstrap_groups(sessions, [&](std::span<const size_t> rows) {
    double sum = 0;
    for (const size_t row : rows) sum += values[row];
    return rows.empty() ? 0 : sum / static_cast<double>(rows.size());
  }));
}

}  // namespace

std::vector<Json> report_read(const std::vector<ReadArm>& arms) {
  std::vector<Json> lines;
  for (const ReadArm& arm : arms) {
    Json line = {{"head", "read"},
                 {"arm", arm.name},
                 {"loss", arm.loss},
                 {"recall_at_1", mean_of(arm, nullptr, true, is_first)},
                 {"mrr", mean_of(arm, nullptr, true, reciprocal_rank)},
                 {"found", mean_of(arm, nullptr, true, is_found)},
                 {"in_vain", mean_of(arm, nullptr, false, is_brought)}};
    if (&arm != &arms.front())
      line["recall_at_1_gain"] = mean_of(arms.front(), &arm, true, is_first);
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace polyphon
