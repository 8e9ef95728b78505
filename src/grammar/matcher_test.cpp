#include "grammar/matcher.h"

#include <gtest/gtest.h>

#include "grammar/grammar_for_test.h"
#include "grammar/token_matcher.h"

namespace polyphon {
namespace {

// Each of these would have exponentially many readings, or as many rules as repetitions.
TEST(Matcher, AmbiguityCostsNoMoreThanItMust) {
  struct Case {
    std::string gbnf;
    std::string fits;
    std::string misfit;
  };
  const std::string a(3000, 'a');
  std::string nest = "root ::= r0\n";
  for (int i = 0; i < 40; ++i) {
    const std::string next = " r" + std::to_string(i + 1);
    nest += "r" + std::to_string(i) + " ::=" + next + next + "\n";
  }
  nest += "r40 ::= \"a\"?\n";
  std::string many = "root ::= \"x\"";
  for (int i = 0; i < 300; ++i) many += " \"a\"?";
  const Case cases[] = {
      {"root ::= (\"a\"? \"b\"?){100}", std::string(50, 'a') + std::string(50, 'b'), a},
      {"root ::= ((\"a\"? \"b\"?){30}){30}", std::string(900, 'a'), std::string(901, 'a')},
      {"root ::= (\"a\"*)*", a, a + "b"},
      {"root ::= ((\"a\"+)+)+ \"b\"", a + "b", a},
      {"root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"\"",
       std::string(200, 'a') + std::string(200, 'c'), std::string(200, 'a') + "d"},
      {"root ::= \"a\"{0,100000}", a, a + "b"},
      {"root ::= (\"a\" | \"aa\" | \"aaa\"){10,2000}", a, a + "b"},
      {"root ::= ws{60} \"x\"\nws ::= \"a\"*", a + "x", a},
      {many, "x" + std::string(300, 'a'), "x" + std::string(301, 'a')},
      {nest, "a", "b"},
  };
  for (const Case& c : cases) {
    TextReader reader(c.gbnf);
    EXPECT_TRUE(reader.reads(c.fits)) << c.gbnf.substr(0, 60);
    EXPECT_FALSE(reader.reads(c.misfit)) << c.gbnf.substr(0, 60);
  }
}

// All strings of a few letters, against a recogniser that tries everything.
TEST(Matcher, AgreesWithTryingEverything) {
  struct Brute {
    GrammarSyntax syntax;
    // Ends of all readings of the sequence's rest from `at`.
    void sequence(const GrammarSequence& elements, size_t index, size_t at, const std::string& text,
                  int depth, std::vector<bool>& ends) {
      if (depth > 60) return;
      if (index == elements.size()) {
        ends[at] = true;
        return;
      }
      repeat(elements, index, 0, at, text, depth, ends);
    }
    void repeat(const GrammarSequence& elements, size_t index, uint32_t count, size_t at,
                const std::string& text, int depth, std::vector<bool>& ends) {
      const GrammarElement& element = elements[index];
      if (count >= element.least) sequence(elements, index + 1, at, text, depth + 1, ends);
      if (count >= element.most || count > text.size() + 2) return;
      std::vector<bool> once(text.size() + 1);
      one(element, at, text, depth + 1, once);
      for (size_t end = at; end <= text.size(); ++end)
        if (once[end] && (end > at || count < element.least))
          repeat(elements, index, count + 1, end, text, depth + 1, ends);
    }
    void one(const GrammarElement& element, size_t at, const std::string& text, int depth,
             std::vector<bool>& ends) {
      using Kind = GrammarElement::Kind;
      if (element.kind == Kind::kLiteral) {
        if (text.compare(at, element.literal.size(), element.literal) == 0)
          ends[at + element.literal.size()] = true;
      } else if (element.kind == Kind::kClass) {
        if (at < text.size() && element.points.contains(static_cast<unsigned char>(text[at])))
          ends[at + 1] = true;
      } else {
        for (const GrammarSequence& alternative : syntax.rules[element.rule].alternatives)
          sequence(alternative, 0, at, text, depth + 1, ends);
      }
    }
    bool reads(const std::string& text) {
      GrammarElement root;
      root.kind = GrammarElement::Kind::kRule;
      root.rule = syntax.root;
      std::vector<bool> ends(text.size() + 1);
      one(root, 0, text, 0, ends);
      return ends[text.size()];
    }
  };
  const char* grammars[] = {
      "root ::= (\"a\"? \"b\"){2,3} \"a\"*",
      "root ::= \"a\" root \"b\" | \"a\" | \"\"",
      "root ::= (\"ab\" | \"a\" | \"b\"{2})* \"a\"",
      "root ::= x{2,} y?\nx ::= \"a\" | y\ny ::= \"b\" | \"ba\"",
      "root ::= (\"a\"*){2} (\"b\"?){3} tail\ntail ::= \"a\" tail \"a\" | \"b\" | \"\"",
      "root ::= p p | p\np ::= \"a\" p? \"b\"",
      "root ::= ((\"a\" | \"\"){2,4} \"b\"){1,2}",
  };
  for (const char* gbnf : grammars) {
    Brute brute{parse_gbnf(gbnf, [](std::string_view) { return std::nullopt; })};
    TextReader reader(gbnf);
    int fitting = 0;
    for (int length = 0; length <= 8; ++length)
      for (int bits = 0; bits < (1 << length); ++bits) {
        std::string text;
        for (int i = 0; i < length; ++i) text += (bits >> i) & 1 ? 'b' : 'a';
        const bool fits = brute.reads(text);
        fitting += fits;
        ASSERT_EQ(reader.reads(text), fits) << gbnf << " reads " << text;
      }
    EXPECT_GT(fitting, 0) << gbnf;
  }
}

TEST(Matcher, MemoryIsForgottenAndTheTextIsNot) {
  const auto program =
      compile_for_test("root ::= \"[\" (root (\",\" root)*)? \"]\" | [a-z]{1,100000}");
  Matcher matcher(program);
  Matcher::State state = matcher.start();
  const auto read = [&](char c) {
    state = matcher.after(matcher.renew_budget(state), static_cast<uint8_t>(c));
    ASSERT_NE(state, Matcher::kDead);
  };
  for (int i = 0; i < 50; ++i) read('[');
  while (matcher.generation() == 0) {  // each letter is a state of its own: a count
    for (int byte = 'a'; byte <= 'z'; ++byte) matcher.after(state, static_cast<uint8_t>(byte));
    read('x');
  }
  for (int i = 0; i < 50; ++i) {
    EXPECT_FALSE(matcher.accepts(state));
    read(']');
  }
  EXPECT_TRUE(matcher.accepts(state));
  EXPECT_EQ(matcher.after(state, ']'), Matcher::kDead);
}

std::shared_ptr<const TokenTexts> some_tokens() {
  const std::vector<std::string> texts = {"",   "<one>", "a",   "ab",       "abc",  "b",
                                          "\"", "{\"",   "<e>", "\xE2\x82", "\xAC", "\xC3\xA9"};
  return std::make_shared<const TokenTexts>(texts, std::vector<Token>{8});
}

std::vector<Token> allowed(TokenMatcher& matcher) {
  std::vector<float> logits(12, 0.0f);
  matcher.mask(logits);
  std::vector<Token> tokens;
  for (Token token = 0; token < 12; ++token) {
    if (logits[static_cast<size_t>(token)] == 0.0f) tokens.push_back(token);
    EXPECT_EQ(matcher.allows(token), logits[static_cast<size_t>(token)] == 0.0f) << token;
  }
  return tokens;
}

TEST(TokenMatcher, MasksAndAllowsAgree) {
  TokenMatcher matcher(compile_for_test("root ::= \"ab\" [b-c]* | \"\\u20ac\" | \"\\\"\""),
                       some_tokens());
  EXPECT_EQ(allowed(matcher), (std::vector<Token>{2, 3, 4, 6, 9}));
  matcher.accept(2);
  EXPECT_EQ(allowed(matcher), (std::vector<Token>{5}));
  matcher.accept(5);
  EXPECT_EQ(allowed(matcher), (std::vector<Token>{5, 8}));
  matcher.accept(8);  // an end changes nothing
  EXPECT_FALSE(matcher.dead());
  matcher.accept(6);
  EXPECT_TRUE(matcher.dead());
  EXPECT_TRUE(allowed(matcher).empty());
}

TEST(TokenMatcher, CharactersMayBeSplitOverTokens) {
  TokenMatcher matcher(compile_for_test("root ::= [^a]{2}"), some_tokens());
  matcher.accept(9);
  EXPECT_EQ(allowed(matcher), (std::vector<Token>{10}));
  matcher.accept(10);
  EXPECT_EQ(allowed(matcher), (std::vector<Token>{5, 6, 9, 11}));
}

TEST(TokenMatcher, TokensMayBeNamed) {
  TokenMatcher by_name(compile_for_test("root ::= <one> \"a\" !<[5]>"), some_tokens());
  EXPECT_EQ(allowed(by_name), (std::vector<Token>{1}));
  by_name.accept(1);
  EXPECT_EQ(allowed(by_name), (std::vector<Token>{2}));
  by_name.accept(2);
  const std::vector<Token> rest = allowed(by_name);
  EXPECT_EQ(std::count(rest.begin(), rest.end(), 5), 0);
  EXPECT_EQ(std::count(rest.begin(), rest.end(), 8), 0);
  EXPECT_EQ(std::count(rest.begin(), rest.end(), 1), 1);
}

}  // namespace
}  // namespace polyphon
