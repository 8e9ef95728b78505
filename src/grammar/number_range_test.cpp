#include "grammar/number_range.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "grammar/grammar_for_test.h"

namespace polyphon {
namespace {

std::optional<NumberBound> bound(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const bool exclusive = text.front() == '!';
  return NumberBound{*parse_decimal(exclusive ? text.substr(1) : text), exclusive};
}

bool between(const std::string& number, const std::string& low, const std::string& high) {
  const Decimal value = *parse_decimal(number);
  const auto from = bound(low), to = bound(high);
  if (from && (from->exclusive ? !less(from->value, value) : less(value, from->value)))
    return false;
  return !to || (to->exclusive ? less(value, to->value) : !less(to->value, value));
}

TEST(Decimal, IsReadAndCompared) {
  EXPECT_EQ(parse_decimal("12.50")->fraction, "5");
  EXPECT_EQ(parse_decimal("1.5e3")->whole, "1500");
  EXPECT_EQ(parse_decimal("25e-4")->fraction, "0025");
  EXPECT_EQ(parse_decimal("-0")->whole, "0");
  for (const char* bad : {"", "-", "a", "1e", "1.2.3", "1e999", "0x10"})
    EXPECT_FALSE(parse_decimal(bad)) << bad;
  const char* rising[] = {"-100", "-2.5", "-2", "-0.001", "0", "0.05", "0.5", "9", "10", "1e2"};
  for (size_t i = 0; i + 1 < std::size(rising); ++i) {
    EXPECT_TRUE(less(*parse_decimal(rising[i]), *parse_decimal(rising[i + 1])));
    EXPECT_FALSE(less(*parse_decimal(rising[i + 1]), *parse_decimal(rising[i])));
  }
  EXPECT_FALSE(less(*parse_decimal("-0"), *parse_decimal("0")));
}

const std::pair<const char*, const char*> kBounds[] = {
    {"0", "9"},       {"1", "100"},      {"", "-5"},        {"-3", ""},    {"17", "17"},
    {"!0", ""},       {"", "!0"},        {"-120", "345"},   {"99", "101"}, {"1000", "!2000"},
    {"-1000", "-10"}, {"!-7", "!7"},     {"7", "12345678"}, {"5", "3"},    {"!4", "!5"},
    {"0.5", "2.25"},  {"-0.75", "0.1"},  {"1.5", ""},       {"", "-1.25"}, {"!0.5", "!0.75"},
    {"-2", "-1.5"},   {"0.125", "0.125"}};

TEST(NumberRange, WholeNumbersAreThoseBetween) {
  for (const auto& [low, high] : kBounds) {
    const std::string range = integer_range_gbnf(bound(low), bound(high));
    bool any = false;
    TextReader reader("root ::= " + (range.empty() ? "\"none\"" : range));
    for (int value = -2100; value <= 2100; ++value) {
      const std::string text = std::to_string(value);
      any |= between(text, low, high);
      ASSERT_EQ(reader.reads(text), between(text, low, high))
          << low << " .. " << high << ": " << text;
    }
    if (any) EXPECT_FALSE(range.empty());
    for (const char* bad : {"-0", "00", "07", "1.0", "-", "", "1e1"})
      EXPECT_FALSE(reader.reads(bad)) << bad;
  }
  EXPECT_EQ(integer_range_gbnf(bound("5"), bound("3")), "");
  EXPECT_EQ(integer_range_gbnf(bound("!4"), bound("!5")), "");
  TextReader wide("root ::= " +
                  integer_range_gbnf(bound("-9223372036854775808"), bound("9223372036854775807")));
  EXPECT_TRUE(wide.reads("-9223372036854775808") && wide.reads("9223372036854775807"));
  EXPECT_FALSE(wide.reads("-9223372036854775809") || wide.reads("9223372036854775808"));
}

TEST(NumberRange, FractionsNeverLeaveTheBounds) {
  for (const auto& [low, high] : kBounds) {
    const std::string range = number_range_gbnf(bound(low), bound(high));
    TextReader reader("root ::= " + (range.empty() ? "\"none\"" : range));
    int fitting = 0;
    for (int thousandths = -4000; thousandths <= 4000; ++thousandths) {
      const std::string text =
          fmt::format("{}{}.{:03}", thousandths < 0 ? "-" : "", std::abs(thousandths) / 1000,
                      std::abs(thousandths) % 1000);
      const bool fits = between(text, low, high);
      fitting += fits;
      // With three decimals, no bound here asks for more.
      const bool negative_zero = text == "-0.000";
      ASSERT_EQ(reader.reads(text), fits && !negative_zero)
          << low << " .. " << high << ": " << text;
    }
    if (fitting > 0) EXPECT_FALSE(range.empty());
    bool ok = false;
    for (uint64_t seed = 0; seed < 50 && !range.empty(); ++seed) {
      const std::string text = reader.random_text(seed, ok);
      if (ok) ASSERT_TRUE(between(text, low, high)) << low << " .. " << high << ": " << text;
    }
  }
}

}  // namespace
}  // namespace polyphon
