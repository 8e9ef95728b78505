#include "record/trace_views.h"

#include <algorithm>
#include <limits>
#include <string>
#include <tuple>
#include <utility>

#include "base/error.h"

namespace polyphon {
namespace {

[[noreturn]] void contradicts(const std::string& why) {
  throw Error(ErrorCode::kInvalidArgument, "the trace contradicts itself: " + why);
}

// By index of each "place" edit: the span that it brought.
std::map<size_t, int> placed_spans(const Trace& trace) {
  std::map<std::tuple<int, Position, Position>, int> by_range;
  for (size_t i = 0; i < trace.spans.size(); ++i) {
    const TraceSpan& span = trace.spans[i];
    if (!span.tokens.empty())
      by_range[{span.sequence, span.begin,
                span.begin + static_cast<Position>(span.tokens.size())}] = static_cast<int>(i);
  }
  std::map<size_t, int> placed;
  for (size_t i = 0; i < trace.edits.size(); ++i) {
    const TraceEdit& edit = trace.edits[i];
    if (edit.kind != EditKind::kPlace) continue;
    const auto span = by_range.find({edit.sequence, edit.begin, edit.end});
    if (span == by_range.end()) contradicts("no span is at the place of edit " + std::to_string(i));
    placed[i] = span->second;
  }
  return placed;
}

}  // namespace

TraceViews::TraceViews(const Trace& trace, Tokens anchor)
    : trace_(trace), anchor_(std::move(anchor)) {
  for (size_t i = 1; i < trace.edits.size(); ++i)
    if (trace.edits[i].step < trace.edits[i - 1].step)
      contradicts("edit " + std::to_string(i) + " is before the one before it");
  number_cells();
}

// Numbers the cells step by step: first the placed cells, in the order of their edits, then the
// decoded ones.
void TraceViews::number_cells() {
  const std::map<size_t, int> placed = placed_spans(trace_);
  std::vector<bool> is_placed(trace_.spans.size());
  for (const auto& [edit, span] : placed) is_placed[static_cast<size_t>(span)] = true;

  std::vector<TraceCell> decoded;
  for (size_t s = 0; s < trace_.spans.size(); ++s) {
    const TraceSpan& span = trace_.spans[s];
    if (span.steps.size() != span.tokens.size())
      contradicts("span " + std::to_string(s) + " has tokens without steps");
    if (is_placed[s]) continue;
    for (size_t i = 0; i < span.tokens.size(); ++i)
      decoded.push_back({static_cast<int>(s), static_cast<int>(i), span.tokens[i],
                         span.begin + static_cast<Position>(i), span.steps[i], span.sequence});
  }
  std::sort(decoded.begin(), decoded.end(), [](const TraceCell& a, const TraceCell& b) {
    return std::tie(a.step, a.sequence, a.position) < std::tie(b.step, b.sequence, b.position);
  });

  auto next_placed = placed.begin();
  const auto add_placed_before = [&](Step step) {
    for (; next_placed != placed.end() && trace_.edits[next_placed->first].step <= step;
         ++next_placed) {
      const TraceEdit& edit = trace_.edits[next_placed->first];
      const TraceSpan& span = trace_.spans[static_cast<size_t>(next_placed->second)];
      const auto begin = static_cast<int>(cells_.size());
      for (size_t i = 0; i < anchor_.size(); ++i)
        cells_.push_back({-1, static_cast<int>(i), anchor_[i],
                          span.begin - static_cast<Position>(anchor_.size() - i), edit.step, -1,
                          true});
      for (size_t i = 0; i < span.tokens.size(); ++i)
        cells_.push_back({next_placed->second, static_cast<int>(i), span.tokens[i],
                          span.begin + static_cast<Position>(i), edit.step, span.sequence, true});
      placed_[next_placed->first] = {edit.step, begin, static_cast<int>(cells_.size())};
    }
  };
  for (size_t i = 0; i < decoded.size();) {
    const Step step = decoded[i].step;
    add_placed_before(step);
    const auto begin = static_cast<int>(cells_.size());
    for (; i < decoded.size() && decoded[i].step == step; ++i) cells_.push_back(decoded[i]);
    decoded_.push_back({step, begin, static_cast<int>(cells_.size())});
  }
  add_placed_before(std::numeric_limits<Step>::max());
}

const IndexSet& TraceViews::view(int sequence) {
  return views_.try_emplace(sequence, static_cast<int>(cells_.size())).first->second;
}

IndexSet TraceViews::up_to(const IndexSet& view, Position position) const {
  IndexSet seen = view;
  view.for_each([&](int cell) {
    if (cells_[static_cast<size_t>(cell)].position > position) seen.erase(cell);
  });
  return seen;
}

void TraceViews::run_through(Step last, const OnCell& on_cell) {
  while (true) {
    const Step edit_step = next_edit_ < trace_.edits.size() ? trace_.edits[next_edit_].step
                                                            : std::numeric_limits<Step>::max();
    const Step run_step =
        next_run_ < decoded_.size() ? decoded_[next_run_].step : std::numeric_limits<Step>::max();
    if (next_edit_ < trace_.edits.size() && edit_step <= run_step && edit_step <= last) {
      apply(trace_.edits[next_edit_], on_cell);
      ++next_edit_;
    } else if (next_run_ < decoded_.size() && run_step <= last) {
      decode(decoded_[next_run_++], on_cell);
    } else {
      return;
    }
  }
}

void TraceViews::run(const OnCell& on_cell) {
  run_through(std::numeric_limits<Step>::max(), on_cell);
}

void TraceViews::apply(const TraceEdit& edit, const OnCell& on_cell) {
  view(edit.sequence);
  IndexSet& target = views_.at(edit.sequence);
  const auto inside = [&](int cell) {
    const Position position = cells_[static_cast<size_t>(cell)].position;
    return position >= edit.begin && position < edit.end;
  };
  switch (edit.kind) {
    case EditKind::kOpen:
      return;
    case EditKind::kClose:
      views_.erase(edit.sequence);
      return;
    case EditKind::kPlace:
      return place(edit, on_cell);
    case EditKind::kDrop:
      return target.for_each([&](int cell) {
        if (inside(cell)) target.erase(cell);
      });
    case EditKind::kJoin: {
      Position& last = last_position_.try_emplace(edit.sequence, -1).first->second;
      view(edit.source).for_each([&](int cell) {
        if (!inside(cell)) return;
        views_.at(edit.sequence).insert(cell);
        last = std::max(last, cells_[static_cast<size_t>(cell)].position);
      });
    }
  }
}

// Placed cells see only the anchor and each other, at whatever positions they are placed.
void TraceViews::place(const TraceEdit& edit, const OnCell& on_cell) {
  const Run& run = placed_.at(next_edit_);
  IndexSet alone(static_cast<int>(cells_.size()));
  for (int cell = run.begin; cell < run.end; ++cell) {
    alone.insert(cell);
    if (on_cell) on_cell(cell, alone);
    if (cells_[static_cast<size_t>(cell)].span >= 0) views_.at(edit.sequence).insert(cell);
  }
  Position& last = last_position_.try_emplace(edit.sequence, -1).first->second;
  last = std::max(last, edit.end - 1);
}

void TraceViews::decode(const Run& run, const OnCell& on_cell) {
  for (int cell = run.begin; cell < run.end; ++cell) {
    const TraceCell& at = cells_[static_cast<size_t>(cell)];
    view(at.sequence);
    IndexSet& view = views_.at(at.sequence);
    view.insert(cell);
    Position& last = last_position_.try_emplace(at.sequence, -1).first->second;
    if (on_cell) on_cell(cell, last > at.position ? up_to(view, at.position) : view);
    last = std::max(last, at.position);
  }
}

}  // namespace polyphon
