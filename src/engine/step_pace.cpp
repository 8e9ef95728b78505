#include "engine/step_pace.h"

#include <algorithm>
#include <cmath>

namespace polyphon {
namespace {

constexpr int kRowsBeforeMeasured = 32;
// How fast the estimates follow: one pass that a busy neighbour held up must not decide the next.
constexpr double kLearningRate = 0.5;
constexpr double kStepRate = 0.25;
// Passes take up to a fifth more than estimated: with this, nine gaps in ten are within kGapMs.
constexpr double kAim = 0.85;

}  // namespace

// Normalised least mean squares: the line is moved towards the last measurement, along what that
// measurement says something about. Exact for the first one.
void StepPace::prompts_took(std::span<const Chunk> chunks, double ms) {
  double rows = 0, kilocells = 0;
  for (const Chunk& chunk : chunks) {
    rows += chunk.rows;
    kilocells += chunk.rows * (chunk.begin + chunk.rows / 2.0) / 1024;
  }
  if (rows <= 0) return;
  const double rate = row_ms_ == 0 ? 1 : kLearningRate;
  const double error = ms - row_ms_ * rows - cell_ms_ * kilocells;
  const double step = rate * error / (rows * rows + kilocells * kilocells);
  // A row is never free: an estimate that fell to zero would let a chunk of any size through.
  row_ms_ = std::max({row_ms_ + step * rows, row_ms_ / 4, 1e-6});
  cell_ms_ = std::max(0.0, cell_ms_ + step * kilocells);
}

void StepPace::sampled_rows_took(double ms) {
  step_ms_ = step_ms_ == 0 ? ms : step_ms_ + kStepRate * (ms - step_ms_);
}

double StepPace::prompt_ms_beside_streams() const {
  return std::max(kAim * kGapMs - step_ms_, kGapSteps * step_ms_ - step_ms_);
}

int StepPace::rows_within(double ms, int begin) const {
  if (row_ms_ == 0) return kRowsBeforeMeasured;
  // The positive root of  cell_ms_/2048 n² + (row_ms_ + cell_ms_ begin/1024) n = ms.
  const double first_row_ms = row_ms_ + cell_ms_ * begin / 1024;
  const double root = std::sqrt(first_row_ms * first_row_ms + cell_ms_ / 512 * std::max(0.0, ms));
  return static_cast<int>(std::min(1e6, 2 * std::max(0.0, ms) / (first_row_ms + root)));
}

}  // namespace polyphon
