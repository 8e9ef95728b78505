// Play-outs, the training labels of the value head: when a search is over, they continue each state
// of its tree to the end that the stream would have reached. One play-out per state, sampled like
// the stream itself, in a view of its own that begins with the state's cells. Nothing is decoded
// twice and nothing is committed. Decode thread only.
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
  // The start of a play-out.
  struct State {
    int node = 0;                  // node of the tree
    SequenceNumber sequence = -1;  // the play-out continues this sequence's view
    Token unread = 0;              // last sampled token, not yet in that view
    Tokens said;                   // tokens of the stream and of the branches up to the node
    int tokens_left = 0;           // rest of the stream's budget
  };

  // `sampling`: the stream's parameters. `search`: the number of its search. A state is skipped if
  // `budget` has too few tokens for it, and waits if `budget` has no free sequence. All references
  // must outlive this object.
  BranchPlayouts(const ThinkContext& context, const Stream& stream, SearchBudget& budget,
                 const SamplingParams& sampling, int search, std::vector<State> states);

  bool owns(SequenceNumber sequence) const;
  void on_token(SequenceNumber sequence, const SampledToken& token);
  // Call once to begin and then after each step. Returns false when no play-out is running any
  // more.
  bool after_step();
  // Stops and drops all play-outs that are not finished.
  void abandon();

  // Text (bytes) of each finished play-out, by node.
  const std::map<int, std::string>& texts() const { return texts_; }
  int tokens() const { return tokens_; }  // tokens decoded by all play-outs

 private:
  struct Playout {
    int node = 0;
    SequenceNumber sequence = -1;
    std::string text;
    int most_tokens = 0;  // tokens reserved in the budget
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
  std::vector<State> waiting_;  // in reverse order: the next one is last
  std::vector<Playout> running_;
  std::map<int, std::string> texts_;
  int tokens_ = 0;
};

}  // namespace polyphon
