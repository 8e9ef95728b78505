#include "record/trace_example.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "base/check.h"
#include "record/trace_layout.h"

namespace polyphon {
namespace {

// Visibility with none of the promotions, with the first one, with the first two, and so on; the
// last is the session's own. A row that is seen in one of them and not in the one before is seen
// because of that promotion, even if other edits passed it on.
std::vector<Visibility> visibilities(const Trace& trace, const Tokens& anchor, Visibility own,
                                     const std::vector<TracePromotion>& promotions) {
  std::vector<Visibility> all(promotions.size());
  all.push_back(std::move(own));
  if (promotions.empty()) return all;
  std::vector<bool> left_out(trace.edits.size());
  Trace part;
  part.spans = trace.spans;
  for (size_t i = promotions.size(); i-- > 0;) {
    for (const size_t edit : promotions[i].edits) left_out[edit] = true;
    part.edits.clear();
    for (size_t edit = 0; edit < trace.edits.size(); ++edit)
      if (!left_out[edit]) part.edits.push_back(trace.edits[edit]);
    all[i] = lay_out(part, anchor).visibility;
  }
  return all;
}

// Consecutive rows of one sequence whose view changed only by these rows themselves.
struct OpenRun {
  std::vector<int> rows;  // rows of the TraceLayout
  // [visibilities]: the rows that the next row sees if the view does not change.
  std::vector<IndexSet> next;
};

// A run stands where its first row was decoded, and sees only rows that existed before. So every
// run sees only rows of earlier runs.
std::vector<OpenRun> runs_of(const TraceLayout& layout, const Trace& trace,
                             const std::vector<Visibility>& visibilities) {
  std::vector<OpenRun> runs;
  std::map<int, size_t> last;  // by sequence: index in runs
  for (int row = 0; row < layout.rows(); ++row) {
    const int span = layout.spans[static_cast<size_t>(row)];
    const int sequence = span < 0 ? -1 : trace.spans[static_cast<size_t>(span)].sequence;
    std::vector<IndexSet> seen;
    for (const Visibility& visibility : visibilities) seen.push_back(visibility.row(row));
    const Position position = layout.positions[static_cast<size_t>(row)];
    const auto found = last.find(sequence);
    OpenRun* run = found == last.end() ? nullptr : &runs[found->second];
    if (run) {
      for (IndexSet& next : run->next) next.insert(row);
      const auto before = static_cast<size_t>(run->rows.back());
      if (run->next != seen || layout.positions[before] + 1 != position) run = nullptr;
    }
    if (!run) {
      last[sequence] = runs.size();
      run = &runs.emplace_back(OpenRun{{}, std::move(seen)});
    }
    run->rows.push_back(row);
  }
  return runs;
}

// Rows come in ascending order, promotion by promotion.
void add_row(std::vector<BroughtRows>& brought, int row, int promotion) {
  if (!brought.empty() && brought.back().end == row && brought.back().promotion == promotion)
    ++brought.back().end;
  else
    brought.push_back({row, row + 1, promotion});
}

void add_range(std::vector<RowRange>& ranges, const RowRange& range) {
  if (!ranges.empty() && ranges.back().end == range.begin)
    ranges.back().end = range.end;
  else
    ranges.push_back(range);
}

// Extends the last target if the range continues it.
void add_target(Example& example, TargetRange range) {
  const auto begins = [&](const RowRun& run) { return run.begin == range.begin; };
  if (range.from == range.begin - 1 &&
      std::none_of(example.runs.begin(), example.runs.end(), begins))
    range.from = -1;
  TargetRange* const last = example.targets.empty() ? nullptr : &example.targets.back();
  if (last && range.from < 0 && last->end == range.begin && last->weight == range.weight)
    last->end = range.end;
  else
    example.targets.push_back(range);
}

}  // namespace

TraceExample::TraceExample(const Trace& trace, const Tokens& anchor,
                           const std::vector<TracePromotion>& promotions) {
  TraceLayout layout = lay_out(trace, anchor);
  const std::vector<Visibility> seen_with =
      visibilities(trace, anchor, std::move(layout.visibility), promotions);
  // [rows of the layout]: the row in the example.
  std::vector<int> place(static_cast<size_t>(layout.rows()));
  const std::vector<OpenRun> runs = runs_of(layout, trace, seen_with);
  for (const OpenRun& run : runs) {
    const auto first = static_cast<size_t>(run.rows.front());
    const int begin = all_.rows();
    all_.runs.push_back(
        {begin, begin + static_cast<int>(run.rows.size()), layout.positions[first], {}});
    for (const int row : run.rows) {
      place[static_cast<size_t>(row)] = all_.rows();
      all_.tokens.push_back(layout.tokens[static_cast<size_t>(row)]);
    }
    const auto placed = [&](const IndexSet& rows) {
      IndexSet there(layout.rows());
      rows.for_each([&](int row) { there.insert(place[static_cast<size_t>(row)]); });
      return there;
    };
    const int own = run.rows.front();
    IndexSet seen = placed(seen_with.back().row(own));
    seen.erase(begin);
    seen.for_each([&](int row) { add_range(all_.runs.back().sees, {row, row + 1}); });
    for (size_t i = 0; i < promotions.size(); ++i) {
      const IndexSet before = placed(seen_with[i].row(own));
      placed(seen_with[i + 1].row(own)).for_each([&](int row) {
        if (!before.contains(row)) add_row(all_.runs.back().brought, row, static_cast<int>(i));
      });
    }
  }
  for (const TracePromotion& promotion : promotions) {
    const int row = state_row(trace, layout, promotion.last_token.span, promotion.last_token.index);
    all_.promotions.push_back(
        {promotion.features, row < 0 ? -1 : place[static_cast<size_t>(row)], 0});
  }
  row_of_ = layout.row_of;
  for (std::vector<int>& rows : row_of_)
    for (int& row : rows) row = place[static_cast<size_t>(row)];
  for (size_t span = 0; span < trace.spans.size(); ++span) {
    std::vector<int>& from = predicted_from_.emplace_back();
    for (size_t i = 0; i < layout.row_of[span].size(); ++i) {
      const auto row = static_cast<size_t>(layout.row_of[span][i]);
      const bool sampled = !std::isnan(trace.spans[span].logprobs[i]);
      const int predictor = sampled ? layout.predictors[row] : -1;
      from.push_back(predictor < 0 ? -1 : place[static_cast<size_t>(predictor)]);
    }
  }
}

const RowRun& TraceExample::run_of(int row) const {
  return *std::find_if(all_.runs.begin(), all_.runs.end(),
                       [&](const RowRun& run) { return row < run.end; });
}

void TraceExample::learn(int span, float weight) {
  const std::vector<int>& rows = row_of_[static_cast<size_t>(span)];
  for (size_t i = 0; i < rows.size(); ++i) {
    const int row = rows[i], from = predicted_from_[static_cast<size_t>(span)][i];
    if (from >= 0) all_.targets.push_back({row, row + 1, weight, from});
  }
}

void TraceExample::learn_after(int span, const Tokens& tokens, float weight) {
  POLYPHON_CHECK(!row_of_[static_cast<size_t>(span)].empty());
  const int last = row_of_[static_cast<size_t>(span)].back(), begin = all_.rows();
  const RowRun& before = run_of(last);
  RowRun run{begin, begin + static_cast<int>(tokens.size()),
             before.position + static_cast<Position>(last + 1 - before.begin), before.sees,
             before.brought};
  run.sees.push_back({before.begin, last + 1});
  all_.tokens.insert(all_.tokens.end(), tokens.begin(), tokens.end());
  all_.targets.push_back({run.begin, run.end, weight, last});
  all_.runs.push_back(std::move(run));
}

std::vector<int> TraceExample::sampled_rows(int span) const {
  std::vector<int> rows;
  const auto s = static_cast<size_t>(span);
  for (size_t i = 0; i < row_of_[s].size(); ++i)
    if (predicted_from_[s][i] >= 0) rows.push_back(row_of_[s][i]);
  return rows;
}

void TraceExample::learn_effect(int promotion, float effect) {
  all_.promotions[static_cast<size_t>(promotion)].effect = effect;
}

void TraceExample::hold_apart(const std::vector<std::vector<int>>& streams, float weight) {
  StreamSummaries summaries{weight, {}};
  for (const std::vector<int>& spans : streams) {
    std::vector<RowRange> ranges;
    for (const int span : spans)
      for (const int row : sampled_rows(span)) add_range(ranges, {row, row + 1});
    if (!ranges.empty()) summaries.streams.push_back(std::move(ranges));
  }
  if (summaries.streams.size() > 1) all_.summaries = std::move(summaries);
}

// A needed run makes the runs that it sees needed too. Those runs come earlier, so one backward
// pass is enough.
std::vector<bool> TraceExample::needed_runs() const {
  std::vector<bool> needed(all_.runs.size());
  const auto need = [&](int begin, int end) {
    for (size_t i = 0; i < all_.runs.size(); ++i)
      if (all_.runs[i].begin < end && begin < all_.runs[i].end) needed[i] = true;
  };
  for (const TargetRange& range : all_.targets) {
    need(range.begin, range.end);
    need(range.from, range.from + 1);
  }
  for (const auto& stream : all_.summaries.streams)
    for (const RowRange& range : stream) need(range.begin, range.end);
  const auto need_state = [&](const ExamplePromotion& promotion) {
    if (promotion.state >= 0) need(promotion.state, promotion.state + 1);
  };
  for (const ExamplePromotion& promotion : all_.promotions)
    if (promotion.effect != 0) need_state(promotion);
  for (size_t i = needed.size(); i-- > 0;) {
    if (!needed[i]) continue;
    for (const RowRange& range : all_.runs[i].sees) need(range.begin, range.end);
    for (const BroughtRows& rows : all_.runs[i].brought)
      need_state(all_.promotions[static_cast<size_t>(rows.promotion)]);
  }
  return needed;
}

// Keeps promotions that rows see or whose effect is learnt, and renumbers them.
void TraceExample::keep_promotions(Example& example, const std::vector<int>& place) const {
  std::vector<bool> kept;
  for (const ExamplePromotion& promotion : all_.promotions) kept.push_back(promotion.effect != 0);
  for (const RowRun& run : example.runs)
    for (const BroughtRows& rows : run.brought) kept[static_cast<size_t>(rows.promotion)] = true;
  std::vector<int> number;
  for (size_t i = 0; i < kept.size(); ++i) {
    number.push_back(static_cast<int>(example.promotions.size()));
    if (!kept[i]) continue;
    ExamplePromotion& promotion = example.promotions.emplace_back(all_.promotions[i]);
    if (promotion.state >= 0) promotion.state = place[static_cast<size_t>(promotion.state)];
  }
  for (RowRun& run : example.runs)
    for (BroughtRows& rows : run.brought)
      rows.promotion = number[static_cast<size_t>(rows.promotion)];
}

Example TraceExample::example() const {
  const std::vector<bool> needed = needed_runs();
  Example example;
  std::vector<int> place(static_cast<size_t>(all_.rows()), -1);
  const auto placed = [&](const RowRange& range) {  // the new place of kept rows
    return RowRange{place[static_cast<size_t>(range.begin)],
                    place[static_cast<size_t>(range.end - 1)] + 1};
  };
  for (size_t i = 0; i < needed.size(); ++i) {
    if (!needed[i]) continue;
    const RowRun& run = all_.runs[i];
    RowRun kept{example.rows(), example.rows() + run.end - run.begin, run.position, {}};
    for (int row = run.begin; row < run.end; ++row) {
      place[static_cast<size_t>(row)] = example.rows();
      example.tokens.push_back(all_.tokens[static_cast<size_t>(row)]);
    }
    for (const RowRange& range : run.sees) add_range(kept.sees, placed(range));
    for (const BroughtRows& rows : run.brought) {
      const RowRange there = placed({rows.begin, rows.end});
      kept.brought.push_back({there.begin, there.end, rows.promotion});
    }
    example.runs.push_back(std::move(kept));
  }
  if (is_plain(example)) example.runs.clear();
  for (const TargetRange& range : all_.targets) {
    const RowRange rows = placed({range.begin, range.end});
    add_target(example,
               {rows.begin, rows.end, range.weight, place[static_cast<size_t>(range.from)]});
  }
  keep_promotions(example, place);
  example.summaries.weight = all_.summaries.weight;
  for (const auto& stream : all_.summaries.streams) {
    std::vector<RowRange>& ranges = example.summaries.streams.emplace_back();
    for (const RowRange& range : stream) add_range(ranges, placed(range));
  }
  return example;
}

}  // namespace polyphon
