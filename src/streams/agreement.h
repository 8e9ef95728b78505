// When streams agree there is no need to think on; and who wins a vote. Pure.
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

  // A finished stream's normalised answer, empty when it has none. The agreed answer, once at least
  // min_streams and more than the quorum of all streams have the same.
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

// Index of the best entry of the most frequent answer; between equally frequent answers the one
// with the entry of the highest mean log-probability. -1 when all abstain.
int vote_winner(std::span<const VoteEntry> votes);

}  // namespace polyphon
