// One search of one stream: how it should go on. The stream is paused; branches of its view are
// decoded beside all other streams, many in a batch, valued where a thought step ends, and the line
// that is visited most is committed by joining its cells into the stream's view. Nothing of it is
// decoded again. Decode thread only.
//
// A node's last token is sampled but not decoded; each of its branches reads it first.
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
  // Inside on_token() of the stream's last token. All must outlive this.
  StreamSearch(const ThinkContext& context, StreamPhase& phase, Stream& stream,
               SearchBudget& budget, int number, SearchCause trigger);

  bool owns(SequenceNumber sequence) const;
  void on_token(SequenceNumber sequence, const SampledToken& token);
  // After each step, also the one that the search began in: values what has ended, begins the next
  // branches; when there are no more, plays them out if that was asked for, and lets the stream go
  // on. Abandons the search of a stream that has ended.
  void after_step();
  // Drops all branches of a stream that has ended, or whose phase ends.
  void abandon();
  bool over() const { return over_; }

  const Stream& stream() const { return stream_; }
  // Once over.
  const SearchResult& result() const { return result_; }

 private:
  // By the node's number in the tree; the root's cells are the stream's.
  struct Branch {
    SequenceNumber sequence = -1;  // -1: dropped
    ThoughtStep step;
    std::vector<SampledToken> said;
    std::optional<Token> unread;  // its last token, once it is done
    std::vector<float> hidden;    // that the last token was sampled from
    int path_tokens = 0;          // from the root, its own included
    int most_tokens = 0;          // that it may decode, set aside
    bool done = false;
    bool ended = false;  // the model ended its turn
    LeafOutcome outcome;
  };

  // What the nodes of a line said, one after the other.
  void append_line(const std::vector<int>& line, Tokens& said) const;
  void finish_branch(Branch& branch, bool ended);
  void account(const Branch& branch);
  void settle();
  bool out_of_time() const;
  double leaves_per_step() const;
  // Why nothing more can begin; nothing while something is being decoded.
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
  SamplingParams sampling_;  // the stream's own
  SearchTree tree_;
  std::vector<Branch> branches_;
  std::vector<int> decoding_;               // leaves, in order
  std::optional<BranchPlayouts> playouts_;  // once the tree grows no more
  SearchResult result_;
  int rows_ = 0;           // of branches, over all steps
  std::string committed_;  // bytes
  bool over_ = false;
};

}  // namespace polyphon
