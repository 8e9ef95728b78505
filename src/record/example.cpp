#include "record/example.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace polyphon {
namespace {

using Json = nlohmann::json;

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorCode::kInvalidArgument, why); }

RowRange range_from(const Json& json) {
  if (!json.is_array() || json.size() != 2)
    refuse("a range of rows is " + json.dump() + ", must be [begin, end]");
  return {json[0].get<int>(), json[1].get<int>()};
}

Json to_json(const std::vector<RowRange>& ranges) {
  Json json = Json::array();
  for (const RowRange& range : ranges) json.push_back(Json::array({range.begin, range.end}));
  return json;
}

BroughtRows brought_from(const Json& json, const RowRun& run) {
  if (!json.is_array() || json.size() != 3)
    refuse("rows that a promotion brought are " + json.dump() +
           ", must be [begin, end, promotion]");
  const BroughtRows rows{json[0].get<int>(), json[1].get<int>(), json[2].get<int>()};
  const bool seen = std::any_of(run.sees.begin(), run.sees.end(), [&](const RowRange& range) {
    return range.begin <= rows.begin && rows.begin < rows.end && rows.end <= range.end;
  });
  if (!seen)
    refuse(fmt::format("run [{}, {}) does not see [{}, {}), which a promotion brought", run.begin,
                       run.end, rows.begin, rows.end));
  return rows;
}

ExamplePromotion promotion_from(const Json& json, int rows) {
  ExamplePromotion promotion;
  json.at("features").get_to(promotion.features);
  json.at("state").get_to(promotion.state);
  json.at("effect").get_to(promotion.effect);
  const bool finite = std::all_of(promotion.features.begin(), promotion.features.end(),
                                  [](float feature) { return std::isfinite(feature); });
  if (!finite || !std::isfinite(promotion.effect) || promotion.state < -1 ||
      promotion.state >= rows)
    refuse("a promotion is " + json.dump() + ": its numbers must be finite and its state a row");
  return promotion;
}

RowRun run_from(const Json& json, int begin, int rows) {
  if (!json.is_array() || json.size() < 4 || json.size() > 5 || !json[3].is_array())
    refuse("a run is " + json.dump() + ", must be [begin, end, position, [[first, end], ...]]");
  RowRun run{json[0].get<int>(), json[1].get<int>(), json[2].get<Position>(), {}};
  if (run.begin != begin || run.end <= run.begin || run.end > rows)
    refuse(fmt::format("run [{}, {}) must begin at {}, where the last one ended, and end by {}",
                       run.begin, run.end, begin, rows));
  if (run.position < 0) refuse(fmt::format("a run's position is {}", run.position));
  int last = 0;
  for (const Json& each : json[3]) {
    const RowRange range = range_from(each);
    if (range.begin < last || range.end <= range.begin || range.end > run.begin)
      refuse(fmt::format("run [{}, {}) sees [{}, {}): ranges must rise and lie before the run",
                         run.begin, run.end, range.begin, range.end));
    last = range.end;
    run.sees.push_back(range);
  }
  if (json.size() == 5)
    for (const Json& each : json[4]) run.brought.push_back(brought_from(each, run));
  return run;
}

TargetRange target_from(const Json& json, const Example& example) {
  if (!json.is_array() || json.size() < 3 || json.size() > 4)
    refuse("a target is " + json.dump() +
           ", must be [begin, end, weight] or [begin, end, weight, from]");
  TargetRange range{json[0].get<int>(), json[1].get<int>(), json[2].get<float>(), -1};
  if (json.size() == 4) range.from = json[3].get<int>();
  // The rows of the run in which the range begins; all rows of a plain sequence.
  int begin = 0, end = example.rows();
  for (const RowRun& run : example.runs)
    if (run.begin <= range.begin && range.begin < run.end) {
      begin = run.begin;
      end = run.end;
    }
  const int least = json.size() == 4 ? begin : begin + 1;
  if (range.begin < least || range.begin >= range.end || range.end > end)
    refuse(fmt::format("target [{}, {}) must lie within [{}, {})", range.begin, range.end, least,
                       end));
  if (json.size() == 4 && (range.from < 0 || range.from >= range.begin))
    refuse(fmt::format("target [{}, {}) cannot be predicted from row {}", range.begin, range.end,
                       range.from));
  if (!std::isfinite(range.weight)) refuse("a target's weight is not a number");
  return range;
}

