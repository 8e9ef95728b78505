// Turns the bytes of tokens into text that can be shown to a client: only whole UTF-8 characters,
// and nothing that could still be the beginning of a stop string. Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace polyphon {

class TextStream {
 public:
  explicit TextStream(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  // Adds bytes and returns the text that can be shown now (often empty). Invalid bytes become
  // U+FFFD. After a stop string it returns nothing more.
  std::string push(std::string_view piece);
  // Call at the end: returns the text that was held back.
  std::string flush();

  // Whether a stop string was found. text() contains neither the stop string nor anything after it.
  bool stopped() const { return stopped_; }
  // All text returned so far.
  const std::string& text() const { return text_; }

 private:
  std::string show(size_t length);

  std::vector<std::string> stops_;
  std::string held_;
  std::string text_;
  bool stopped_ = false;
};

}  // namespace polyphon
