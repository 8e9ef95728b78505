#include "grammar/token_matcher.h"

#include <limits>

namespace polyphon {
namespace {

constexpr size_t kMaxMasks = 256;

}  // namespace

TokenMatcher::TokenMatcher(std::shared_ptr<const GrammarProgram> program,
                           std::shared_ptr<const TokenTexts> texts)
    : texts_(std::move(texts)), matcher_(std::move(program)), state_(matcher_.start()) {}

void TokenMatcher::renew() {
  state_ = matcher_.renew_budget(state_);
  if (matcher_.generation() == generation_ && masks_.size() <= kMaxMasks) return;
  generation_ = matcher_.generation();
  masks_.clear();
}

Matcher::State TokenMatcher::after(State state, std::string_view text) {
  for (const char c : text) {
    if (state == Matcher::kDead) break;
    state = matcher_.after(state, static_cast<uint8_t>(c));
  }
  return state;
}

Matcher::State TokenMatcher::after(State state, Token token) {
  if (token < 0 || token >= texts_->size() || texts_->is_end(token)) return Matcher::kDead;
  const std::string_view text = texts_->text(token);
  const State by_text = text.empty() ? Matcher::kDead : after(state, text);
  if (!matcher_.names_tokens(state)) return by_text;
  return matcher_.either(by_text, matcher_.after_token(state, token));
}

bool TokenMatcher::allows(Token token) {
  renew();
  if (texts_->is_end(token)) return matcher_.accepts(state_);
  return after(state_, token) != Matcher::kDead;
}

void TokenMatcher::accept(Token token) {
  renew();
  if (texts_->is_end(token) && matcher_.accepts(state_)) return;
  state_ = after(state_, token);
}

void TokenMatcher::accept_text(std::string_view text) {
  renew();
  state_ = after(state_, text);
}

void TokenMatcher::mask(std::span<float> logits) {
  const std::vector<bool>& may = allowed();
  for (size_t i = 0; i < logits.size(); ++i)
    if (!may[i]) logits[i] = -std::numeric_limits<float>::infinity();
}

// Walks the sorted texts with a stack of the states after each byte.
const std::vector<bool>& TokenMatcher::allowed() {
  renew();
  const auto [found, added] = masks_.try_emplace(state_);
  std::vector<bool>& may = found->second;
  if (!added) return may;
  may.assign(static_cast<size_t>(texts_->size()), false);
  std::vector<State> states(texts_->longest() + 1, Matcher::kDead);
  states[0] = state_;
  size_t known = 0;  // states[0 .. known] are those of the last text; the last of them may be dead
  for (const TokenTexts::Entry& entry : texts_->sorted()) {
    const size_t shared = entry.shared;
    if (shared < known) known = shared;
    const std::string_view text = texts_->text(entry.token);
    while (known < text.size() && states[known] != Matcher::kDead) {
      states[known + 1] = matcher_.after(states[known], static_cast<uint8_t>(text[known]));
      ++known;
    }
    may[static_cast<size_t>(entry.token)] = known == text.size() && states[known] != Matcher::kDead;
  }
  if (matcher_.names_tokens(state_))
    for (Token token = 0; token < texts_->size(); ++token)
      if (matcher_.after_token(state_, token) != Matcher::kDead)
        may[static_cast<size_t>(token)] = true;
  for (const Token end : texts_->ends()) may[static_cast<size_t>(end)] = matcher_.accepts(state_);
  return may;
}

}  // namespace polyphon
