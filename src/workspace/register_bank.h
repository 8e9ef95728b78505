// Background registers: sequences whose views hold every stream. At intervals each writes one short
// note in its own words, in the same batches as the streams' tokens, so no stream waits. One bank
// serves one phase. Decode thread only.
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
  // Opens the first request.workspace.registers registers at the end of the view of `base`. The
  // streams start at position `base_end`. `context` must outlive this object.
  RegisterBank(const ThinkContext& context, SequenceNumber base, Position base_end);

  bool owns(SequenceNumber sequence) const;
  void on_token(SequenceNumber sequence, const SampledToken& token);
  // Call after each step. Each time the longest stream has sampled another cadence_tokens, every
  // register that is not writing joins the streams' new cells to its view and begins a note. A
  // register waits if `is_wanted` says that its last note may still be joined to other views: new
  // cells in its view could lie at the note's positions and would be joined too.
  void after_step(const std::vector<Stream>& streams,
                  const std::function<bool(SequenceNumber)>& is_wanted);

  bool writing() const;
  // The notes that were finished since the last call.
  std::vector<Candidate> take_notes();
  // Tells the registers of a broadcast. The register that wrote it resets its evidence; the others
  // join its cells the next time they read.
  void hear(int promotion, const Candidate& broadcast);
  // Closes all views.
  void close();

  // The cost of each register so far.
  std::vector<RegisterCost> costs() const;

 private:
  struct Register {
    RegisterSpec spec;
    Tokens cue;
    SequenceNumber sequence = -1;
    int cadence_tokens = 0;
    int next_read_tokens = 0;
    std::vector<Position> read_to;                 // [streams]
    std::vector<std::pair<int, Candidate>> heard;  // promotions that its view does not hold yet
    bool writing = false;
    Candidate note;  // the note that is being written
    TextStream text{{}};
    double logprob_sum = 0;
    double evidence = 0;
    Tokens last_note;
    int notes = 0;
    int rows = 0;    // rows of its notes and their cues
    int tokens = 0;  // tokens of its notes
    double ms = 0;   // set when closed
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
