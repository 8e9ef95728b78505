// Streams side by side on a terminal: a pure layout, and the screen that redraws it in place.
#pragma once

#include <string>
#include <vector>

namespace polyphon {

struct StreamView {
  int id = 0;
  std::string strategy;
  std::string text;  // UTF-8
  int tokens = 0;
  std::string finish_reason;  // empty while it thinks
};

// Lines of at most `width` columns: boxes of streams side by side, as many in a row as are at least
// 24 columns wide, each with a title and the last lines of its text. At most `height` lines. Every
// UTF-8 character counts as one column.
std::vector<std::string> layout_streams(const std::vector<StreamView>& streams, int width,
                                        int height);

// Redraws on standard error, which must be a terminal.
class ThinkScreen {
 public:
  ThinkScreen();
  void draw(const std::vector<StreamView>& streams);
  // Below what was drawn the terminal is the caller's again.
  void leave();
  // What was drawn goes, and the caller writes in its place.
  void erase();

 private:
  int width_ = 80;
  int height_ = 24;
  int drawn_lines_ = 0;
};

}  // namespace polyphon
