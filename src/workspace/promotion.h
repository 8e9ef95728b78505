// One broadcast carried out: the candidate's cells join every other stream's view, which costs
// nothing, and a token later each stream reads a short cue to reconsider. What the candidate did to
// each stream is measured in between: a probe reads the same token without it, one row more.
// Decode thread only.
#pragma once

#include <string>
#include <vector>

#include "streams/candidate.h"
#include "streams/stream.h"
#include "streams/think_context.h"

namespace polyphon {

// Read by every stream that is interrupted. Short: each of its tokens is a row of every stream.
// What makes models check themselves in budget forcing (Muennighoff et al. 2025).
std::string reconsider_cue();

class Promotion {
 public:
  // Edits the views of all streams that still think, but its own source: at once, or when their
  // search is over or the cue they read is (the first after_step() then). `context` must outlive
  // this; `streams` until after_step() has returned true or abandon() is called.
  Promotion(const ThinkContext& context, int number, const Candidate& candidate,
            std::vector<Stream>& streams);

  SequenceNumber source() const { return candidate_.sequence; }  // whose cells they are
  bool owns(SequenceNumber sequence) const;                      // of a probe
  void on_token(SequenceNumber sequence);
  // True when nothing is left to say or to measure.
  bool after_step(std::vector<Stream>& streams);
  // Drops the probes' views.
  void abandon();

  // Of the streams that it reached.
  std::vector<StreamReaction> reactions(const std::vector<Stream>& streams) const;

 private:
  struct Effect {
    int stream = 0;  // id
    bool reached = false;
    bool cued = false;
    size_t text_begin = 0;
    SequenceNumber probe = -1;
    std::vector<float> with, without;  // log-probabilities
    double kl = -1;                    // not measured
  };

  bool may_interrupt(const Stream& stream) const;
  void reach(Stream& stream, Effect& effect);
  void cue(Stream& stream, Effect& effect);

  const ThinkContext& context_;
  const int number_;  // of the session's promotions
  const Candidate candidate_;
  std::vector<Effect> effects_;
};

}  // namespace polyphon
