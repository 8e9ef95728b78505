#include "grammar/gbnf.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "grammar/grammar_for_test.h"

namespace polyphon {
namespace {

// The message that refuses the grammar, or "" when it compiles.
std::string refusal(const std::string& gbnf) {
  try {
    compile_for_test(gbnf);
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(error.field(), "grammar");
    EXPECT_LT(std::string(error.what()).size(), 300u);
    return error.what();
  }
}

TEST(Gbnf, ReadsWhatLlamaCppReads) {
  struct Case {
    const char* gbnf;
    std::vector<const char*> fits;
    std::vector<const char*> misfits;
  };
  const Case cases[] = {
      {"root ::= \"yes\" | \"no\"", {"yes", "no"}, {"", "y", "yesno", "maybe"}},
      {"root ::= [a-c]+ \"-\" [^x]?", {"a-", "abc-y", "c-\xE2\x82\xAC"}, {"-", "d-", "a-x"}},
      {"root ::= item (\",\" item)*\nitem ::= [0-9]{1,3}", {"1", "1,22,333"}, {"", "1,", "1234"}},
      {"root ::= \"a\"{2} \"b\"{1,} \"c\"{0,2}", {"aab", "aabbbcc"}, {"ab", "aa", "aabccc"}},
      {"# comment\nroot ::= a |\n  b # more\na ::= \"x\"\nb ::= \"y\"\n", {"x", "y"}, {"xy"}},
      {"root ::= (\"a\"\n  | \"b\" )\n\n", {"a", "b"}, {"ab"}},
      {"root ::= .{2}", {"ab", "\xC3\xA9\n"}, {"a", "abc"}},
      {"root ::= \"\\x41\\u00e9\\U0001F600\\t\\\"\\\\\"",
       {"A\xC3\xA9\xF0\x9F\x98\x80\t\"\\"},
       {"A"}},
      {"root ::= [\\]\\-\\\\] [^\\n]", {"]x", "-x", "\\x"}, {"x]", "]\n"}},
      {"root ::= | \"a\"", {"", "a"}, {"aa"}},
      {"root ::= \"a\"? \"b\"? root2\nroot2 ::= \"c\"*", {"", "ab", "b", "accc"}, {"ba"}},
      {"root ::= \"a\" root \"b\" | \"\"", {"", "ab", "aaabbb"}, {"aab", "ba"}},
  };
  for (const Case& c : cases) {
    TextReader reader(c.gbnf);
    for (const char* text : c.fits) EXPECT_TRUE(reader.reads(text)) << c.gbnf << " reads " << text;
    for (const char* text : c.misfits)
      EXPECT_FALSE(reader.reads(text)) << c.gbnf << " reads " << text;
  }
}

TEST(Gbnf, WhatDoesNotParseIsRefusedWithItsPlace) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "there is no rule 'root'"},
      {"other ::= \"a\"", "there is no rule 'root'"},
      {"root ::= missing", "rule 'missing' is used but not defined at line 1, column 10"},
      {"root ::= \"a\"\nroot ::= \"b\"", "a second time at line 2, column 1"},
      {"root ::= \"open", "the literal is not closed at line 1, column 10"},
      {"root ::= [a-", "the class is not closed"},
      {"root ::= []", "the class is empty"},
      {"root ::= [z-a]", "comes before its beginning"},
      {"root ::= (\"a\"", "expected ')'"},
      {"root ::= \"a\")", "unexpected ')'"},
      {"root ::= *", "nothing stands here to be repeated"},
      {"root ::= \"\\q\"", "unknown escape"},
      {"root ::= \"\\x4\"", "hexadecimal digits"},
      {"root ::= \"\\ud800\"", "U+D800 is not a character"},
      {"root ::= \"a\"{5,2}", "at least 5 repetitions, but at most 2 at line 1, column 13"},
      {"root ::= \"a\"{99999999}", "99999999 repetitions: at most 1000000"},
      {"root ::= \"a\"{99999999999999}", "expected a number of repetitions"},
      {"root ::= \"a\"{x}", "expected a number of repetitions"},
      {"root ::= \"a\"{1,2", "expected '}'"},
      {"root ::= <none>", "the model has no such token"},
      {"root ::= <[12", "expected a token"},
      {"not a grammar", "expected ::="},
      {"root ::= \"a\" $", "expected a literal, a class, a rule or a group"},
      {"\xff\xfe", "not valid UTF-8"},
      {"root ::= root \"a\" | \"b\"", "rule 'root' of the grammar begins with itself"},
      {"root ::= a\na ::= \"x\"? b\nb ::= a \"y\"", "begins with itself"},
      {"root ::= (root \"a\")*", "begins with itself"},
      {"root ::= (root \"a\"){2,9}", "begins with itself"},
  };
  for (const auto& [gbnf, why] : cases)
    EXPECT_NE(refusal(gbnf).find(why), std::string::npos) << gbnf << ": " << refusal(gbnf);
}

TEST(Gbnf, DepthAndSizeAreBounded) {
  const auto nested = [](int levels) {
    const auto size = static_cast<size_t>(levels);
    return "root ::= " + std::string(size, '(') + "\"a\"" + std::string(size, ')');
  };
  EXPECT_EQ(refusal(nested(kMaxGrammarNesting)), "");
  EXPECT_NE(refusal(nested(kMaxGrammarNesting + 1)).find("nest deeper"), std::string::npos);
  EXPECT_NE(refusal("root ::= " + std::string(1'000'000, '(')).find("nest"), std::string::npos);
  EXPECT_NE(refusal("root ::= \"a\"" + std::string(1'000'000, '?')).find("too many repetitions"),
            std::string::npos);
  EXPECT_NE(refusal(std::string(kMaxGrammarBytes + 1, ' ')).find("bytes"), std::string::npos);
  std::string chain = "root ::= r0\n";
  for (int i = 0; i < 20'000; ++i)
    chain += "r" + std::to_string(i) + " ::= r" + std::to_string(i + 1) + "\n";
  chain += "r20000 ::= \"a\"\n";
  EXPECT_NE(refusal(chain).find("rules of the grammar call one another"), std::string::npos);
  std::string classes = "root ::= \"x\"";
  for (int i = 0; i < 400'000; ++i) classes += " [^a]";
  EXPECT_NE(refusal(classes).find("too large"), std::string::npos);
}

}  // namespace
}  // namespace polyphon
