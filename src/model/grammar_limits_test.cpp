#include "model/grammar_limits.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace polyphon {
namespace {

bool refused(const std::string& gbnf) {
  try {
    check_grammar_limits(gbnf);
    return false;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(error.field(), "grammar");
    return true;
  }
}

std::string nested(int levels) {
  return "root ::= " + std::string(static_cast<size_t>(levels), '(') + "\"a\"" +
         std::string(static_cast<size_t>(levels), ')');
}

TEST(GrammarLimits, NestingIsCountedOutsideLiteralsClassesAndComments) {
  EXPECT_FALSE(refused(nested(kMaxGrammarNesting)));
  EXPECT_TRUE(refused(nested(kMaxGrammarNesting + 1)));
  const std::string many(1000, '(');
  EXPECT_FALSE(refused("root ::= \"\\\"" + many + "\" [\\]" + many + "] # " + many));
  EXPECT_TRUE(refused("root ::= \"a\" # comment\n" + many));
}

TEST(GrammarLimits, RulesAndBytesAreBounded) {
  std::string chain;
  for (int i = 0; i < kMaxGrammarRules; ++i) chain += "a::=b\n";
  EXPECT_FALSE(refused(chain));
  EXPECT_TRUE(refused(chain + "a::=b\n"));
  EXPECT_TRUE(refused(std::string(kMaxGrammarBytes + 1, ' ')));
}

TEST(GrammarLimits, OptionalElementsInARowAreBounded) {
  for (const char* gbnf : {
           "root ::= [a-z]{0,1000} \"x\"{100} [0-9]*",
           "root ::= item* \nitem ::= \"a\"? \"b\"? \"c\"",
           "root ::= (\"a\"? \"b\"){100}",
           "root ::= ws object ws\nobject ::= \"{\" ws (pair (\",\" ws pair)*)? \"}\" ws\n"
           "pair ::= \"\\\"\" [^\"]* \"\\\"\" ws \":\" ws object\nws ::= | \" \" | \"\\n\" [ "
           "\\t]{0,20}",
           "root ::= \"x\" root? | root2\nroot2 ::= (root2 \"a\")* # ?????????????????",
       })
    EXPECT_FALSE(refused(gbnf)) << gbnf;
  for (const char* gbnf : {
           "root ::= (\"a\"? \"b\"?){100}",
           "root ::= ((\"a\"? \"b\"?){3}){3}",
           "root ::= \"x\" (ws{30} \"y\")+\nws ::= [ ]*",
           "root ::= a a a a a a\na ::= b b\nb ::= \"x\"? (\"y\" | \"z\"*)",
           "root ::= \"a\" root?  [a-z]? [a-z]? [a-z]? [a-z]? [a-z]? [a-z]? [a-z]? [a-z]? [a-z]? "
           "[a-z]? [a-z]? [a-z]? [a-z]? [a-z]? [a-z]? [a-z]? [a-z]?",
       })
    EXPECT_TRUE(refused(gbnf)) << gbnf;
}

TEST(GrammarLimits, UnfinishedTextIsLeftToTheParser) {
  for (const char* text : {"", "\"", "[", "\"\\", "#", "=", "::=", ")))", "[\\", "root ::= (",
                           "root ::= ?", "root ::= \"a\"{", "root ::= \"a\"{3,", "root ::= | )"})
    EXPECT_FALSE(refused(text)) << text;
}

TEST(GrammarLimits, JsonNestingIsBounded) {
  Json json = 1;
  for (int i = 0; i < kMaxJsonNesting; ++i) json = Json::array({std::move(json)});
  EXPECT_NO_THROW(check_json_nesting(json, "tools"));
  json = Json{{"a", std::move(json)}};
  try {
    check_json_nesting(json, "tools");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.field(), "tools");
  }
}

}  // namespace
}  // namespace polyphon
