// Detects a stream that follows another: both say the same words from similar hidden states. Of two
// similar streams, the one with the higher index is the follower. Pure; the session acts on the
// verdicts.
#pragma once

#include <deque>
#include <span>
#include <vector>

#include "core/token.h"
#include "streams/options.h"

namespace polyphon {

class CollapseWatch {
 public:
  CollapseWatch(const CollapseOptions& options, int streams);

  // Adds a token that the stream sampled, and the hidden state it was sampled from (may be empty).
  void observe(int stream, Token token, std::span<const float> hidden);

  struct Verdict {
    int follower = 0;
    int leader = 0;
    double overlap = 0;
    double cosine = 0;
    bool end = false;  // the follower has used up its reseeds and should end
  };
  // Call after each step. Examines streams that sampled cadence_tokens since their last examination
  // and at least window_tokens since they were last found to follow. A follower's window starts
  // again.
  std::vector<Verdict> look();

  // Call when the stream has ended.
  void forget(int stream);

 private:
  struct Watched {
    bool live = true;
    int since_look = 0;
    int reseeds = 0;
    std::deque<Token> tokens;               // at most the last window_tokens
    std::deque<std::vector<float>> hidden;  // their hidden states, as far as given
  };
  std::vector<float> mean_hidden(const Watched& stream) const;
  bool similar(const Watched& a, const Watched& b, Verdict& verdict) const;

  CollapseOptions options_;
  std::vector<Watched> streams_;
};

}  // namespace polyphon
