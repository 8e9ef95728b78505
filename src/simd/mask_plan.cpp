#include "simd/mask_plan.h"

#include <algorithm>
#include <array>
#include <bit>

#include "simd/mask_bits.h"

namespace polyphon {
namespace {

// Bit j of word i becomes bit i of word j (Hacker's Delight, 7-3).
void transpose_bits(std::array<uint64_t, 64>& words) {
  uint64_t mask = 0x00000000FFFFFFFF;
  for (unsigned width = 32; width != 0; width /= 2, mask ^= mask << width) {
    for (unsigned i = 0; i < 64; i = (i + width + 1) & ~width) {
      const uint64_t swapped = ((words[i] >> width) ^ words[i + width]) & mask;
      words[i] ^= swapped << width;
      words[i + width] ^= swapped;
    }
  }
}

// The distinct sets of rows that some cell has, numbered as they are met.
class ViewerSets {
 public:
  static constexpr uint32_t kNobody = UINT32_MAX;

  struct Set {
    uint64_t rows = 0;
    uint32_t cells = 0;  // how many have it
  };

  uint32_t count(uint64_t rows, uint32_t cells) {
    if (rows == 0) return kNobody;
    if (last_ == kNobody || sets_[last_].rows != rows) last_ = find(rows);
    sets_[last_].cells += cells;
    return last_;
  }
  const std::vector<Set>& sets() const { return sets_; }

 private:
  uint32_t find(uint64_t rows) {
    if (sets_.size() * 2 >= slots_.size()) grow();
    uint32_t& slot = slot_of(rows);
    if (slot == kNobody) {
      slot = static_cast<uint32_t>(sets_.size());
      sets_.push_back({rows, 0});
    }
    return slot;
  }
  uint32_t& slot_of(uint64_t rows) {
    const size_t mask = slots_.size() - 1;
    size_t i = (rows * 0x9E3779B97F4A7C15) >> 40 & mask;
    while (slots_[i] != kNobody && sets_[slots_[i]].rows != rows) i = (i + 1) & mask;
    return slots_[i];
  }
  void grow() {
    slots_.assign(std::max<size_t>(64, slots_.size() * 2), kNobody);
    for (uint32_t i = 0; i < sets_.size(); ++i) slot_of(sets_[i].rows) = i;
  }

  std::vector<Set> sets_;
  std::vector<uint32_t> slots_;
  uint32_t last_ = kNobody;
};

class GroupPlanner {
 public:
  GroupPlanner(MaskPlan& plan, int cells) : plan_(plan), set_of_(static_cast<size_t>(cells)) {}

  // `bits`: of each row of the group, `words` words.
  void add_group(const std::vector<uint64_t>& bits, size_t words, int first_row, int row_count) {
    ViewerSets viewers;
    std::array<uint64_t, 64> block;
    for (size_t w = 0; w < words; ++w) {
      uint64_t all = ~uint64_t{0}, any = 0;
      for (size_t r = 0; r < static_cast<size_t>(row_count); ++r) {
        block[r] = bits[r * words + w];
        all &= block[r];
        any |= block[r];
      }
      const size_t begin = w * 64, end = std::min(begin + 64, set_of_.size());
      if (any == 0 || all == ~uint64_t{0}) {
        const uint64_t everybody = ~uint64_t{0} >> (64 - row_count);
        const uint32_t set = viewers.count(any ? everybody : 0, static_cast<uint32_t>(end - begin));
        std::fill(set_of_.begin() + static_cast<long>(begin),
                  set_of_.begin() + static_cast<long>(end), set);
        continue;
      }
      std::fill(block.begin() + row_count, block.end(), 0);
      transpose_bits(block);
      for (size_t c = begin; c < end; ++c) set_of_[c] = viewers.count(block[c - begin], 1);
    }
    RowGroup group{first_row, row_count, static_cast<uint32_t>(plan_.units.size()), 0};
    row_count_ = static_cast<uint32_t>(row_count);
    add_units(viewers.sets());
    group.unit_count = static_cast<uint32_t>(plan_.units.size()) - group.first_unit;
    plan_.groups.push_back(group);
  }

