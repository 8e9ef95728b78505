// How much prompt a step may take, from what earlier steps took on this machine. Not thread-safe.
#pragma once

#include <span>

namespace polyphon {

class StepPace {
 public:
  // `rows` tokens of one prompt, the first at position `begin`.
  struct Chunk {
    int rows = 0;
    int begin = 0;
  };

  // One forward pass of prompts took `ms` in all.
  void prompts_took(std::span<const Chunk> chunks, double ms);
  // A step took `ms` beside its prompts: forward pass, choice of tokens and callbacks.
  void sampled_rows_took(double ms);

  // The time that prompts may take in a step beside streams that a client reads. The gap between
  // two tokens of a stream is then at most kGapMs or kGapSteps steps without prompts, whichever is
  // more. Not two steps: a forward pass takes about a step before its first row of a prompt.
  double prompt_ms_beside_streams() const;
  // How many tokens of a prompt at position `begin` fit into `ms`. A few, before any was measured.
  int rows_within(double ms, int begin) const;

  static constexpr double kGapMs = 150;
  static constexpr double kGapSteps = 2.5;

 private:
  // A row costs row_ms_, and cell_ms_ more for each 1,024 cells that it sees.
  double row_ms_ = 0, cell_ms_ = 0;
  double step_ms_ = 0;  // without prompts
};

}  // namespace polyphon
