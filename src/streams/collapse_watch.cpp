#include "streams/collapse_watch.h"

#include "text/similarity.h"

namespace polyphon {

CollapseWatch::CollapseWatch(const CollapseOptions& options, int streams)
    : options_(options), streams_(static_cast<size_t>(streams)) {}

void CollapseWatch::observe(int stream, Token token, std::span<const float> hidden) {
  Watched& watched = streams_[static_cast<size_t>(stream)];
  const auto window = static_cast<size_t>(options_.window_tokens);
  watched.tokens.push_back(token);
  if (watched.tokens.size() > window) watched.tokens.pop_front();
  if (!hidden.empty()) watched.hidden.emplace_back(hidden.begin(), hidden.end());
  if (watched.hidden.size() > window) watched.hidden.pop_front();
  ++watched.since_look;
}

std::vector<float> CollapseWatch::mean_hidden(const Watched& stream) const {
  std::vector<float> mean;
  for (const std::vector<float>& state : stream.hidden) {
    mean.resize(state.size());
    for (size_t i = 0; i < state.size(); ++i) mean[i] += state[i];
  }
  return mean;  // the sum is enough: cosine ignores length
}

bool CollapseWatch::similar(const Watched& a, const Watched& b, Verdict& verdict) const {
  const Tokens said_a(a.tokens.begin(), a.tokens.end()), said_b(b.tokens.begin(), b.tokens.end());
  verdict.overlap = ngram_overlap(said_a, said_b, options_.ngram);
  if (verdict.overlap < options_.ngram_overlap) return false;
  const std::vector<float> state_a = mean_hidden(a), state_b = mean_hidden(b);
  if (state_a.empty() || state_b.empty()) return true;
  verdict.cosine = cosine(state_a, state_b);
  return verdict.cosine >= options_.hidden_cosine;
}

std::vector<CollapseWatch::Verdict> CollapseWatch::look() {
  std::vector<Verdict> verdicts;
  const auto window = static_cast<size_t>(options_.window_tokens);
  for (size_t i = 1; i < streams_.size(); ++i) {
    Watched& follower = streams_[i];
    const bool due = follower.live && follower.since_look >= options_.cadence_tokens &&
                     follower.tokens.size() >= window;
    if (!due) continue;
    follower.since_look = 0;
    for (size_t j = 0; j < i; ++j) {
      const Watched& leader = streams_[j];
      Verdict verdict{static_cast<int>(i), static_cast<int>(j)};
      if (!leader.live || leader.tokens.size() < window || !similar(leader, follower, verdict))
        continue;
      verdict.end = follower.reseeds++ >= options_.reseeds;
      follower.tokens.clear();
      follower.hidden.clear();
      verdicts.push_back(verdict);
      break;
    }
  }
  return verdicts;
}

void CollapseWatch::forget(int stream) { streams_[static_cast<size_t>(stream)].live = false; }

}  // namespace polyphon