 private:
  // In a partial unit a cell is computed for rows that do not see it too.
  bool is_dense(const ViewerSets::Set& set) const {
    const uint32_t blind = row_count_ - static_cast<uint32_t>(std::popcount(set.rows));
    return set.cells >= kFewestDenseCells || set.cells * blind >= kMostWastedProducts;
  }

  // Sorts the cells by their set, and those of small sets into one last stretch.
  void add_units(const std::vector<ViewerSets::Set>& sets) {
    const size_t first = plan_.cells.size();
    std::vector<size_t> next(sets.size());
    size_t end = first;
    for (size_t i = 0; i < sets.size(); ++i) {
      if (!is_dense(sets[i])) continue;
      next[i] = end;
      add_dense(end, sets[i]);
      end += sets[i].cells;
    }
    const size_t rest = end;
    for (const ViewerSets::Set& set : sets)
      if (!is_dense(set)) end += set.cells;
    plan_.cells.resize(end);
    plan_.seen.resize(end);
    size_t next_rest = rest;
    for (size_t c = 0; c < set_of_.size(); ++c) {
      const uint32_t i = set_of_[c];
      if (i == ViewerSets::kNobody) continue;
      size_t& at = is_dense(sets[i]) ? next[i] : next_rest;
      plan_.cells[at] = static_cast<uint32_t>(c);
      plan_.seen[at] = sets[i].rows;
      ++at;
    }
    add_partial(rest, end);
  }

  void add_dense(size_t begin, const ViewerSets::Set& set) {
    const uint32_t rows = add_rows(set.rows);
    for (uint32_t done = 0; done < set.cells; done += kUnitCells)
      plan_.units.push_back({static_cast<uint32_t>(begin) + done,
                             std::min<uint32_t>(kUnitCells, set.cells - done), rows,
                             static_cast<uint32_t>(std::popcount(set.rows)), false});
  }

  void add_partial(size_t begin, size_t end) {
    for (size_t at = begin; at < end; at += kUnitCells) {
      const size_t stop = std::min(end, at + kUnitCells);
      uint64_t any = 0, all = ~uint64_t{0};
      for (size_t i = at; i < stop; ++i) any |= plan_.seen[i], all &= plan_.seen[i];
      plan_.units.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(stop - at),
                             add_rows(any), static_cast<uint32_t>(std::popcount(any)), any != all});
    }
  }

  uint32_t add_rows(uint64_t set) {
    const auto first = static_cast<uint32_t>(plan_.rows.size());
    for (; set != 0; set &= set - 1)
      plan_.rows.push_back(static_cast<uint8_t>(std::countr_zero(set)));
    return first;
  }

  MaskPlan& plan_;
  uint32_t row_count_ = 0;        // of the group
  std::vector<uint32_t> set_of_;  // by cell
};

}  // namespace

MaskPlan plan_mask(const uint16_t* mask, size_t row_stride, int rows, int cells, int group_rows) {
  MaskPlan plan;
  const size_t words = (static_cast<size_t>(cells) + 63) / 64;
  std::vector<uint64_t> bits;
  GroupPlanner planner(plan, cells);
  for (int first = 0; first < rows; first += group_rows) {
    const int count = std::min(group_rows, rows - first);
    bits.assign(words * static_cast<size_t>(count), mask ? 0 : ~uint64_t{0});
    for (int r = 0; mask && r < count; ++r)
      plan.biased |= mask_bits(mask + static_cast<size_t>(first + r) * row_stride,
                               static_cast<size_t>(cells), &bits[static_cast<size_t>(r) * words]);
    planner.add_group(bits, words, first, count);
  }
  return plan;
}

}  // namespace polyphon
