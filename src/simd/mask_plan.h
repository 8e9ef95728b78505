// What a step's mask says, turned round: not which cells a row sees, but which rows see a cell.
// Cells that the same rows see are gathered into units, wherever in the cache they lie, so that a
// unit is one dense matrix product; a cell that no row sees is in no unit. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace polyphon {

// Up to kUnitCells cells and the rows that see them.
struct AttentionUnit {
  uint32_t first_cell = 0;  // into MaskPlan::cells
  uint32_t cell_count = 0;
  uint32_t first_row = 0;  // into MaskPlan::rows; equal for units of the same rows
  uint32_t row_count = 0;
  bool partial = false;  // not every row sees every cell: MaskPlan::seen decides
};

// Rows that are attended together, at most 64. Their units are MaskPlan::units[first_unit ...].
struct RowGroup {
  int first_row = 0;
  int row_count = 0;
  uint32_t first_unit = 0;
  uint32_t unit_count = 0;
};

struct MaskPlan {
  std::vector<RowGroup> groups;
  std::vector<AttentionUnit> units;
  std::vector<uint32_t> cells;  // indices into the cache
  std::vector<uint64_t> seen;   // parallel to cells: bit i, whether the group's row i sees it
  std::vector<uint8_t> rows;    // within the group
  bool biased = false;          // the mask has finite values beside 0
};

inline constexpr int kMostGroupRows = 64;
inline constexpr int kUnitCells = 64;
// Cells with the same viewers go into units of their own from this number on, or where partial
// units would multiply them with this many rows that do not see them.
inline constexpr uint32_t kFewestDenseCells = 16;
inline constexpr uint32_t kMostWastedProducts = 48;

// `mask` as AttentionOp::mask; `group_rows` 1..kMostGroupRows.
MaskPlan plan_mask(const uint16_t* mask, size_t row_stride, int rows, int cells, int group_rows);

}  // namespace polyphon
