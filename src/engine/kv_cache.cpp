#include "engine/kv_cache.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace polyphon {

KvCache::KvCache(Decoder& decoder) : decoder_(decoder), ledger_(decoder.capacity_cells()) {
  const int ids = std::min(decoder.max_sequences(), CellLedger::kMaxSequences);
  for (SequenceId id = ids - 1; id >= 0; --id) free_ids_.push_back(id);
}

std::optional<SequenceId> KvCache::acquire() {
  if (free_ids_.empty()) return std::nullopt;
  const SequenceId id = free_ids_.back();
  free_ids_.pop_back();
  return id;
}

int KvCache::release(SequenceId sequence) {
  const int used = ledger_.used();
  decoder_.clear(sequence);
  ledger_.drop(sequence, 0, std::numeric_limits<Position>::max());
  free_ids_.push_back(sequence);
  return used - ledger_.used();
}

int KvCache::join(SequenceId source, SequenceId target, Position begin, Position end) {
  decoder_.join(source, target, begin, end);
  const int joined = ledger_.join(source, target, begin, end);
  POLYPHON_DCHECK(ledger_.last_position(target) == decoder_.last_position(target));
  return joined;
}

int KvCache::drop(SequenceId sequence, Position begin, Position end) {
  const int used = ledger_.used();
  decoder_.drop(sequence, begin, end);
  ledger_.drop(sequence, begin, end);
  POLYPHON_DCHECK(ledger_.last_position(sequence) == decoder_.last_position(sequence));
  return used - ledger_.used();
}

Position KvCache::last_position(SequenceId sequence) const {
  return ledger_.last_position(sequence);
}

SavedCells KvCache::save(SequenceId sequence) {
  std::vector<std::pair<Position, Token>> held;
  for (const CellLedger::Cell& cell : ledger_.cells())
    if (cell.views.test(static_cast<size_t>(sequence)))
      held.emplace_back(cell.position, cell.token);
  std::sort(held.begin(), held.end());
  SavedCells saved;
  if (held.empty()) return saved;
  saved.begin = held.front().first;
  for (const auto& [position, token] : held) {
    POLYPHON_CHECK(position == saved.begin + static_cast<Position>(saved.tokens.size()));
    saved.tokens.push_back(token);
  }
  saved.bytes = decoder_.save(sequence);
  return saved;
}

bool KvCache::restore(SequenceId target, const SavedCells& cells, Position begin) {
  if (static_cast<int>(cells.tokens.size()) > ledger_.free()) return false;
  const auto alone = acquire();
  if (!alone) return false;
  const bool restored = decoder_.restore(*alone, cells, begin);
  if (restored) {
    Position position = begin;
    for (Token token : cells.tokens) POLYPHON_CHECK(ledger_.add(*alone, position++, token));
    join(*alone, target, begin, position);
  }
  release(*alone);
  return restored;
}

DecodeStatus KvCache::decode(std::span<const Row> rows, bool want_hidden) {
  if (static_cast<int>(rows.size()) > ledger_.free()) return DecodeStatus::kNoSpace;
  const DecodeStatus status = decoder_.decode(rows, want_hidden);
  if (status != DecodeStatus::kOk) return status;
  for (const Row& row : rows) POLYPHON_CHECK(ledger_.add(row.sequence, row.position, row.token));
  POLYPHON_DCHECK(rows.empty() || ledger_.last_position(rows.back().sequence) ==
                                      decoder_.last_position(rows.back().sequence));
  return status;
}

}  // namespace polyphon
