// What a stream would have said, to its end, from each state of a search that is over: labels for
// the value head. One play-out a state, sampled as the stream itself samples, in a view of its own
// that begins with the state's cells; nothing is decoded again, and nothing of it is committed.
// Decode thread only.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "record/search_request.h"
#include "streams/stream.h"
#include "streams/think_context.h"

namespace polyphon {

class BranchPlayouts {
 public:
  // Where one begins.
  struct State {
    int node = 0;                  // of the tree
    SequenceNumber sequence = -1;  // whose view it goes on from
    Token unread = 0;              // sampled last, not yet in that view
    Tokens said;                   // by the stream and the branch's line
    int tokens_left = 0;           // of the stream's budget
  };

  // `sampling` is the stream's, `search` the number of its search. What `budget` has no tokens for
  // is left out; what it has no sequence for waits. All references must outlive this.
  BranchPlayouts(const ThinkContext& context, const Stream& stream, SearchBudget& budget,
                 const SamplingParams& sampling, int search, std::vector<State> states);

  bool owns(SequenceNumber sequence) const;
  void on_token(SequenceNumber sequence, const SampledToken& token);
  // Call once to begin, then after each step. False when nothing is being decoded any more.
  bool after_step();
  // Drops what is being decoded.
  void abandon();

  // By node, of the play-outs that came to their end; bytes.
  const std::map<int, std::string>& texts() const { return texts_; }
  int tokens() const { return tokens_; }  // decoded

 private:
  struct Playout {
    int node = 0;
    SequenceNumber sequence = -1;
    std::string text;
    int most_tokens = 0;  // set aside
    int said = 0;
    bool ended_turn = false;
    bool over = false;
  };
  void begin(const State& state);
  void close(const Playout& playout);

  const ThinkContext& context_;
  const Stream& stream_;
  SearchBudget& budget_;
  const SamplingParams sampling_;
  const int search_;
  std::vector<State> waiting_;  // the next one last
  std::vector<Playout> running_;
  std::map<int, std::string> texts_;
  int tokens_ = 0;
};

}  // namespace polyphon
