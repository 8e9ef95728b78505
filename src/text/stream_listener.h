// Reads the text of one stream token by token and reports each marker that closes and each sentence
// that ends. Pure; one listener per stream.
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
  // Takes the stream's next token. Sentences that contain a marker are not reported.
  void hear(std::string_view piece, double logprob);
  // The marker or sentence that the last hear() completed; each is returned once.
  std::optional<Marker> take_marker() { return std::exchange(marker_, {}); }
  std::optional<HeardSentence> take_sentence() { return std::exchange(sentence_, {}); }

  size_t heard() const { return heard_; }
  // About the last `bytes` bytes of the text, starting at the beginning of a word.
  std::string tail(size_t bytes) const;

 private:
  void end_sentence();

  MarkerScanner scanner_;
  std::optional<Marker> marker_;
  std::optional<HeardSentence> sentence_;
  size_t heard_ = 0;
  std::string text_;  // the sentence so far
  size_t sentence_first_ = 0;
  double logprob_sum_ = 0;
  std::string tail_;
};

}  // namespace polyphon
