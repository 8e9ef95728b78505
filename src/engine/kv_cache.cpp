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

void KvCache::release(SequenceId sequence) {
  decoder_.clear(sequence);
  ledger_.drop(sequence, 0, std::numeric_limits<Position>::max());
  free_ids_.push_back(sequence);
}

int KvCache::join(SequenceId source, SequenceId target, Position begin, Position end) {
  decoder_.join(source, target, begin, end);
  const int joined = ledger_.join(source, target, begin, end);
  POLYPHON_DCHECK(ledger_.last_position(target) == decoder_.last_position(target));
  return joined;
}

void KvCache::drop(SequenceId sequence, Position begin, Position end) {
  decoder_.drop(sequence, begin, end);
  ledger_.drop(sequence, begin, end);
  POLYPHON_DCHECK(ledger_.last_position(sequence) == decoder_.last_position(sequence));
}

Position KvCache::last_position(SequenceId sequence) const {
  return ledger_.last_position(sequence);
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
