// Notices a stream that follows another: the same words from the same states. Of a similar pair the
// one with the higher index is the follower. Pure; the session acts on the verdicts.
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

  // A token that the stream sampled and the state it came from. `hidden` may be empty.
  void observe(int stream, Token token, std::span<const float> hidden);

  struct Verdict {
    int follower = 0;
    int leader = 0;
    double overlap = 0;
    double cosine = 0;
    bool end = false;  // re-seeded often enough: end it
  };
  // After each step: looks at the streams that have said cadence_tokens since their last look and
  // window_tokens in all. A follower's window starts anew.
  std::vector<Verdict> look();

  // The stream has ended.
  void forget(int stream);

 private:
  struct Watched {
    bool live = true;
    int since_look = 0;
    int reseeds = 0;
    std::deque<Token> tokens;               // the last window_tokens
    std::deque<std::vector<float>> hidden;  // of them, those that were given
  };
  std::vector<float> mean_hidden(const Watched& stream) const;
  bool similar(const Watched& a, const Watched& b, Verdict& verdict) const;

  CollapseOptions options_;
  std::vector<Watched> streams_;
};

}  // namespace polyphon
