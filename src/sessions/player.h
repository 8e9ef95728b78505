// Who plays the sessions of self-play: the model in this process, or another server that has it.
#pragma once

#include <atomic>
#include <string>

#include "engine/engine.h"
#include "record/trace.h"
#include "sessions/reasoner.h"

namespace polyphon {

// A text that the model is to go on with, held to a grammar.
struct Continuation {
  std::string text;
  std::string grammar;  // GBNF
  SamplingParams sampling;
  int max_tokens = 128;
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
  // played here, now or later; may give up with kCancelled once `stop` is set, but lets what runs
  // end.
  virtual Trace play(const ThinkInput& input, const SessionTerms& terms,
                     const std::atomic<bool>& stop) = 0;
  // What the model writes after the text. Blocks and throws as play().
  virtual std::string go_on(const Continuation& from, const SessionTerms& terms,
                            const std::atomic<bool>& stop) = 0;
};

class ReasonerPlayer final : public Player {
 public:
  // `reasoner` must outlive this.
  explicit ReasonerPlayer(Reasoner& reasoner) : reasoner_(reasoner) {}

  std::string name() const override { return "this process"; }
  Identity identity() const override;
  Trace play(const ThinkInput& input, const SessionTerms& terms,
             const std::atomic<bool>& stop) override;
  std::string go_on(const Continuation& from, const SessionTerms& terms,
                    const std::atomic<bool>& stop) override;

 private:
  Reasoner& reasoner_;
};

}  // namespace polyphon
