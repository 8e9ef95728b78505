#include "model/cell_ledger.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/random.h"

namespace polyphon {
namespace {

TEST(CellLedger, AJoinedCellLivesUntilTheLastViewDropsIt) {
  CellLedger ledger(4);
  ASSERT_TRUE(ledger.add(0, 0, 7));
  EXPECT_EQ(ledger.join(0, 1, 0, 1), 1);
  EXPECT_EQ(ledger.used(), 1);
  EXPECT_EQ(ledger.drop(0, 0, 1), 1);
  EXPECT_EQ(ledger.used(), 1);
  EXPECT_EQ(ledger.last_position(1), 0);
  ledger.drop(1, 0, 1);
  EXPECT_EQ(ledger.used(), 0);
}

TEST(CellLedger, RefusesWhenFull) {
  CellLedger ledger(2);
  EXPECT_TRUE(ledger.add(0, 0, 1));
  EXPECT_TRUE(ledger.add(0, 1, 1));
  EXPECT_FALSE(ledger.add(0, 2, 1));
  ledger.drop(0, 1, 2);
  EXPECT_TRUE(ledger.add(0, 1, 1));
}

// Random edits against the plainest model there is: a set of (cell, view) pairs.
TEST(CellLedger, AgreesWithAPlainModel) {
  constexpr int kViews = 6;
  Random random(11);
  CellLedger ledger(64);
  std::map<int, std::set<int>> views_of;  // cell number -> views
  std::map<int, Position> position_of;
  int next_cell = 0;
  const auto last = [&](int view) {
    Position position = -1;
    for (const auto& [cell, views] : views_of)
      if (views.contains(view)) position = std::max(position, position_of[cell]);
    return position;
  };
  for (int i = 0; i < 4000; ++i) {
    const int a = static_cast<int>(random.next() % kViews),
              b = static_cast<int>(random.next() % kViews);
    const auto begin = static_cast<Position>(random.next() % 40);
    const Position end = begin + static_cast<Position>(random.next() % 40);
    switch (random.next() % 3) {
      case 0: {
        const Position position = last(a) + 1;
        const bool added = ledger.add(a, position, 1);
        ASSERT_EQ(added, views_of.size() < 64u);
        if (!added) break;
        views_of[next_cell] = {a};
        position_of[next_cell++] = position;
        break;
      }
      case 1:
        ledger.join(a, b, begin, end);
        for (auto& [cell, views] : views_of)
          if (views.contains(a) && position_of[cell] >= begin && position_of[cell] < end)
            views.insert(b);
        break;
      default:
        ledger.drop(a, begin, end);
        for (auto& [cell, views] : views_of)
          if (position_of[cell] >= begin && position_of[cell] < end) views.erase(a);
        std::erase_if(views_of, [](const auto& entry) { return entry.second.empty(); });
    }
    ASSERT_EQ(ledger.used(), static_cast<int>(views_of.size()));
    for (int view = 0; view < kViews; ++view) {
      ASSERT_EQ(ledger.last_position(view), last(view));
      ASSERT_EQ(ledger.cells_in_view(view),
                std::count_if(views_of.begin(), views_of.end(),
                              [&](const auto& entry) { return entry.second.contains(view); }));
    }
  }
}

}  // namespace
}  // namespace polyphon
