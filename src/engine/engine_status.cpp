#include "engine/engine.h"

namespace polyphon {

EngineCounts& EngineCounts::operator+=(const EngineCounts& other) {
  steps += other.steps;
  prompt_tokens += other.prompt_tokens;
  prompt_tokens_cached += other.prompt_tokens_cached;
  generated_tokens += other.generated_tokens;
  prefill_seconds += other.prefill_seconds;
  decode_seconds += other.decode_seconds;
  sample_seconds += other.sample_seconds;
  sessions_cancelled += other.sessions_cancelled;
  sessions_failed += other.sessions_failed;
  return *this;
}

EngineStatus& EngineStatus::operator+=(const EngineStatus& other) {
  EngineCounts::operator+=(other);
  if (activity == Activity::kIdle || other.step_ms > step_ms) {
    activity = other.activity;
    step_ms = other.step_ms;
  }
  sessions_live += other.sessions_live;
  sessions_waiting += other.sessions_waiting;
  sequences_decoding += other.sequences_decoding;
  cells_capacity += other.cells_capacity;
  cells_used += other.cells_used;
  cells_cached += other.cells_cached;
  prefixes_cached += other.prefixes_cached;
  sessions.insert(sessions.end(), other.sessions.begin(), other.sessions.end());
  return *this;
}

}  // namespace polyphon
