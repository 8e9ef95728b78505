#include "heads/topology_head.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace polyphon {

TopologyFeatures topology_features(const Topology& topology, int prompt_tokens) {
  POLYPHON_CHECK(!topology.is_auto());
  const auto thirds = [](double count, double from) { return (std::log2(count) - from) / 3; };
  const Phase& last = topology.phases.back();
  int before = 0;
  for (const Phase& phase : std::span(topology.phases).first(topology.phases.size() - 1))
    before = std::max(before, phase.streams);
  TopologyFeatures features;
  features.length = thirds(last.tokens, 7);
  features.shortness = std::min(1.0, 32.0 / last.tokens);
  features.width = thirds(last.streams, 0);
  features.before = thirds(1 + before, 0);
  features.prompt = thirds(std::max(1, prompt_tokens), 7);
  features.prompt_short = features.prompt * features.shortness;
  return features;
}

double topology_log_odds(const TopologyHead& head, const TopologyFeatures& features,
                         std::span<const float> hidden) {
  const auto values = features.values();
  POLYPHON_CHECK(head.weights.size() == 1 + values.size());
  double log_odds = head.weights[0];
  for (size_t i = 0; i < values.size(); ++i) log_odds += head.weights[1 + i] * values[i];
  if (head.hidden_weights.empty() || hidden.empty()) return log_odds;
  const auto terms = features.state_terms();
  POLYPHON_CHECK(head.hidden_weights.size() == terms.size() * hidden.size());
  for (size_t term = 0; term < terms.size(); ++term) {
    const auto row = std::span(head.hidden_weights).subspan(term * hidden.size(), hidden.size());
    double sum = 0;
    for (size_t i = 0; i < hidden.size(); ++i) sum += static_cast<double>(row[i]) * hidden[i];
    log_odds += terms[term] * sum;
  }
  return log_odds;
}

CorrectedTopology correct_topology(const TopologyHead& head, std::span<const Topology> choices,
                                   const Topology* stated, int prompt_tokens,
                                   std::span<const float> hidden) {
  POLYPHON_CHECK(!choices.empty());
  std::vector<double> log_odds;
  CorrectedTopology corrected;
  for (const Topology& choice : choices) {
    const double each = topology_log_odds(head, topology_features(choice, prompt_tokens), hidden);
    log_odds.push_back(each);
    corrected.probabilities.push_back(1 / (1 + std::exp(-each)));
  }
  const auto best = std::max_element(log_odds.begin(), log_odds.end());
  corrected.chosen = static_cast<size_t>(best - log_odds.begin());
  if (!stated) return corrected;
  const auto at = std::find(choices.begin(), choices.end(), *stated);
  POLYPHON_CHECK(at != choices.end());
  const auto index = static_cast<size_t>(at - choices.begin());
  if (*best <= log_odds[index] + kCorrectionMargin) corrected.chosen = index;
  return corrected;
}

}  // namespace polyphon
