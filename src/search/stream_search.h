// One search of one stream. The stream is paused. Branches of its view are decoded beside all other
// streams, many in one batch, and valued where a thought step ends. The most visited line is
// committed: its cells join the stream's view, and nothing is decoded twice. Decode thread only.
//
// A node's last token is sampled but not decoded; each of its branches decodes it first.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "search/branch_playouts.h"
#include "search/search_tree.h"
#include "streams/step_value.h"
#include "streams/stream_phase.h"

namespace polyphon {

class StreamSearch {
 public:
  // Call inside on_token() of the stream's last token. `number`: the number of the search within
  // its stream. All references must outlive this object.
  StreamSearch(const ThinkContext& context, StreamPhase& phase, Stream& stream,
               SearchBudget& budget, int number, SearchCause trigger);

  bool owns(SequenceNumber sequence) const;
  void on_token(SequenceNumber sequence, const SampledToken& token);
  // Call after each step, including the step in which the search began. Values the leaves that
  // ended and begins new branches. When there are no more, runs the play-outs if the request asks
  // for them, then commits and lets the stream continue. Abandons the search if the stream has
  // ended.
  void after_step();
  // Drops all branches, because the stream has ended or its phase ends.
  void abandon();
  bool over() const { return over_; }

  const Stream& stream() const { return stream_; }
  // Complete once over().
  const SearchResult& result() const { return result_; }

 private:
  // One per node of the tree; the root's cells are the stream's.
  struct Branch {
    SequenceNumber sequence = -1;  // -1: dropped
    ThoughtStep step;
    std::vector<SampledToken> said;
    std::optional<Token> unread;  // its last token, once the branch is done
    std::vector<float> hidden;    // state from which the last token was sampled
    int path_tokens = 0;          // tokens from the root, its own included
    int most_tokens = 0;          // tokens reserved for it in the budget
    bool done = false;
    bool ended = false;  // the model ended its turn
    LeafOutcome outcome;
  };

  // Appends the tokens of the line's nodes.
  void append_line(const std::vector<int>& line, Tokens& said) const;
  void finish_branch(Branch& branch, bool ended);
  void account(const Branch& branch);
  void settle();
  bool out_of_time() const;
  double leaves_per_step() const;
  // Begins branches while there is room. Returns why the search ends, or none while a leaf is being
  // decoded.
  std::optional<SearchEnd> begin_branches();
  std::optional<SearchEnd> begin_branch(const std::vector<int>& path);
  bool prune();
  void drop(Branch& branch);
  void stop_decoding();
  void end_tree(SearchEnd why);
  std::vector<BranchPlayouts::State> states() const;
  void commit();
  void resume();
  void end();

  const ThinkContext& context_;
  StreamPhase& phase_;
  Stream& stream_;
  SearchBudget& budget_;
  const SearchRequest& request_;
  const int number_;
  const TimePoint began_;
  SamplingParams sampling_;  // the stream's parameters
  SearchTree tree_;
  std::vector<Branch> branches_;
  std::vector<int> decoding_;               // leaves, in the order they began
  std::optional<BranchPlayouts> playouts_;  // set when the tree is complete
  SearchResult result_;
  int rows_ = 0;           // rows of branches, summed over all steps
  std::string committed_;  // bytes
  bool over_ = false;
};

}  // namespace polyphon
