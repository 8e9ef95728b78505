#include "model/fake_decoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace polyphon {
namespace {

Token best(std::span<const float> logits) {
  return static_cast<Token>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// Decodes the tokens at the end of the view; the token that comes next.
Token extend(FakeDecoder& decoder, SequenceId sequence, const Tokens& tokens) {
  std::vector<Row> rows;
  Position position = decoder.last_position(sequence);
  for (Token token : tokens) rows.push_back({token, ++position, sequence, false});
  rows.back().output = true;
  EXPECT_EQ(decoder.decode(rows, false), DecodeStatus::kOk);
  return best(decoder.logits(static_cast<int>(rows.size()) - 1));
}

TEST(FakeDecoder, TheNextTokenIsAFunctionOfWhatIsVisible) {
  FakeDecoder one({}), other({});
  EXPECT_EQ(extend(one, 0, {'a', 'b', 'c'}), extend(other, 5, {'a', 'b', 'c'}));
  std::set<Token> nexts;
  for (Token token = 0; token < 100; ++token) {
    FakeDecoder fresh({});
    nexts.insert(extend(fresh, 0, {'a', token, 'c'}));
  }
  EXPECT_GT(nexts.size(), 20u);
  EXPECT_GE(*nexts.begin(), 'a');
  EXPECT_LE(*nexts.rbegin(), 'z');
}

TEST(FakeDecoder, AForkSeesTheSharedPromptAndNotItsSibling) {
  FakeDecoder decoder({}), alone({});
  extend(decoder, 0, {'p', 'q'});
  decoder.join(0, 1, 0, 2);
  extend(decoder, 0, {'x', 'x'});
  EXPECT_EQ(extend(decoder, 1, {'y'}), extend(alone, 0, {'p', 'q', 'y'}));
  EXPECT_EQ(decoder.ledger().used(), 5);
}

TEST(FakeDecoder, ARowSeesLaterRowsOfItsBatchOnlyAtOrBeforeItsPosition) {
  std::vector<FakeRow> seen;
  FakeDecoder decoder({}, [&](const FakeRow& row, std::span<float>) { seen.push_back(row); });
  const std::vector<Row> rows = {{'a', 0, 0, true}, {'b', 1, 0, true}, {'c', 0, 1, true}};
  ASSERT_EQ(decoder.decode(rows, true), DecodeStatus::kOk);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].visible, (Tokens{'a'}));
  EXPECT_EQ(seen[1].visible, (Tokens{'a', 'b'}));
  EXPECT_EQ(seen[1].positions, (std::vector<Position>{0, 1}));
  EXPECT_EQ(seen[2].visible, (Tokens{'c'}));
  EXPECT_EQ(decoder.hidden(2).size(), 4u);
  EXPECT_NE(decoder.hidden(0)[0], decoder.hidden(1)[0]);
  EXPECT_EQ(decoder.decodes(), 1);
  EXPECT_EQ(decoder.rows_decoded(), 3);
}

TEST(FakeDecoder, InjectedFaultsComeOnceAndComputeNothing) {
  FakeDecoder decoder({});
  decoder.fail_decode(1, DecodeStatus::kFailed);
  const Row row{'a', 0, 0, true};
  ASSERT_EQ(decoder.decode({&row, 1}, false), DecodeStatus::kOk);
  const Row next{'a', 1, 0, true};
  EXPECT_EQ(decoder.decode({&next, 1}, false), DecodeStatus::kFailed);
  EXPECT_EQ(decoder.last_position(0), 0);
  EXPECT_EQ(decoder.decode({&next, 1}, false), DecodeStatus::kOk);
}

TEST(FakeDecoder, ABatchThatDoesNotFitLeavesTheCacheAlone) {
  FakeDecoder decoder({.capacity_cells = 2});
  const std::vector<Row> rows = {{'a', 0, 0}, {'b', 1, 0}, {'c', 2, 0, true}};
  EXPECT_EQ(decoder.decode(rows, false), DecodeStatus::kNoSpace);
  EXPECT_EQ(decoder.ledger().used(), 0);
  decoder.clear(0);
  extend(decoder, 0, {'a', 'b'});
  EXPECT_EQ(decoder.ledger().free(), 0);
}

TEST(FakeDecoderDeathTest, LibllamasRulesAreChecked) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  FakeDecoder decoder({});
  extend(decoder, 0, {'a', 'b'});
  const Row gap{'c', 3, 0, true}, repeated{'c', 1, 0, true}, no_output{'c', 2, 0, false};
  const Row foreign{'c', 0, 64, true}, unknown{300, 2, 0, true};
  EXPECT_DEATH(decoder.decode({&gap, 1}, false), "position");
  EXPECT_DEATH(decoder.decode({&repeated, 1}, false), "position");
  EXPECT_DEATH(decoder.decode({&no_output, 1}, true), "output");
  EXPECT_DEATH(decoder.decode({&foreign, 1}, false), "sequence");
  EXPECT_DEATH(decoder.decode({&unknown, 1}, false), "token");
  EXPECT_DEATH(decoder.logits(0), "logits");
}

}  // namespace
}  // namespace polyphon
