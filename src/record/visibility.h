// Bit sets of tokens (or cells), and the matrix of which token sees which.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace polyphon {

// A set of numbers in [0, capacity).
class IndexSet {
 public:
  explicit IndexSet(int capacity = 0) : words_((static_cast<size_t>(capacity) + 63) / 64) {}

  bool contains(int index) const { return (words_[word(index)] & bit(index)) != 0; }
  void insert(int index) { words_[word(index)] |= bit(index); }
  void erase(int index) { words_[word(index)] &= ~bit(index); }
  int count() const {
    int count = 0;
    for (uint64_t word : words_) count += std::popcount(word);
    return count;
  }
  // Visits the numbers in ascending order. `visit` may erase the number it was given.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (size_t w = 0; w < words_.size(); ++w)
      for (uint64_t rest = words_[w]; rest != 0; rest &= rest - 1)
        visit(static_cast<int>(w * 64) + std::countr_zero(rest));
  }
  bool operator==(const IndexSet&) const = default;

 private:
  static size_t word(int index) { return static_cast<size_t>(index) / 64; }
  static uint64_t bit(int index) { return uint64_t{1} << (index % 64); }

  std::vector<uint64_t> words_;
};

// A square matrix of bits: 8 MB at 8192 tokens.
class Visibility {
 public:
  explicit Visibility(int size = 0) : rows_(static_cast<size_t>(size), IndexSet(size)) {}

  int size() const { return static_cast<int>(rows_.size()); }
  bool sees(int row, int column) const { return rows_[static_cast<size_t>(row)].contains(column); }
  void let_see(int row, int column) { rows_[static_cast<size_t>(row)].insert(column); }
  void set_row(int row, IndexSet seen) { rows_[static_cast<size_t>(row)] = std::move(seen); }
  const IndexSet& row(int row) const { return rows_[static_cast<size_t>(row)]; }

 private:
  std::vector<IndexSet> rows_;
};

}  // namespace polyphon
