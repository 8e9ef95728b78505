// Background registers: sequences whose views hold every stream, and which now and then write one
// short note in their own words, in the same batch as the streams' tokens. They hold up nobody.
// One bank serves one phase. Decode thread only.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "streams/candidate.h"
#include "streams/stream.h"
#include "streams/think_context.h"
#include "text/text_stream.h"

namespace polyphon {

class RegisterBank {
 public:
  // Opens the first request.workspace.registers registers at the end of `base`'s view. `base_end`
  // is where the streams begin. `context` must outlive this.
  RegisterBank(const ThinkContext& context, SequenceNumber base, Position base_end);

  bool owns(SequenceNumber sequence) const;
  void on_token(SequenceNumber sequence, const SampledToken& token);
  // At every cadence_tokens of the longest stream's tokens each register that is not writing takes
  // in the streams' new cells and begins a note. One whose sequence `is_wanted` waits with that:
  // its last note may still be joined to views, and what it takes in could lie at the note's
  // positions and go along.
  void after_step(const std::vector<Stream>& streams,
                  const std::function<bool(SequenceNumber)>& is_wanted);

  bool writing() const;
  // Notes finished since the last call.
  std::vector<Candidate> take_notes();
  // The others take in a broadcast's cells when they read next; its own register's evidence is
  // spent.
  void hear(int promotion, const Candidate& broadcast);
  // Drops all views.
  void close();

  // What each cost so far.
  std::vector<RegisterCost> costs() const;

 private:
  struct Register {
    RegisterSpec spec;
    Tokens cue;
    SequenceNumber sequence = -1;
    int cadence_tokens = 0;
    int next_read_tokens = 0;
    std::vector<Position> read_to;                 // [streams]
    std::vector<std::pair<int, Candidate>> heard;  // promotions that are not yet in the view
    bool writing = false;
    Candidate note;  // being written
    TextStream text{{}};
    double logprob_sum = 0;
    double evidence = 0;
    Tokens last_note;
    int notes = 0;
    int rows = 0;    // its notes with their cues
    int tokens = 0;  // its notes
    double ms = 0;   // when closed
  };
  void read(Register& reader, const std::vector<Stream>& streams);
  void begin_note(Register& writer);
  void finish_note(Register& writer);

  const ThinkContext& context_;
  Position base_end_;
  std::vector<Register> registers_;
  std::vector<Candidate> finished_;
};

}  // namespace polyphon
