// Who plays the sessions of a run: the model in this process, or another server that has it.
#pragma once

#include <atomic>
#include <string>

#include "engine/engine.h"
#include "sessions/reasoner.h"

namespace polyphon {

// A text that the model is to go on with, held to a grammar.
struct Continuation {
  std::string text;
  std::string grammar;  // GBNF
  SamplingParams sampling;
  int max_tokens = 128;
};

// How a run is stopped before its end.
struct Stop {
  const std::atomic<bool>& asked;
  bool ends_sessions = false;  // those that run as well, where the player can do that
};

// Thread-safe.
class Player {
 public:
  // What all players of one run must share, and every trace of it.
  struct Identity {
    std::string model_digest;
    std::string version;
  };
  virtual ~Player() = default;

  virtual std::string name() const = 0;  // in messages
  virtual Identity identity() const = 0;
  // Blocks until the session has ended; sessions run side by side. Throws Error when it cannot be
  // played here, now or later; may give up with kCancelled once the stop is asked for. The trace is
  // there; usage and timings may be empty when the session was played
  // elsewhere.
  virtual Finished play(const ThinkInput& input, const SessionTerms& terms, const Stop& stop) = 0;
  // What the model writes after the text. Blocks and throws as play().
  virtual std::string go_on(const Continuation& from, const SessionTerms& terms,
                            const Stop& stop) = 0;
};

class ReasonerPlayer final : public Player {
 public:
  // `reasoner` must outlive this.
  explicit ReasonerPlayer(Reasoner& reasoner) : reasoner_(reasoner) {}

  std::string name() const override { return "this process"; }
  Identity identity() const override;
  Finished play(const ThinkInput& input, const SessionTerms& terms, const Stop& stop) override;
  std::string go_on(const Continuation& from, const SessionTerms& terms, const Stop& stop) override;

 private:
  Reasoner& reasoner_;
};

}  // namespace polyphon
