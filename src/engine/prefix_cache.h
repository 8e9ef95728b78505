// Prompts that were decoded before, kept as views so that a later prompt with the same beginning
// joins them instead of decoding them again. Least recently used first out; entries are given up
// whenever a session needs their cells or ids. Per tenant: one tenant's text never meets another's.
// Decode thread only.
#pragma once

#include <cstdint>
#include <list>
#include <string>

#include "core/token.h"
#include "engine/kv_cache.h"

namespace polyphon {

class PrefixCache {
 public:
  PrefixCache(KvCache& cache, int max_entries) : cache_(cache), max_entries_(max_entries) {}

  // How many leading tokens of `prompt` an entry of the tenant holds; the entry becomes the most
  // recently used. At most prompt.size() - 1: the last token must be decoded for its logits.
  int find(const std::string& tenant, const Tokens& prompt);

  // Joins the longest prefix into `target`'s empty view; returns its length, as find().
  int join_longest(const std::string& tenant, const Tokens& prompt, SequenceId target);

  // Keeps the cells of `source`'s view at positions [0, tokens.size()), which must be `tokens`.
  // Entries that are a prefix of it go, and the oldest one when there are too many; nothing happens
  // when one already covers it.
  void insert(const std::string& tenant, const Tokens& tokens, SequenceId source);

  // Gives up the least recently used entry. False when there is none.
  bool evict_one();

  int size() const { return static_cast<int>(entries_.size()); }
  // Cells that no view outside the cache holds.
  int cells_held_alone() const;

 private:
  struct Entry {
    std::string tenant;
    Tokens tokens;
    SequenceId sequence;
  };
  using Entries = std::list<Entry>;  // most recently used first

  struct Match {
    Entries::iterator entry;
    int length;
  };
  Match longest(const std::string& tenant, const Tokens& prompt);
  void drop(Entries::iterator entry);

  KvCache& cache_;
  int max_entries_;
  Entries entries_;
};

}  // namespace polyphon
