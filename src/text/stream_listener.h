// Hears one stream token by token: when a marker closes, when a sentence ends. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "text/memory_markers.h"

namespace polyphon {

struct HeardSentence {
  std::string text;       // trimmed
  double confidence = 0;  // exp of the mean log-probability
};

class StreamListener {
 public:
  // The stream's next token. Sentences that hold a marker are not reported.
  void hear(std::string_view piece, double logprob);
  // Of the last hear(): each at most once.
  std::optional<Marker> take_marker() { return std::exchange(marker_, {}); }
  std::optional<HeardSentence> take_sentence() { return std::exchange(sentence_, {}); }

  size_t heard() const { return heard_; }
  // About the last `bytes` of what was heard, from a word's begin on.
  std::string tail(size_t bytes) const;

 private:
  void end_sentence();

  MarkerScanner scanner_;
  std::optional<Marker> marker_;
  std::optional<HeardSentence> sentence_;
  size_t heard_ = 0;
  std::string text_;  // of the sentence so far
  size_t sentence_first_ = 0;
  double logprob_sum_ = 0;
  std::string tail_;
};

}  // namespace polyphon
