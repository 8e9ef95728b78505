#include "text/memory_markers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "text/sentences.h"

namespace polyphon {
namespace {

struct Opening {
  MarkerKind kind;
  std::string_view text;
};
constexpr std::array<Opening, 2> kOpenings = {
    {{MarkerKind::kRemember, "[remember:"}, {MarkerKind::kRecall, "[recall:"}}};

// Whether the text is, or may still become, a marker that is not closed yet.
bool may_be_marker(std::string_view text) {
  return std::any_of(kOpenings.begin(), kOpenings.end(), [&](const Opening& opening) {
    if (text.size() <= opening.text.size()) return opening.text.starts_with(text);
    return text.starts_with(opening.text) && text.back() != '\n' &&
           text.size() - opening.text.size() <= kMostMarkerBytes;
  });
}

}  // namespace

std::optional<Marker> MarkerScanner::push(std::string_view piece) {
  std::optional<Marker> closed;
  for (char c : piece) {
    if (c == '[') {  // start again: a marker has no bracket inside
      held_.clear();
    }
    if (c == ']') {
      if (auto marker = close()) closed = std::move(marker);
      held_.clear();
    } else if (c == '[' || !held_.empty()) {
      held_ += c;
      if (!may_be_marker(held_)) held_.clear();
    }
  }
  ++pieces_;
  return closed;
}

std::optional<Marker> MarkerScanner::close() {
  for (const Opening& opening : kOpenings) {
    if (!held_.starts_with(opening.text)) continue;
    const std::string_view text = trim(std::string_view(held_).substr(opening.text.size()));
    if (!text.empty()) return Marker{opening.kind, std::string(text)};
  }
  return std::nullopt;
}

std::string marker_grammar() {
  return fmt::format(
      "root ::= \"[\" (\"remember: \" | \"recall: \") first rest \"]\"\n"
      "first ::= [^\\[\\] \\t\\r\\n]\n"
      "rest ::= [^\\[\\]\\n]{{0,{}}}\n",
      kMostMarkerBytes / 4 - 1);  // a character has at most 4 bytes
}

std::string marker_explanation() {
  return "(I write [remember: a fact] to keep a fact, and [recall: words] to get it back.)\n";
}

}  // namespace polyphon
