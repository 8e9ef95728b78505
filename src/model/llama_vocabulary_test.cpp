#include "model/llama_vocabulary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>

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

// The file's vocabulary alone, as libllama has it.
class PlainVocabulary {
 public:
  PlainVocabulary() {
    llama_model_params params = llama_model_default_params();
    params.vocab_only = true;
    model_.reset(llama_model_load_from_file(real_model_path().c_str(), params));
  }
  const llama_vocab* get() const { return llama_model_get_vocab(model_.get()); }
  Tokens tokenize(const std::string& text, bool add_special, bool parse_special) const {
    Tokens tokens(4 * text.size() + 8);
    const int count =
        llama_tokenize(get(), text.data(), static_cast<int32_t>(text.size()), tokens.data(),
                       static_cast<int32_t>(tokens.size()), add_special, parse_special);
    EXPECT_GE(count, 0);
    tokens.resize(static_cast<size_t>(std::max(0, count)));
    return tokens;
  }

 private:
  std::unique_ptr<llama_model, decltype(&llama_model_free)> model_{nullptr, llama_model_free};
};

// Also run by hand on vocabularies with other tokenizers: POLYPHON_TEST_MODEL=<file>.
TEST(LlamaVocabularyRealModel, TokensAreThoseOfLlamaTokenize) {
  const PlainVocabulary plain;
  const LlamaVocabulary vocabulary(plain.get());
  std::vector<std::string> parts = {" ",     "  ",   "\n", "\t",   "a",         "word", " word",
                                    "<|",    "|>",   "<",  "s>",   "1234",      "...",  "'s",
                                    "Grüße", "世界", "🙂", "\r\n", "camelCase", "\n\n"};
  for (Token token = 0; token < vocabulary.size(); ++token)
    if (llama_vocab_get_attr(plain.get(), token) &
        (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_USER_DEFINED | LLAMA_TOKEN_ATTR_UNKNOWN))
      parts.push_back(llama_vocab_get_text(plain.get(), token));
  Random random(5);
  for (int i = 0; i < 3000; ++i) {
    std::string text;
    for (uint64_t n = random.next() % 12; n > 0; --n)
      text += parts[random.next() % (random.next() % 2 ? 20 : parts.size())];
    for (const bool add_special : {false, true})
      for (const bool parse_special : {false, true})
        ASSERT_EQ(vocabulary.tokenize(text, parse_special, add_special),
                  plain.tokenize(text, add_special, parse_special))
            << '"' << text << '"';
  }
}

TEST(LlamaVocabularyRealModel, LongWordsAreTokenizedAsLlamaTokenizeDoes) {
  const PlainVocabulary plain;
  const LlamaVocabulary vocabulary(plain.get());
  Random random(6);
  for (const char* const letters :
       {"a", " ", "\n", "abcdefghijklmnopqrstuvwxyz", "0123456789", ".?!"}) {
    std::string text = "Words first. ";
    for (int i = 0; i < 10'000; ++i) text += letters[random.next() % std::strlen(letters)];
    EXPECT_EQ(vocabulary.tokenize(text, true, true), plain.tokenize(text, true, true)) << letters;
  }
  for (const char* const piece : {"🙂", "世", "the ", "\n \n", "e\u0301", "word🙂\n"}) {
    std::string text;
    while (text.size() < 15'000) text += piece;
    EXPECT_EQ(vocabulary.tokenize(text, true, true), plain.tokenize(text, true, true)) << piece;
  }
}

TEST(LlamaVocabularyRealModel, AWordOfAnyLengthIsTokenized) {
  const PlainVocabulary plain;
  const LlamaVocabulary vocabulary(plain.get());
  std::string text;
  while (text.size() < 600'000) text += "nä";
  const std::string back = vocabulary.detokenize(vocabulary.tokenize(text, true, false), false);
  EXPECT_TRUE(back.ends_with(text));  // some vocabularies put a space before it
}

TEST(LlamaVocabularyRealModel, NoTokenIsLongerThanTheLongest) {
  const Vocabulary& vocabulary = real_model().vocabulary();
  EXPECT_GE(vocabulary.longest_piece_bytes(), 12);
  for (Token token = 0; token < vocabulary.size(); ++token)
    EXPECT_LE(static_cast<int>(vocabulary.piece(token, true).size()),
              vocabulary.longest_piece_bytes());
}

}  // namespace
}  // namespace polyphon
