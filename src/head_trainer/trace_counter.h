// How many traces are read, on standard error: one line that is redrawn on a terminal, elsewhere a
// line every 50. One thread.
#pragma once

namespace polyphon {

class TraceCounter {
 public:
  TraceCounter();
  ~TraceCounter();  // takes a terminal's line away
  TraceCounter(const TraceCounter&) = delete;
  TraceCounter& operator=(const TraceCounter&) = delete;

  void show(int done) const;

 private:
  const bool screen_;
};

}  // namespace polyphon
