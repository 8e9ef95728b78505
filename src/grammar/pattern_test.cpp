#include "grammar/pattern.h"

#include <gtest/gtest.h>

#include <regex>

#include "core/json.h"
#include "grammar/grammar_for_test.h"

namespace polyphon {
namespace {

std::string grammar_of(const std::string& pattern, const LengthBounds& length = {}) {
  return "root ::= " + pattern_gbnf(pattern, length, "char") +
         "\nchar ::= [^\"\\\\\\x00-\\x1F] | \"\\\\\" ([\"\\\\/bfnrt] | \"u\" [0-9a-f]{4})\n";
}

// As the inside of a JSON string.
std::string escaped(const std::string& text) {
  const std::string json = Json(text).dump();
  return json.substr(1, json.size() - 2);
}

TEST(Pattern, AgreesWithTheStandardLibrarysMatcher) {
  const char* patterns[] = {"^a{5}$",      "^a{2,}b?$",       "ab",         "^ab",
                            "ab$",         "^(a|bc)*$",       "^[ab]+c$",   "^a|b$",
                            "^\\d+$",      "^\\w\\s\\W$",     "^[^a]b$",    "^a.c$",
                            "^(?:ab){2}$", "^a\\.b$",         "^[a\\-c]+$", "^\"a\\\\b$",
                            "^(a+)+b$",    "^[\\d\\sab]{2}$", "",           "^$",
                            "^a{2}{0}b",   "^\\x61\\u0062$",  "^a*?b$"};
  const std::string letters = "abc1 -.\"\\";
  Random random(1);
  std::vector<std::string> texts = {""};
  for (int i = 0; i < 1500; ++i) {
    std::string text;
    const int size = 1 + static_cast<int>(random.uniform() * 5);
    for (int j = 0; j < size; ++j)
      text += letters[static_cast<size_t>(random.uniform() * static_cast<double>(letters.size()))];
    texts.push_back(text);
  }
  for (const char* pattern : patterns) {
    if (std::string(pattern) == "^a{2}{0}b") continue;  // not a regular expression: below
    TextReader reader(grammar_of(pattern));
    const std::regex regex(pattern);
    for (const std::string& text : texts)
      ASSERT_EQ(reader.reads(escaped(text)), std::regex_search(text, regex))
          << pattern << " on " << text;
  }
}

TEST(Pattern, WhatNoGrammarCanExpressIsRefusedWithItsPlace) {
  const std::pair<const char*, const char*> cases[] = {
      {"^a{5,2}$", "at least 5 repetitions but at most 2"},
      {"^(?=a)b$", "look-around"},
      {"^(?<!a)b$", "look-around"},
      {"^(a)\\1$", "references back"},
      {"^\\bword$", "word boundaries"},
      {"^\\p{L}+$", "Unicode properties"},
      {"^(a$|b)c$", "inside the pattern"},
      {"^(a", "unclosed '('"},
      {"^a)", "unopened ')'"},
      {"^[a", "unclosed '['"},
      {"^*a", "nothing to repeat"},
      {"^a**", "nothing to repeat"},
      {"^[z-a]$", "runs backwards"},
      {"^\\q$", "unknown escape"},
      {"^\\ud800$", "surrogate"},
      {"^a$b", "text after '$'"},
      {"^a{99999999999}$", "too many repetitions"},
  };
  for (const auto& [pattern, why] : cases) {
    try {
      pattern_gbnf(pattern, {}, "char");
      ADD_FAILURE() << pattern;
    } catch (const PatternError& error) {
      EXPECT_NE(std::string(error.what()).find(why), std::string::npos)
          << pattern << ": " << error.what();
    }
  }
  EXPECT_THROW(pattern_gbnf(std::string(100000, '('), {}, "char"), PatternError);
}

TEST(Pattern, LengthsNarrowTheOneFreePart) {
  TextReader reader(grammar_of("^x[a-z]+y$", {4, 6}));
  EXPECT_TRUE(reader.reads("xaay") && reader.reads("xaaaay"));
  EXPECT_FALSE(reader.reads("xay") || reader.reads("xaaaaay"));
  EXPECT_NO_THROW(grammar_of("^[0-9]{4}$", {1, 10}));
  EXPECT_THROW(grammar_of("^[0-9]{4}$", {5, 10}), PatternError);
  EXPECT_THROW(grammar_of("^[a-z]+[0-9]+$", {2, 5}), PatternError);
  EXPECT_THROW(grammar_of("^(ab)+$", {2, 5}), PatternError);
}

TEST(Pattern, WhatJsonEscapesIsEscaped) {
  TextReader reader(grammar_of("^[\"\\\\\\n\\x01]+$"));
  EXPECT_TRUE(reader.reads("\\\"\\\\\\n\\u0001"));
  EXPECT_FALSE(reader.reads("\""));
  EXPECT_FALSE(reader.reads("\n"));
  EXPECT_FALSE(reader.reads("a"));
}

}  // namespace
}  // namespace polyphon
