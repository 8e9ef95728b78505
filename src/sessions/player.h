// Players play the sessions of a run (self-play, evaluation): the model in this process, or another
// server that serves the same model.
#pragma once

#include <atomic>
#include <string>

#include "engine/engine.h"
#include "sessions/reasoner.h"

namespace polyphon {

// A text that the model should continue under a grammar.
struct Continuation {
  std::string text;
  std::string grammar;  // GBNF
  SamplingParams sampling;
  int max_tokens = 128;
};

// How a run can be stopped early.
struct Stop {
  const std::atomic<bool>& asked;
  bool ends_sessions = false;  // whether running sessions are given up too, if the player can
};

// Thread-safe.
class Player {
 public:
  // What must be equal for all players of a run, and is written into every trace.
  struct Identity {
    std::string model_digest;
    std::string version;
  };
  virtual ~Player() = default;

  virtual std::string name() const = 0;  // for messages
  virtual Identity identity() const = 0;
  // Plays one session and blocks until it has ended; several threads may play at once. Throws Error
  // if this player cannot play it, and kCancelled if it gave up because `stop` was set. The trace
  // is always set. Usage and timings may be empty if the session was played on another server.
  virtual Finished play(const ThinkInput& input, const SessionTerms& terms, const Stop& stop) = 0;
  // Returns what the model writes after the text. Blocks and throws like play().
  virtual std::string go_on(const Continuation& from, const SessionTerms& terms,
                            const Stop& stop) = 0;
};

class ReasonerPlayer final : public Player {
 public:
  // `reasoner` must outlive this object.
  explicit ReasonerPlayer(Reasoner& reasoner) : reasoner_(reasoner) {}

  std::string name() const override { return "this process"; }
  Identity identity() const override;
  Finished play(const ThinkInput& input, const SessionTerms& terms, const Stop& stop) override;
  std::string go_on(const Continuation& from, const SessionTerms& terms, const Stop& stop) override;

 private:
  Reasoner& reasoner_;
};

}  // namespace polyphon
