#include "engine/prefix_cache.h"

#include <algorithm>
#include <bitset>
#include <iterator>

namespace polyphon {
namespace {

int common_prefix(const Tokens& a, const Tokens& b) {
  return static_cast<int>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

}  // namespace

PrefixCache::Match PrefixCache::longest(const std::string& tenant, const Tokens& prompt) {
  Match best{entries_.end(), 0};
  const int most = static_cast<int>(prompt.size()) - 1;
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->tenant != tenant) continue;
    const int length = std::min(most, common_prefix(entry->tokens, prompt));
    if (length > best.length) best = {entry, length};
  }
  if (best.length > 0) entries_.splice(entries_.begin(), entries_, best.entry);
  return best;
}

int PrefixCache::find(const std::string& tenant, const Tokens& prompt) {
  return longest(tenant, prompt).length;
}

int PrefixCache::join_longest(const std::string& tenant, const Tokens& prompt, SequenceId target) {
  const Match match = longest(tenant, prompt);
  if (match.length > 0) cache_.join(match.entry->sequence, target, 0, match.length);
  return match.length;
}

void PrefixCache::insert(const std::string& tenant, const Tokens& tokens, SequenceId source) {
  if (max_entries_ == 0 || tokens.empty()) return;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto next = std::next(entry);
    if (entry->tenant == tenant) {
      const int common = common_prefix(entry->tokens, tokens);
      if (common == static_cast<int>(tokens.size())) {
        entries_.splice(entries_.begin(), entries_, entry);
        return;
      }
      if (common == static_cast<int>(entry->tokens.size())) drop(entry);
    }
    entry = next;
  }
  if (size() >= max_entries_) evict_one();
  const auto id = cache_.acquire();
  if (!id) return;
  cache_.join(source, *id, 0, static_cast<Position>(tokens.size()));
  entries_.push_front({tenant, tokens, *id});
}

bool PrefixCache::evict_one() {
  if (entries_.empty()) return false;
  drop(std::prev(entries_.end()));
  return true;
}

void PrefixCache::drop(Entries::iterator entry) {
  cache_.release(entry->sequence);
  entries_.erase(entry);
}

int PrefixCache::cells_held_alone() const {
  std::bitset<CellLedger::kMaxSequences> mine;
  for (const Entry& entry : entries_) mine.set(static_cast<size_t>(entry.sequence));
  const auto& cells = cache_.ledger().cells();
  return static_cast<int>(
      std::count_if(cells.begin(), cells.end(), [&](const CellLedger::Cell& cell) {
        return cell.views.any() && (cell.views & ~mine).none();
      }));
}

}  // namespace polyphon