StreamSummaries summaries_from(const Json& json, int rows) {
  StreamSummaries summaries{json.at("weight").get<float>(), {}};
  if (!(std::isfinite(summaries.weight) && summaries.weight >= 0))
    refuse("the summaries' weight is " + json.at("weight").dump());
  for (const Json& stream : json.at("streams")) {
    std::vector<RowRange>& ranges = summaries.streams.emplace_back();
    for (const Json& each : stream) ranges.push_back(range_from(each));
    const bool inside = std::all_of(ranges.begin(), ranges.end(), [&](const RowRange& range) {
      return range.begin >= 0 && range.begin < range.end && range.end <= rows;
    });
    if (ranges.empty() || !inside)
      refuse(fmt::format("a stream's rows are {}, must be non-empty ranges within [0, {})",
                         stream.dump(), rows));
  }
  if (summaries.streams.size() < 2) refuse("summaries must be of two streams or more");
  return summaries;
}

// A plain sequence counts as one run.
std::vector<RowRun> runs_of(const Example& example) {
  if (!example.runs.empty()) return example.runs;
  return {{0, example.rows(), 0, {}}};
}

}  // namespace

bool Example::learns_effects() const {
  return std::any_of(promotions.begin(), promotions.end(),
                     [](const ExamplePromotion& promotion) { return promotion.effect != 0; });
}

int Example::target_tokens() const {
  return std::accumulate(targets.begin(), targets.end(), 0, [](int sum, const TargetRange& range) {
    return sum + range.end - range.begin;
  });
}

Json to_json(const Example& example) {
  Json targets = Json::array();
  for (const TargetRange& range : example.targets) {
    targets.push_back({range.begin, range.end, range.weight});
    if (range.from >= 0) targets.back().push_back(range.from);
  }
  Json json = {{"tokens", example.tokens}, {"targets", std::move(targets)}};
  if (!example.summaries.streams.empty()) {
    Json streams = Json::array();
    for (const auto& rows : example.summaries.streams) streams.push_back(to_json(rows));
    json["summaries"] = {{"weight", example.summaries.weight}, {"streams", std::move(streams)}};
  }
  for (const ExamplePromotion& promotion : example.promotions)
    json["promotions"].push_back({{"features", promotion.features},
                                  {"state", promotion.state},
                                  {"effect", promotion.effect}});
  if (example.runs.empty()) return json;
  Json& runs = json["runs"] = Json::array();
  for (const RowRun& run : example.runs) {
    runs.push_back(Json::array({run.begin, run.end, run.position, to_json(run.sees)}));
    if (run.brought.empty()) continue;
    Json brought = Json::array();
    for (const BroughtRows& rows : run.brought)
      brought.push_back(Json::array({rows.begin, rows.end, rows.promotion}));
    runs.back().push_back(std::move(brought));
  }
  return json;
}

Example example_from_json(const Json& json) {
  Example example;
  json.at("tokens").get_to(example.tokens);
  if (json.contains("runs")) {
    for (const Json& run : json.at("runs"))
      example.runs.push_back(
          run_from(run, example.runs.empty() ? 0 : example.runs.back().end, example.rows()));
    if (example.runs.empty() || example.runs.back().end != example.rows())
      refuse(fmt::format("the runs must cover all {} rows", example.rows()));
  }
  for (const Json& target : json.at("targets"))
    example.targets.push_back(target_from(target, example));
  if (const auto summaries = json.find("summaries"); summaries != json.end())
    example.summaries = summaries_from(*summaries, example.rows());
  if (const auto promotions = json.find("promotions"); promotions != json.end())
    for (const Json& promotion : *promotions)
      example.promotions.push_back(promotion_from(promotion, example.rows()));
  for (const RowRun& run : example.runs)
    for (const BroughtRows& rows : run.brought)
      if (rows.promotion < 0 || rows.promotion >= static_cast<int>(example.promotions.size()))
        refuse(fmt::format("a run names promotion {} of {}", rows.promotion,
                           example.promotions.size()));
  if (example.targets.empty() && !example.learns_effects())
    refuse("there is no target and no effect of a promotion: nothing can be learnt from it");
  return example;
}

bool is_plain(const Example& example) {
  return std::all_of(example.runs.begin(), example.runs.end(), [](const RowRun& run) {
    const bool all = run.begin == 0 || run.sees == std::vector<RowRange>{{0, run.begin}};
    return all && run.brought.empty() && run.position == static_cast<Position>(run.begin);
  });
}

std::vector<Position> positions_of(const Example& example) {
  std::vector<Position> positions;
  for (const RowRun& run : runs_of(example))
    for (int row = run.begin; row < run.end; ++row)
      positions.push_back(run.position + static_cast<Position>(row - run.begin));
  return positions;
}

Visibility visibility_of(const Example& example) {
  Visibility visibility(example.rows());
  for (const RowRun& run : runs_of(example)) {
    IndexSet seen(example.rows());
    for (const RowRange& range : run.sees)
      for (int row = range.begin; row < range.end; ++row) seen.insert(row);
    for (int row = run.begin; row < run.end; ++row) {
      seen.insert(row);
      visibility.set_row(row, seen);
    }
  }
  return visibility;
}

}  // namespace polyphon
