#include "model/cell_ledger.h"

#include <algorithm>

#include "base/check.h"

namespace polyphon {

CellLedger::CellLedger(int capacity_cells) : cells_(static_cast<size_t>(capacity_cells)) {}

bool CellLedger::add(SequenceId sequence, Position position, Token token) {
  POLYPHON_DCHECK(position > last_position(sequence));
  while (next_free_ < capacity() && cells_[next_free_].views.any()) ++next_free_;
  if (next_free_ == capacity()) return false;
  Cell& cell = cells_[next_free_++];
  cell.position = position;
  cell.token = token;
  cell.views.set(static_cast<size_t>(sequence));
  ++used_;
  return true;
}

int CellLedger::join(SequenceId source, SequenceId target, Position begin, Position end) {
  int joined = 0;
  for (Cell& cell : cells_) {
    if (!cell.views.test(static_cast<size_t>(source))) continue;
    if (cell.position < begin || cell.position >= end) continue;
    joined += !cell.views.test(static_cast<size_t>(target));
    cell.views.set(static_cast<size_t>(target));
  }
  return joined;
}

int CellLedger::drop(SequenceId sequence, Position begin, Position end) {
  int dropped = 0;
  for (size_t i = 0; i < cells_.size(); ++i) {
    Cell& cell = cells_[i];
    if (!cell.views.test(static_cast<size_t>(sequence))) continue;
    if (cell.position < begin || cell.position >= end) continue;
    cell.views.reset(static_cast<size_t>(sequence));
    ++dropped;
    if (cell.views.any()) continue;
    cell.position = -1;
    --used_;
    next_free_ = std::min(next_free_, static_cast<int>(i));
  }
  return dropped;
}

Position CellLedger::last_position(SequenceId sequence) const {
  Position last = -1;
  for (const Cell& cell : cells_)
    if (cell.views.test(static_cast<size_t>(sequence))) last = std::max(last, cell.position);
  return last;
}

int CellLedger::cells_in_view(SequenceId sequence) const {
  return static_cast<int>(std::count_if(cells_.begin(), cells_.end(), [&](const Cell& cell) {
    return cell.views.test(static_cast<size_t>(sequence));
  }));
}

}  // namespace polyphon
