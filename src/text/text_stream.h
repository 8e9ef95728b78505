// Bytes of tokens in, text that may be shown out: whole UTF-8 characters only, and nothing that
// could still turn out to be the beginning of a stop string.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace polyphon {

class TextStream {
 public:
  explicit TextStream(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  // The text that may be shown now, often empty. Invalid bytes become U+FFFD. After a stop string
  // nothing more comes.
  std::string push(std::string_view piece);
  // What was held back, at the end.
  std::string flush();

  // A stop string was met; neither it nor what followed is in text().
  bool stopped() const { return stopped_; }
  // All that was returned so far.
  const std::string& text() const { return text_; }

 private:
  std::string show(size_t length);

  std::vector<std::string> stops_;
  std::string held_;
  std::string text_;
  bool stopped_ = false;
};

}  // namespace polyphon
