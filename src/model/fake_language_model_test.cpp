#include "model/fake_language_model.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"

namespace polyphon {
namespace {

TEST(FakeLanguageModel, AnyBytesRoundTrip) {
  const FakeLanguageModel model;
  Random random(3);
  for (int i = 0; i < 200; ++i) {
    std::string text(random.next() % 40, '\0');
    for (char& byte : text) byte = static_cast<char>(random.next());
    const Tokens tokens = model.vocabulary().tokenize(text, false, true);
    EXPECT_EQ(tokens.size(), text.size());
    EXPECT_EQ(model.vocabulary().detokenize(tokens, true), text);
  }
}

TEST(FakeLanguageModel, ControlTokensAreParsedOnlyWhenAsked) {
  const FakeLanguageModel model;
  const Vocabulary& vocabulary = model.vocabulary();
  const Tokens parsed = vocabulary.tokenize("a<|im_end|>b<eos><|im_start|>", true, false);
  EXPECT_EQ(parsed,
            (Tokens{'a', FakeTokens::kTurnEnd, 'b', FakeTokens::kEnd, FakeTokens::kTurnStart}));
  EXPECT_EQ(vocabulary.tokenize("<eos>", false, false).size(), 5u);
  EXPECT_EQ(vocabulary.detokenize(parsed, false), "ab");
  EXPECT_EQ(vocabulary.detokenize(parsed, true), "a<|im_end|>b<eos><|im_start|>");
  EXPECT_TRUE(vocabulary.is_end_of_generation(FakeTokens::kEnd));
  EXPECT_TRUE(vocabulary.is_end_of_generation(FakeTokens::kTurnEnd));
  EXPECT_FALSE(vocabulary.is_end_of_generation(FakeTokens::kTurnStart));
}

TEST(FakeLanguageModel, AnInterjectionContinuesARenderedChat) {
  const FakeLanguageModel model;
  ChatInput input;
  input.messages = {{{"role", "user"}, {"content", "2+2?"}}};
  const std::string open = model.chat_template().render(input).text;
  input.messages.push_back({{"role", "assistant"}, {"content", "4"}});
  input.messages.push_back({{"role", "user"}, {"content", "Sure?"}});
  EXPECT_EQ(open + "4" + model.chat_template().interjection("Sure?"),
            model.chat_template().render(input).text);
}

TEST(FakeLanguageModel, KnowsTwoGrammarsAndLetsQuestionsPass) {
  const FakeLanguageModel model;
  GrammarSpec spec;
  spec.gbnf = "digits";
  const auto grammar = model.make_grammar(spec);
  std::vector<float> logits(FakeTokens::kCount, 0.0f);
  grammar->mask(logits);
  for (Token token = 0; token < FakeTokens::kCount; ++token)
    EXPECT_EQ(logits[static_cast<size_t>(token)] == 0, grammar->allows(token)) << token;
  EXPECT_TRUE(grammar->allows('7'));
  EXPECT_FALSE(grammar->allows('x'));
  spec.gbnf = "root ::= \"Why \" [a-z]+";
  EXPECT_TRUE(model.make_grammar(spec)->allows('x'));
  spec.gbnf = "root ::= oops";
  EXPECT_THROW(model.make_grammar(spec), Error);
}

TEST(FakeLanguageModel, TheDecoderHasTheSizesAsked) {
  const FakeLanguageModel model({.hidden_size = 9});
  const auto decoder =
      model.make_decoder({.context_cells = 77, .max_sequences = 5, .max_rows = 11});
  EXPECT_EQ(decoder->capacity_cells(), 77);
  EXPECT_EQ(decoder->max_sequences(), 5);
  EXPECT_EQ(decoder->max_rows(), 11);
  EXPECT_EQ(decoder->hidden_size(), 9);
  EXPECT_EQ(decoder->vocabulary_size(), FakeTokens::kCount);
}

}  // namespace
}  // namespace polyphon
