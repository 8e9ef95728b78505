// Decides when enough streams agree so that the others can stop, and which answer wins a vote.
// Pure.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>

#include "streams/options.h"

namespace polyphon {

class Agreement {
 public:
  Agreement(const AgreementOptions& options, int streams) : options_(options), streams_(streams) {}

  // Adds the normalised answer of a finished stream (empty if it has none). Returns the agreed
  // answer once at least min_streams, and more than the quorum of all streams, have the same one.
  std::optional<std::string> add(const std::string& answer);

 private:
  AgreementOptions options_;
  int streams_;
  std::map<std::string, int> counts_;
};

struct VoteEntry {
  std::string answer;  // normalised; empty abstains
  double mean_logprob = 0;
};

// Index of the winning vote; -1 if all abstain. The most frequent answer wins, by its entry with
// the highest mean log-probability. Between equally frequent answers that log-probability decides.
int vote_winner(std::span<const VoteEntry> votes);

}  // namespace polyphon
