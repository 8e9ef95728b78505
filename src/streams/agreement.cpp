#include "streams/agreement.h"

namespace polyphon {

std::optional<std::string> Agreement::add(const std::string& answer) {
  if (answer.empty()) return std::nullopt;
  const int count = ++counts_[answer];
  const bool agreed = count >= options_.min_streams && count > options_.quorum * streams_;
  return agreed ? std::optional(answer) : std::nullopt;
}

int vote_winner(std::span<const VoteEntry> votes) {
  std::map<std::string, int> counts;
  for (const VoteEntry& vote : votes)
    if (!vote.answer.empty()) ++counts[vote.answer];
  int winner = -1;
  for (int i = 0; i < static_cast<int>(votes.size()); ++i) {
    if (votes[i].answer.empty()) continue;
    if (winner < 0) {
      winner = i;
      continue;
    }
    const int more = counts[votes[i].answer] - counts[votes[winner].answer];
    if (more > 0 || (more == 0 && votes[i].mean_logprob > votes[winner].mean_logprob)) winner = i;
  }
  return winner;
}

}  // namespace polyphon
