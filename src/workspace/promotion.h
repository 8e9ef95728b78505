// Carries out one broadcast. The candidate's cells join the view of every other stream, at no cost;
// one token later each stream reads a short cue to reconsider. In between, the effect on each
// stream is measured: a probe decodes the same token without the candidate (one more row). Decode
// thread only.
#pragma once

#include <string>
#include <vector>

#include "streams/candidate.h"
#include "streams/stream.h"
#include "streams/think_context.h"

namespace polyphon {

// Cue for every stream that is interrupted. It is short, because each of its tokens costs one row
// per stream. Such words make models check themselves in budget forcing (Muennighoff et al. 2025).
std::string reconsider_cue();

class Promotion {
 public:
  // Joins the candidate to the views of all thinking streams except its own: at once, or, for a
  // stream that searches or reads a cue, in the first after_step() after that. `context` must
  // outlive this object; `streams` must live until after_step() has returned true or abandon() is
  // called.
  Promotion(const ThinkContext& context, int number, const Candidate& candidate,
            std::vector<Stream>& streams);

  // The sequence that holds the candidate's cells.
  SequenceNumber source() const { return candidate_.sequence; }
  bool owns(SequenceNumber sequence) const;  // whether it is a probe's sequence
  void on_token(SequenceNumber sequence);
  // Returns true when all cues are fed and all effects measured.
  bool after_step(std::vector<Stream>& streams);
  // Closes the views of the probes.
  void abandon();

  // The reactions of the streams that the promotion reached.
  std::vector<StreamReaction> reactions(const std::vector<Stream>& streams) const;

 private:
  struct Effect {
    int stream = 0;  // id
    bool reached = false;
    bool cued = false;
    size_t text_begin = 0;
    SequenceNumber probe = -1;
    std::vector<float> with, without;  // log-probabilities
    double kl = -1;                    // -1: not measured
  };

  bool may_interrupt(const Stream& stream) const;
  void reach(Stream& stream, Effect& effect);
  void cue(Stream& stream, Effect& effect);

  const ThinkContext& context_;
  const int number_;  // number within the session
  const Candidate candidate_;
  std::vector<Effect> effects_;
};

}  // namespace polyphon
