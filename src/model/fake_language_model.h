// A LanguageModel without weights, for tests: bytes as tokens, ChatML, and a FakeDecoder.
#pragma once

#include <memory>
#include <string>

#include "model/fake_decoder.h"
#include "model/language_model.h"

namespace polyphon {

// Tokens 0..255 are bytes; the rest are control tokens.
struct FakeTokens {
  static constexpr Token kEnd = 256;        // "<eos>", ends generation
  static constexpr Token kTurnStart = 257;  // "<|im_start|>"
  static constexpr Token kTurnEnd = 258;    // "<|im_end|>", ends generation
  static constexpr int kCount = 259;
};

class FakeLanguageModel final : public LanguageModel {
 public:
  explicit FakeLanguageModel(FakeDecoder::Options options = {}, FakeDecoder::Script script = {});
  ~FakeLanguageModel() override;

  const ModelInfo& info() const override { return info_; }
  const Vocabulary& vocabulary() const override { return *vocabulary_; }
  const ChatTemplate& chat_template() const override { return *chat_template_; }
  // `options` sets the sizes; what FakeDecoder::Options has beside them stays.
  std::unique_ptr<Decoder> make_decoder(const DecoderOptions& options) const override;
  // With the sizes given to the constructor; for tests that look at the decoder itself.
  std::unique_ptr<FakeDecoder> make_fake_decoder() const;
  // GBNF is not understood: the grammar "digits" allows '0'..'9' and the end, "two digits"
  // two of them and then nothing, one whose root begins with a literal allows all, as its text is
  // the script's affair; others throw.
  std::unique_ptr<Grammar> make_grammar(const GrammarSpec& spec) const override;

 private:
  FakeDecoder::Options options_;
  FakeDecoder::Script script_;
  ModelInfo info_;
  std::unique_ptr<Vocabulary> vocabulary_;
  std::unique_ptr<ChatTemplate> chat_template_;
};

}  // namespace polyphon
