#include "model/token_grammar.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "grammar/json_schema.h"
#include "model/real_model_for_test.h"

namespace polyphon {
namespace {

std::unique_ptr<Grammar> make(const std::string& gbnf) {
  GrammarSpec spec;
  spec.gbnf = gbnf;
  return real_model().make_grammar(spec);
}

// Text that the grammar lets pass when every allowed token is as likely, short ones preferred.
std::string random_text(Grammar& grammar, uint64_t seed, int max_tokens) {
  const Vocabulary& vocabulary = real_model().vocabulary();
  Random random(seed);
  std::string text;
  std::vector<float> logits(static_cast<size_t>(vocabulary.size()));
  for (int i = 0; i < max_tokens; ++i) {
    std::fill(logits.begin(), logits.end(), 0.0f);
    grammar.mask(logits);
    Token best = -1;
    double best_score = -1;
    for (Token token = 0; token < vocabulary.size(); ++token) {
      if (std::isinf(logits[static_cast<size_t>(token)])) continue;
      const double score = vocabulary.is_end_of_generation(token) ? 2 : random.uniform();
      if (score > best_score) best = token, best_score = score;
    }
    if (best < 0) return text + "<stuck>";
    EXPECT_TRUE(grammar.allows(best));
    if (vocabulary.is_end_of_generation(best)) return text;
    grammar.accept(best);
    text += vocabulary.piece(best, true);
  }
  return text;
}

TEST(TokenGrammarRealModel, WhateverASchemasGrammarLetsPassFitsTheSchema) {
  const OrderedJson schema = OrderedJson::parse(R"({
    "type": "object", "required": ["name", "age", "tags"], "additionalProperties": false,
    "properties": {"name": {"type": "string", "maxLength": 8}, "age": {"type": "integer"},
                   "tags": {"type": "array", "items": {"enum": ["x", "y"]}, "maxItems": 3}}})");
  const std::string gbnf = schema_to_gbnf(schema, "schema");
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const auto grammar = make(gbnf);
    const std::string text = random_text(*grammar, seed, 200);
    const Json json = Json::parse(text, nullptr, false);
    ASSERT_FALSE(json.is_discarded()) << text;
    EXPECT_TRUE(json.at("name").is_string() && json.at("age").is_number_integer()) << text;
    for (const Json& tag : json.at("tags")) EXPECT_TRUE(tag == "x" || tag == "y") << text;
    EXPECT_EQ(json.size(), 3u);
  }
}

TEST(TokenGrammarRealModel, TheEmptySchemaIsAnyObject) {
  const auto grammar = make(schema_to_gbnf(OrderedJson::object(), "schema"));
  const Vocabulary& vocabulary = real_model().vocabulary();
  EXPECT_TRUE(grammar->allows(vocabulary.tokenize("{", false, false)[0]));
  EXPECT_FALSE(grammar->allows(vocabulary.tokenize("7", false, false)[0]));
  EXPECT_FALSE(grammar->allows(vocabulary.tokenize("[", false, false)[0]));
}

TEST(TokenGrammarRealModel, ATokenThatDoesNotFitEndsItQuietly) {
  const auto grammar = make("root ::= \"yes\" | \"no\"");
  const Vocabulary& vocabulary = real_model().vocabulary();
  grammar->accept(vocabulary.tokenize("maybe", false, false)[0]);
  std::vector<float> logits(static_cast<size_t>(vocabulary.size()), 0.0f);
  grammar->mask(logits);
  EXPECT_TRUE(std::all_of(logits.begin(), logits.end(), [](float x) { return std::isinf(x); }));
  EXPECT_FALSE(grammar->allows(vocabulary.tokenize("yes", false, false)[0]));
}

TEST(TokenGrammarRealModel, AnEndThatIsNotAllowedDoesNotAbort) {
  const auto grammar = make("root ::= \"yes\"");
  const Token end = real_model().vocabulary().tokenize("<|im_end|>", true, false)[0];
  EXPECT_FALSE(grammar->allows(end));
  grammar->accept(end);
  EXPECT_FALSE(grammar->allows(end));
}

TEST(TokenGrammarRealModel, ALazyGrammarWaitsForItsTrigger) {
  GrammarSpec spec;
  spec.gbnf = "root ::= \"<call>\" [0-9]+ \"</call>\"";
  spec.lazy = true;
  spec.triggers = {{GrammarSpec::Trigger::Kind::kWord, "<call>", -1}};
  const auto grammar = real_model().make_grammar(spec);
  const Vocabulary& vocabulary = real_model().vocabulary();
  const Token letter = vocabulary.tokenize("x", false, false)[0],
              digit = vocabulary.tokenize("7", false, false)[0];
  for (Token token : vocabulary.tokenize("Free text, then <call", false, false)) {
    EXPECT_TRUE(grammar->allows(letter));
    grammar->accept(token);
  }
  EXPECT_TRUE(grammar->allows(letter));
  grammar->accept(vocabulary.tokenize(">", false, false)[0]);
  EXPECT_FALSE(grammar->allows(letter));
  EXPECT_TRUE(grammar->allows(digit));
}

TEST(TokenGrammarRealModel, WhatTheTemplateOpenedIsFedFirst) {
  GrammarSpec spec;
  spec.gbnf = "root ::= \"Answer: \" [0-9]+";
  spec.generation_prompt = "Answer: ";
  const auto grammar = real_model().make_grammar(spec);
  const Vocabulary& vocabulary = real_model().vocabulary();
  EXPECT_TRUE(grammar->allows(vocabulary.tokenize("4", false, false)[0]));
  EXPECT_FALSE(grammar->allows(vocabulary.tokenize("A", false, false)[0]));
}

TEST(TokenGrammarRealModel, GrammarsThatDoNotParseAreRefusedWithTheField) {
  GrammarSpec regex;
  regex.gbnf = "root ::= \"a\"";
  regex.lazy = true;
  regex.triggers = {{GrammarSpec::Trigger::Kind::kPattern, "(unclosed", -1}};
  std::vector<GrammarSpec> specs = {regex};
  for (const std::string gbnf :
       {"root ::= (", "not a grammar", "root ::= missing", "other ::= \"a\"", "root ::= root \"a\"",
        "root ::= \"unclosed", "root ::= [a-", "root ::= \"a\"{99999999}", "\xff\xfe"}) {
    specs.emplace_back();
    specs.back().gbnf = gbnf;
  }
  specs.emplace_back();
  specs.back().gbnf = "root ::= " + std::string(100000, '(');
  for (const GrammarSpec& spec : specs) {
    try {
      real_model().make_grammar(spec);
      ADD_FAILURE() << spec.gbnf.substr(0, 80);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      EXPECT_EQ(error.field(), "grammar");
    }
  }
}

}  // namespace
}  // namespace polyphon
