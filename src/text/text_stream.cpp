#include "text/text_stream.h"

#include <algorithm>
#include <tuple>

#include "base/utf8.h"

namespace polyphon {
namespace {

// Length of the longest suffix of `text` that is a prefix of `stop`.
size_t overlap(std::string_view text, std::string_view stop) {
  for (size_t length = std::min(text.size(), stop.size()); length > 0; --length)
    if (text.ends_with(stop.substr(0, length))) return length;
  return 0;
}

}  // namespace

std::string TextStream::push(std::string_view piece) {
  if (stopped_) return "";
  held_ += piece;
  // The stop string that is complete first counts; of two that end at the same byte, the longer
  // one. So the result does not depend on how the text was cut into pieces.
  size_t stop_at = std::string::npos, stop_end = std::string::npos;
  size_t unsure = 0;
  for (const std::string& stop : stops_) {
    if (stop.empty()) continue;
    unsure = std::max(unsure, overlap(held_, stop));
    const size_t at = held_.find(stop);
    if (at != std::string::npos)
      std::tie(stop_end, stop_at) =
          std::min(std::tuple(stop_end, stop_at), std::tuple(at + stop.size(), at));
  }
  if (stop_at != std::string::npos) {
    stopped_ = true;
    std::string shown = show(stop_at);
    held_.clear();
    return shown;
  }
  return show(complete_utf8_prefix(std::string_view(held_).substr(0, held_.size() - unsure)));
}

std::string TextStream::flush() { return show(held_.size()); }

std::string TextStream::show(size_t length) {
  std::string shown = sanitize_utf8(std::string_view(held_).substr(0, length));
  held_.erase(0, length);
  text_ += shown;
  return shown;
}

}  // namespace polyphon
