#include "selfplay/selfplay_report.h"

namespace polyphon {
namespace {

Json to_json(const std::map<Cell, CellCounts>& cells) {
  Json json = Json::array();
  for (const auto& [cell, counts] : cells)
    json.push_back({{"family", cell.family},
                    {"difficulty", cell.difficulty},
                    {"problems", counts.problems},
                    {"streams", counts.streams},
                    {"success", counts.success()},
                    {"any_right", counts.any_right},
                    {"mixed", counts.mixed}});
  return json;
}

}  // namespace

Json to_json(const SelfPlayReport& report) {
  Json cold = Json::array();
  for (const Cell& cell : report.cold)
    cold.push_back({{"family", cell.family}, {"difficulty", cell.difficulty}});
  return {{"problems", report.problems},
          {"resumed", report.resumed},
          {"promotions", report.promotions},
          {"counterfactuals", report.counterfactuals},
          {"searches", report.searches},
          {"labelled_states", report.labelled_states},
          {"answers", report.answers},
          {"held_out_skipped", report.held_out_skipped},
          {"damaged", report.found.damaged},
          {"dropped", report.dropped},
          {"cells", to_json(report.cells)},
          {"proposed", to_json(report.proposed)},
          {"proposals", to_json(report.proposals)},
          {"cold", std::move(cold)}};
}

}  // namespace polyphon
