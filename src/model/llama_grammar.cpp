#include "model/llama_grammar.h"

#include <cctype>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "model/grammar_limits.h"
#include "model/llama_backend.h"

namespace polyphon {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

std::string escape_pattern(const std::string& word) {
  std::string pattern;
  for (char c : word) {
    if (std::string_view(".^$|()*+?[]{}\\").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

std::string anchor(const std::string& pattern) {
  if (pattern.empty()) return "^$";
  return (pattern.front() == '^' ? "" : "^") + pattern + (pattern.back() == '$' ? "" : "$");
}

using SamplerHandle = std::unique_ptr<llama_sampler, decltype(&llama_sampler_free)>;

// llama.cpp's grammar matcher. A token it refuses while accepting throws there; here the grammar
// then allows nothing more, and the sampler ends the sequence.
class LlamaGrammar final : public Grammar {
 public:
  LlamaGrammar(SamplerHandle matcher, const Vocabulary& vocabulary)
      : matcher_(std::move(matcher)),
        vocabulary_(vocabulary),
        candidates_(static_cast<size_t>(vocabulary.size())) {}

  void mask(std::span<float> logits) override {
    for (size_t i = 0; i < logits.size(); ++i)
      candidates_[i] = {static_cast<llama_token>(i), logits[i], 0};
    apply({candidates_.data(), logits.size(), -1, false});
    for (const llama_token_data& candidate : candidates_)
      logits[static_cast<size_t>(candidate.id)] = candidate.logit;
  }

  bool allows(Token token) override {
    one_ = {token, 1.0f, 0};
    apply({&one_, 1, -1, false});
    return !std::isinf(one_.logit);
  }

  void accept(Token token) override {
    // An end that is not allowed would abort the process.
    if (vocabulary_.is_end_of_generation(token) && !allows(token)) broken_ = true;
    if (broken_) return;
    try {
      llama_sampler_accept(matcher_.get(), token);
    } catch (const std::exception&) {
      broken_ = true;
    }
  }

 private:
  void apply(llama_token_data_array candidates) {
    if (broken_) {
      for (size_t i = 0; i < candidates.size; ++i) candidates.data[i].logit = kNever;
      return;
    }
    llama_sampler_apply(matcher_.get(), &candidates);
  }

  SamplerHandle matcher_;
  const Vocabulary& vocabulary_;
  std::vector<llama_token_data> candidates_;
  llama_token_data one_{};
  bool broken_ = false;
};

SamplerHandle make_matcher(const llama_vocab* vocabulary, const GrammarSpec& spec) {
  std::vector<std::string> patterns;
  std::vector<llama_token> tokens;
  for (const GrammarSpec::Trigger& trigger : spec.triggers) {
    switch (trigger.kind) {
      case GrammarSpec::Trigger::Kind::kToken:
        tokens.push_back(trigger.token);
        break;
      case GrammarSpec::Trigger::Kind::kWord:
        patterns.push_back(escape_pattern(trigger.value));
        break;
      case GrammarSpec::Trigger::Kind::kPattern:
        patterns.push_back(trigger.value);
        break;
      case GrammarSpec::Trigger::Kind::kPatternFull:
        patterns.push_back(anchor(trigger.value));
        break;
    }
  }
  std::vector<const char*> pattern_texts;
  for (const std::string& pattern : patterns) pattern_texts.push_back(pattern.c_str());
  llama_sampler* const matcher =
      spec.lazy ? llama_sampler_init_grammar_lazy_patterns(
                      vocabulary, spec.gbnf.c_str(), "root", pattern_texts.data(),
                      pattern_texts.size(), tokens.data(), tokens.size())
                : llama_sampler_init_grammar(vocabulary, spec.gbnf.c_str(), "root");
  return {matcher, llama_sampler_free};
}

// Tokens that the template has already opened in the prompt.
void feed_generation_prompt(llama_sampler* matcher, const Vocabulary& text,
                            const std::string& prompt) {
  const Tokens tokens = text.tokenize(prompt, true, false);
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string piece = text.piece(tokens[i], true);
    const bool added_space =
        i == 0 && !piece.empty() && std::isspace(piece[0]) != 0 && std::isspace(prompt[0]) == 0;
    if (!added_space) llama_sampler_accept(matcher, tokens[i]);
  }
}

}  // namespace

std::unique_ptr<Grammar> make_llama_grammar(const llama_vocab* vocabulary, const Vocabulary& text,
                                            const GrammarSpec& spec) {
  std::string why;
  try {
    check_grammar_limits(spec.gbnf);
    take_llama_errors();
    SamplerHandle matcher = make_matcher(vocabulary, spec);
    if (matcher) {
      if (!spec.lazy) feed_generation_prompt(matcher.get(), text, spec.generation_prompt);
      return std::make_unique<LlamaGrammar>(std::move(matcher), text);
    }
    why = "the grammar does not parse: " + take_llama_errors();
  } catch (const Error& error) {
    why = error.what();
  } catch (const std::exception& error) {
    why = std::string("the grammar does not parse: ") + error.what();
  }
  throw Error(ErrorCode::kInvalidArgument, spec.field + ": " + why, spec.field);
}

}  // namespace polyphon
