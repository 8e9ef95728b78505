#include "streams/strategy.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

namespace polyphon {
namespace {

TEST(StrategyTest, BuiltInsIncludeTheDocumentedOnes) {
  std::set<std::string> names;
  for (const Strategy& strategy : built_in_strategies()) names.insert(strategy.name);
  EXPECT_EQ(names.size(), built_in_strategies().size()) << "two strategies have the same name";
  for (const char* name : {"direct", "lateral", "devils_advocate", "decompose", "work_backwards",
                           "check_by_example", "estimate_first", "restate"})
    EXPECT_TRUE(names.contains(name)) << name;
  EXPECT_EQ(built_in_strategies()[0].name, "direct") << "a single stream thinks directly";
}

TEST(StrategyTest, PreamblesAreShortAndSpeakInTheFirstPerson) {
  std::set<std::string> preambles;
  for (const Strategy& strategy : built_in_strategies()) {
    EXPECT_TRUE(preambles.insert(strategy.preamble).second) << strategy.name;
    EXPECT_TRUE(strategy.preamble.ends_with(' ') || strategy.preamble.ends_with('\n'));
    EXPECT_NE(strategy.preamble.find("me "), std::string::npos) << strategy.preamble;
    std::istringstream words(strategy.preamble);
    int count = 0;
    for (std::string word; words >> word;) ++count;
    EXPECT_GT(count, 3);
    EXPECT_LE(count, 20) << strategy.name;
  }
}

}  // namespace
}  // namespace polyphon
