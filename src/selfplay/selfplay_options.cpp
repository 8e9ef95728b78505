#include "selfplay/selfplay_options.h"

#include "base/random.h"
#include "core/seeds.h"

namespace polyphon {
SearchRequest searches_to_learn_from() {
  SearchRequest search;
  search.simulations = 12;
  search.max_stream_searches = 1;
  search.max_sequences = 192;  // for all trees of a session, which stay while they are played out
  search.max_tokens = 8192;
  search.plays_out = true;
  return search;
}

ThinkInput self_play_input(const Problem& problem, const SelfPlayOptions& options,
                           uint64_t session) {
  ThinkInput input;
  input.chat.messages = Json::array({{{"role", "user"}, {"content", problem.text}}});
  input.topology = {{{options.streams, options.tokens}}};
  input.merge = MergeMode::kKv;
  input.sampling.temperature = options.temperature;
  input.sampling.seed =
      seeds::kSessions.of(seeds::kPlayedProblems.of(options.seed, problem.seed), session);
  input.answer_sampling = input.sampling;
  input.max_answer_tokens = 1;  // only the streams and the merged view are needed
  // A stream that others ended would count as wrong.
  input.diversity.collapse_watch = input.diversity.agreement = false;
  if (options.search.on()) {
    input.search = options.search;
    input.search.max_searches = options.streams * options.search.max_stream_searches;
  }
  const CounterfactualOptions& asked = options.counterfactuals;
  input.workspace.registers = asked.registers;
  input.workspace.cadence_tokens = asked.cadence_tokens;
  input.workspace.refractory_tokens = asked.cadence_tokens;
  input.workspace.gate_threshold =
      asked.most_threshold * Random(seeds::kGateThreshold.of(input.sampling.seed)).uniform();
  return input;
}

SessionTerms self_play_terms(const SelfPlayOptions& options) {
  SessionTerms terms;
  terms.priority = Priority::kBackground;
  // A repeated session must decode its prompt like the first time, not take it from the cache.
  terms.cache_prompt = options.counterfactuals.registers == 0;
  return terms;
}

}  // namespace polyphon
