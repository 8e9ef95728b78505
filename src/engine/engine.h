// The engine: one thread that owns the decoder, batches the rows of all sessions, samples, and
// hands tokens out. See ARCHITECTURE.md for one request's way through it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/session.h"
#include "model/decoder.h"

namespace polyphon {

enum class Priority { kInteractive, kBackground };

struct EngineOptions {
  int max_waiting = 256;         // sessions in the queue; one more is refused with kOverloaded
  int max_cached_prefixes = 32;  // entries of the prefix cache
};

// Given with a session. The flag may be set by any thread at any time; the session's cells are
// free within one step after that.
struct SessionTerms {
  std::string tenant;  // prefix cache and fairness are per tenant
  Priority priority = Priority::kInteractive;
  bool cache_prompt = true;  // its prompt may come from the prefix cache, and goes into it
  std::optional<TimePoint> deadline;
  std::shared_ptr<std::atomic<bool>> cancelled;  // may be null
};

// What a session is at, without a word of its text.
struct SessionStatus {
  int64_t number = 0;    // 1, 2, ... in order of arrival
  bool waiting = false;  // for its tenant's turn or for cells; else live
  TimePoint submitted{};
  double age_ms = 0;  // since submit(), when status() was called
  int prompt_tokens = 0;
  int prompt_tokens_cached = 0;   // of these, spared by the prefix cache
  int prompt_tokens_decoded = 0;  // of these, decoded so far
  int tokens_sampled = 0;         // over all its sequences
  int sequences = 0;              // views it holds
  int sequences_sampling = 0;     // of these, that sample a token a step: its live streams
  int cells_reserved = 0;         // what it may use at most
  int cells_used = 0;
};

// Since start.
struct EngineCounts {
  int64_t steps = 0;
  int64_t prompt_tokens = 0;         // prefilled
  int64_t prompt_tokens_cached = 0;  // spared by the prefix cache
  int64_t generated_tokens = 0;
  double prefill_seconds = 0;  // forward passes of prompts
  double decode_seconds = 0;   // forward passes of sampled tokens
  double sample_seconds = 0;
  int64_t sessions_cancelled = 0;
  int64_t sessions_failed = 0;

  EngineCounts& operator+=(const EngineCounts& other);
};

// What the decode thread does: nothing, a forward pass, the choice of tokens, or the work of
// sessions (admission, callbacks).
enum class Activity { kIdle, kDecoding, kSampling, kSessions };

// With gauges of now. `activity` and `step_ms` are read when status() is called, the other figures
// are those of the end of the last step.
struct EngineStatus : EngineCounts {
  Activity activity = Activity::kIdle;
  double step_ms = 0;  // age of the decode thread's current step, 0 when idle
  int sessions_live = 0;
  int sessions_waiting = 0;
  int sequences_decoding = 0;
  int cells_capacity = 0;
  int cells_used = 0;    // held by any view
  int cells_cached = 0;  // of these, held by the prefix cache alone
  int prefixes_cached = 0;
  std::vector<SessionStatus> sessions;  // live ones, then those that wait

  // Of two engines; activity and step_ms are those of the older step.
  EngineStatus& operator+=(const EngineStatus& other);
  using EngineCounts::operator+=;
};

class Engine {
 public:
  // Starts the decode thread. `clock` must outlive the engine.
  Engine(std::unique_ptr<Decoder> decoder, const EngineOptions& options, const Clock& clock);
  // As stop().
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Any thread; does not block. Throws Error{kInvalidArgument} when the session could never fit
  // (with the figures), {kOverloaded} when the queue is full, {kUnavailable} when draining.
  void submit(std::unique_ptr<Session> session, const SessionTerms& terms);

  // Any thread.
  EngineStatus status() const;
  // How long ago the decode thread last finished a step or woke; 0 when it is idle. A value far
  // above a forward pass's time means that the thread hangs. Any thread; takes no lock.
  double stuck_ms() const;
  int capacity_cells() const { return capacity_cells_; }
  int max_sequences() const { return max_sequences_; }
  int64_t bytes_per_cell() const { return bytes_per_cell_; }
  const std::string& cells_format() const { return cells_format_; }

  // Any thread. No new sessions; blocks until all are done or the time is up (false).
  bool drain(std::chrono::milliseconds timeout);

  // Fails what still runs with kUnavailable and joins the thread. The last counts. For the owner,
  // who calls nothing but the destructor after it.
  EngineCounts stop();

 private:
  class Loop;
  int capacity_cells_;
  int max_sequences_;
  int64_t bytes_per_cell_;
  std::string cells_format_;
  std::unique_ptr<Loop> loop_;
};

}  // namespace polyphon
