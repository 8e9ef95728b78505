#include "model/fake_language_model.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

#include "base/error.h"

namespace polyphon {
namespace {

constexpr std::array<std::string_view, 3> kControl = {"<eos>", "<|im_start|>", "<|im_end|>"};

class ByteVocabulary final : public Vocabulary {
 public:
  int size() const override { return FakeTokens::kCount; }

  Tokens tokenize(std::string_view text, bool parse_special, bool) const override {
    Tokens tokens;
    while (!text.empty()) {
      const auto control = std::find_if(
          kControl.begin(), kControl.end(),
          [&](std::string_view name) { return parse_special && text.starts_with(name); });
      if (control != kControl.end()) {
        tokens.push_back(256 + static_cast<Token>(control - kControl.begin()));
        text.remove_prefix(control->size());
      } else {
        tokens.push_back(static_cast<unsigned char>(text[0]));
        text.remove_prefix(1);
      }
    }
    return tokens;
  }

  std::string piece(Token token, bool render_special) const override {
    if (token < 256) return std::string(1, static_cast<char>(token));
    return render_special ? std::string(kControl[static_cast<size_t>(token) - 256]) : "";
  }

  bool is_end_of_generation(Token token) const override {
    return token == FakeTokens::kEnd || token == FakeTokens::kTurnEnd;
  }

  int longest_piece_bytes() const override { return 12; }  // "<|im_start|>"
};

class PlainParser final : public MessageParser {
 public:
  ParsedMessage parse(const std::string& text, bool) const override { return {text, "", {}}; }
};

class ChatMl final : public ChatTemplate {
 public:
  ChatPrompt render(const ChatInput& input) const override {
    ChatPrompt prompt;
    if (!input.tools.is_null()) prompt.text = input.tool_choice + input.tools.dump() + "\n";
    for (const Json& message : input.messages)
      prompt.text += "<|im_start|>" + message.at("role").get<std::string>() + "\n" +
                     message.at("content").get<std::string>() + "<|im_end|>\n";
    prompt.text += "<|im_start|>assistant\n";
    prompt.grammar.gbnf = input.grammar;
    prompt.parser = std::make_shared<PlainParser>();
    return prompt;
  }

  std::string interjection(const std::string& instruction) const override {
    return "<|im_end|>\n<|im_start|>user\n" + instruction + "<|im_end|>\n<|im_start|>assistant\n";
  }

  std::string source() const override { return "chatml"; }
};

class DigitGrammar final : public Grammar {
 public:
  explicit DigitGrammar(int most) : left_(most) {}
  void mask(std::span<float> logits) override {
    for (size_t i = 0; i < logits.size(); ++i)
      if (!allows(static_cast<Token>(i))) logits[i] = -std::numeric_limits<float>::infinity();
  }
  bool allows(Token token) override {
    return left_ > 0 && ((token >= '0' && token <= '9') || token == FakeTokens::kEnd);
  }
  void accept(Token) override { --left_; }

 private:
  int left_;
};

class LooseGrammar final : public Grammar {
 public:
  void mask(std::span<float>) override {}
  bool allows(Token) override { return true; }
  void accept(Token) override {}
};

}  // namespace

FakeLanguageModel::FakeLanguageModel(FakeDecoder::Options options, FakeDecoder::Script script)
    : options_(options),
      script_(std::move(script)),
      vocabulary_(std::make_unique<ByteVocabulary>()),
      chat_template_(std::make_unique<ChatMl>()) {
  options_.vocabulary_size = FakeTokens::kCount;
  info_.name = "fake";
  info_.architecture = "fake";
  info_.trained_context = 1 << 20;
  info_.hidden_size = options_.hidden_size;
  info_.layers = 1;
}

FakeLanguageModel::~FakeLanguageModel() = default;

std::unique_ptr<Decoder> FakeLanguageModel::make_decoder(const DecoderOptions& options) const {
  FakeDecoder::Options sizes = options_;
  sizes.capacity_cells = options.context_cells;
  sizes.max_sequences = options.max_sequences;
  sizes.max_rows = options.max_rows;
  return std::make_unique<FakeDecoder>(sizes, script_);
}

std::unique_ptr<FakeDecoder> FakeLanguageModel::make_fake_decoder() const {
  return std::make_unique<FakeDecoder>(options_, script_);
}

std::unique_ptr<Grammar> FakeLanguageModel::make_grammar(const GrammarSpec& spec) const {
  if (spec.gbnf == "digits") return std::make_unique<DigitGrammar>(1 << 30);
  if (spec.gbnf == "two digits") return std::make_unique<DigitGrammar>(2);
  if (spec.gbnf.starts_with("root ::= \"")) return std::make_unique<LooseGrammar>();
  throw Error(ErrorCode::kInvalidArgument, "the grammar does not parse: " + spec.gbnf, "grammar");
}

}  // namespace polyphon
