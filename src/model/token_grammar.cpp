#include "model/token_grammar.h"

#include <algorithm>
#include <cctype>
#include <limits>
#include <optional>
#include <regex>
#include <vector>

#include "base/error.h"
#include "grammar/gbnf.h"
#include "grammar/token_matcher.h"

namespace polyphon {
namespace {

constexpr size_t kKeptPrograms = 8;
constexpr size_t kMaxKeptText = 1 << 18;  // bytes of one grammar
// How far back a trigger may begin. The templates' patterns are short, and the standard library's
// matcher recurses over the text.
constexpr size_t kTriggerWindow = 512;

// Waits in generated text for the first trigger.
class Trigger {
 public:
  explicit Trigger(const GrammarSpec& spec) {
    using Kind = GrammarSpec::Trigger::Kind;
    for (const GrammarSpec::Trigger& trigger : spec.triggers) {
      if (trigger.kind == Kind::kToken)
        tokens_.push_back(trigger.token);
      else if (trigger.kind == Kind::kWord)
        words_.push_back(trigger.value);
      else
        patterns_.push_back({std::regex(trigger.value),
                             trigger.kind == Kind::kPatternFull || is_anchored(trigger.value)});
    }
  }

  bool is(Token token) const {
    return std::find(tokens_.begin(), tokens_.end(), token) != tokens_.end();
  }

  // Adds a token's text. The text that the grammar reads when a trigger has come: from where the
  // trigger begins.
  std::optional<std::string> add(const std::string& text) {
    recent_ += text;
    if (recent_.size() > kTriggerWindow + text.size()) {
      recent_.erase(0, recent_.size() - kTriggerWindow - text.size());
      whole_ = false;
    }
    for (const std::string& word : words_)
      if (const size_t at = recent_.find(word); at != std::string::npos) return recent_.substr(at);
    for (const auto& [regex, full] : patterns_) {
      std::smatch match;
      if ((full && whole_ && std::regex_match(recent_, match, regex)) ||
          (!full && std::regex_search(recent_, match, regex)))
        return recent_.substr(begin_of(match));
    }
    return std::nullopt;
  }

 private:
  static bool is_anchored(const std::string& pattern) {
    return pattern.size() >= 2 && pattern.front() == '^' && pattern.back() == '$';
  }

  // Of the first group that matched, else of the whole.
  static size_t begin_of(const std::smatch& match) {
    for (size_t i = 1; i < match.size(); ++i)
      if (match.length(i) > 0) return static_cast<size_t>(match.position(i));
    return static_cast<size_t>(match.position(0));
  }

  struct Pattern {
    std::regex regex;
    bool full;  // of all the text so far
  };
  std::vector<Token> tokens_;
  std::vector<std::string> words_;
  std::vector<Pattern> patterns_;
  std::string recent_;
  bool whole_ = true;  // recent_ is all the text so far
};

class TokenGrammar final : public Grammar {
 public:
  TokenGrammar(TokenMatcher matcher, const Vocabulary& vocabulary, std::optional<Trigger> trigger)
      : matcher_(std::move(matcher)), vocabulary_(vocabulary), trigger_(std::move(trigger)) {}

  void mask(std::span<float> logits) override {
    if (trigger_) return;
    const bool done = bounded([&] { matcher_.mask(logits); });
    if (!done) std::fill(logits.begin(), logits.end(), -std::numeric_limits<float>::infinity());
  }

  bool allows(Token token) override {
    if (trigger_) return true;
    bool allowed = false;
    bounded([&] { allowed = matcher_.allows(token); });
    return allowed;
  }

  void accept(Token token) override {
    bounded([&] {
      if (!trigger_) return matcher_.accept(token);
      if (trigger_->is(token)) {
        trigger_.reset();
        return matcher_.accept(token);
      }
      const auto text = trigger_->add(vocabulary_.piece(token, true));
      if (!text) return;
      trigger_.reset();
      matcher_.accept_text(*text);
    });
  }

  const char* fault() const override {
    return exceeded_ ? GrammarBudgetExceeded().what() : nullptr;
  }

 private:
  template <typename Work>
  bool bounded(Work work) {
    if (exceeded_) return false;
    try {
      work();
    } catch (const GrammarBudgetExceeded&) {
      exceeded_ = true;
    }
    return !exceeded_;
  }

  TokenMatcher matcher_;
  const Vocabulary& vocabulary_;
  std::optional<Trigger> trigger_;  // until it has come
  bool exceeded_ = false;
};

// What the template has opened in the prompt is read first, token by token. A vocabulary may put a
// space before it that was not written.
void read_prompt(TokenMatcher& matcher, const Vocabulary& vocabulary, const std::string& prompt) {
  const Tokens tokens = vocabulary.tokenize(prompt, true, false);
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string piece = vocabulary.piece(tokens[i], true);
    const bool added_space = i == 0 && !piece.empty() &&
                             std::isspace(static_cast<unsigned char>(piece[0])) != 0 &&
                             std::isspace(static_cast<unsigned char>(prompt[0])) == 0;
    if (added_space)
      matcher.accept_text(std::string_view(piece).substr(1));
    else
      matcher.accept(tokens[i]);
  }
  if (matcher.dead())
    throw Error(ErrorCode::kInvalidArgument, "the grammar does not fit what the prompt opens");
}

}  // namespace

std::shared_ptr<const TokenTexts> GrammarMaker::texts() const {
  const std::lock_guard lock(mutex_);
  if (!texts_) {
    std::vector<std::string> texts;
    std::vector<Token> ends;
    for (Token token = 0; token < vocabulary_.size(); ++token) {
      texts.push_back(vocabulary_.piece(token, true));
      if (vocabulary_.is_end_of_generation(token)) ends.push_back(token);
    }
    texts_ = std::make_shared<const TokenTexts>(texts, std::move(ends));
  }
  return texts_;
}

std::shared_ptr<const GrammarProgram> GrammarMaker::program(const std::string& gbnf) const {
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(kept_.begin(), kept_.end(),
                                    [&](const Kept& kept) { return kept.gbnf == gbnf; });
    if (found != kept_.end()) {
      std::rotate(kept_.begin(), found, std::next(found));
      return kept_.front().program;
    }
  }
  const TokenByName by_name = [&](std::string_view text) -> std::optional<Token> {
    const Tokens tokens = vocabulary_.tokenize(text, true, false);
    return tokens.size() == 1 ? std::optional(tokens[0]) : std::nullopt;
  };
  auto program = std::make_shared<const GrammarProgram>(compile_grammar(parse_gbnf(gbnf, by_name)));
  if (gbnf.size() > kMaxKeptText) return program;
  const std::lock_guard lock(mutex_);
  kept_.push_front({gbnf, program});
  if (kept_.size() > kKeptPrograms) kept_.pop_back();
  return program;
}

std::unique_ptr<Grammar> GrammarMaker::make(const GrammarSpec& spec) const {
  std::string why;
  try {
    TokenMatcher matcher(program(spec.gbnf), texts());
    if (!spec.lazy && !spec.generation_prompt.empty())
      read_prompt(matcher, vocabulary_, spec.generation_prompt);
    return std::make_unique<TokenGrammar>(
        std::move(matcher), vocabulary_,
        spec.lazy ? std::optional<Trigger>(Trigger(spec)) : std::nullopt);
  } catch (const std::regex_error& error) {
    why = std::string("a trigger of the grammar is no regular expression: ") + error.what();
  } catch (const std::exception& error) {
    why = error.what();
  }
  throw Error(ErrorCode::kInvalidArgument, spec.field + ": " + why, spec.field);
}

}  // namespace polyphon
