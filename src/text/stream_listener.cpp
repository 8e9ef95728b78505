#include "text/stream_listener.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "base/ascii.h"
#include "base/utf8.h"
#include "text/sentences.h"

namespace polyphon {
namespace {

constexpr size_t kTailBytes = 1024;

bool holds_marker(const std::string& text) {
  return text.find("[remember:") != std::string::npos || text.find("[recall:") != std::string::npos;
}

}  // namespace

void StreamListener::hear(std::string_view piece, double logprob) {
  // A punctuation mark ends a sentence only if white space follows, so the point of 3.5 does not.
  const bool marked = !text_.empty() && std::string_view(".!?").find(text_.back()) < 3;
  const bool line_over = !text_.empty() && text_.back() == '\n';
  if (line_over || (marked && !piece.empty() && is_space(piece.front()))) end_sentence();
  marker_ = scanner_.push(piece);
  text_ += piece;
  logprob_sum_ += logprob;
  ++heard_;
  tail_ += piece;
  if (tail_.size() > 2 * kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
}

void StreamListener::end_sentence() {
  const std::string_view words = trim(text_);
  if (!words.empty() && !holds_marker(text_))
    sentence_ = {sanitize_utf8(words),
                 std::exp(logprob_sum_ / static_cast<double>(heard_ - sentence_first_))};
  text_.clear();
  sentence_first_ = heard_;
  logprob_sum_ = 0;
}

std::string StreamListener::tail(size_t bytes) const {
  if (tail_.size() <= bytes) return sanitize_utf8(tail_);
  const auto from = std::find_if(tail_.end() - static_cast<std::ptrdiff_t>(bytes), tail_.end(),
                                 [](char c) { return is_space(c); });
  return sanitize_utf8(std::string_view(from, tail_.end()));
}

}  // namespace polyphon
