// Markers: how a stream asks, in its own text, to keep or to recall something:
//   [remember: the code is 4417]   [recall: code]
// A marker is one line, has no bracket inside and at most kMostMarkerBytes of words. Any other text
// is plain text. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace polyphon {

inline constexpr size_t kMostMarkerBytes = 240;

enum class MarkerKind { kRemember, kRecall };

struct Marker {
  MarkerKind kind = MarkerKind::kRemember;
  std::string text;  // between the colon and the bracket, trimmed, not empty
};

// Finds markers in a stream's text, which may arrive in pieces of any length.
class MarkerScanner {
 public:
  // The marker that ends in this piece; the last one if two end in it.
  std::optional<Marker> push(std::string_view piece);

 private:
  std::optional<Marker> close();

  std::string held_;  // text from an opening bracket on, as long as it may become a marker
  size_t pieces_ = 0;
};

// A GBNF grammar of exactly one marker as the scanner reads it, without white space around the
// words.
std::string marker_grammar();
// The explanation that a stream gets if it may use markers.
std::string marker_explanation();

}  // namespace polyphon
