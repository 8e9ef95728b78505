// How a stream says that it wants to keep or to recall something, in its own text:
//   [remember: the code is 4417]   [recall: code]
// One line, no bracket inside, at most kMostMarkerBytes of words; what is anything else is plain
// text. Pure.
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

// Reads a stream's text piece by piece, however it is cut.
class MarkerScanner {
 public:
  // The marker that this piece closes; of two closed by one piece the last.
  std::optional<Marker> push(std::string_view piece);

 private:
  std::optional<Marker> close();

  std::string held_;  // from an opening bracket on, as long as it may become a marker
  size_t pieces_ = 0;
};

// GBNF of exactly one marker, as the scanner takes it (white space around the words apart).
std::string marker_grammar();
// What a stream is told when it may use them.
std::string marker_explanation();

}  // namespace polyphon
