// Shows a session while it thinks and answers: streams on standard error, the answer on standard
// output.
#pragma once

#include <string>
#include <vector>

#include "app/think_view.h"
#include "streams/events.h"

namespace polyphon {

enum class ThinkShown {
  kNothing,           // the events are only gathered
  kStreamsAndAnswer,  // what streams thought stays on the screen above the answer
  kAnswer,            // a terminal shows the streams until the answer begins; a file never does
};

class ThinkReporter {
 public:
  explicit ThinkReporter(ThinkShown shown);

  // In the order in which the session tells them. Throws as print_out().
  void operator()(const SessionEvent& event);
  // Nothing more comes: a screen of streams that is still there is left, or erased.
  void end();

  const std::string& answer() const { return answer_; }
  // All streams' texts, each with its number and strategy.
  std::string reasoning() const;

 private:
  void told(const std::string& line) const;  // a line about what happened
  void leave_streams();

  const ThinkShown shown_;
  const bool screen_;  // streams are drawn
  ThinkScreen view_;
  std::vector<StreamView> streams_;
  std::string answer_;
  int drawn_ = 0;
  bool left_ = false;
};

}  // namespace polyphon
