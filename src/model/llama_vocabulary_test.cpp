#include "model/llama_vocabulary.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "model/real_model_for_test.h"

namespace polyphon {
namespace {

TEST(LlamaVocabularyRealModel, TextRoundTrips) {
  const Vocabulary& vocabulary = real_model().vocabulary();
  for (const std::string text :
       {"", "Hello, world", "  two  spaces\n\n\tand tabs", "Grüße, 世界, 🙂", "3.14159 != e^2"})
    EXPECT_EQ(vocabulary.detokenize(vocabulary.tokenize(text, false, false), false), text);
}

TEST(LlamaVocabularyRealModel, AnyBytesTokenizeToTokensOfTheVocabulary) {
  const Vocabulary& vocabulary = real_model().vocabulary();
  Random random(5);
  for (int i = 0; i < 200; ++i) {
    std::string text(random.next() % 200, '\0');
    for (char& byte : text) byte = static_cast<char>(random.next());
    for (Token token : vocabulary.tokenize(text, true, true)) {
      ASSERT_GE(token, 0);
      ASSERT_LT(token, vocabulary.size());
    }
  }
}

TEST(LlamaVocabularyRealModel, ControlTokensAreParsedAndShownOnlyWhenAsked) {
  const Vocabulary& vocabulary = real_model().vocabulary();
  const Tokens parsed = vocabulary.tokenize("<|im_end|>", true, false);
  ASSERT_EQ(parsed.size(), 1u);
  EXPECT_TRUE(vocabulary.is_end_of_generation(parsed[0]));
  EXPECT_EQ(vocabulary.piece(parsed[0], true), "<|im_end|>");
  EXPECT_EQ(vocabulary.piece(parsed[0], false), "");
  const Tokens text = vocabulary.tokenize("<|im_end|>", false, false);
  EXPECT_GT(text.size(), 1u);
  for (Token token : text) EXPECT_FALSE(vocabulary.is_end_of_generation(token));
}

}  // namespace
}  // namespace polyphon
