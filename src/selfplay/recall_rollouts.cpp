#include "selfplay/recall_rollouts.h"

#include <algorithm>
#include <chrono>

#include "core/seeds.h"
#include "data/problem_source.h"

namespace polyphon {
namespace {

constexpr const char* kFamily = "recall";

Json header_of(const Reasoner& reasoner, const RecallRolloutOptions& options) {
  const RecallPlayOptions& play = options.play;
  return {{"model_digest", reasoner.identity().model_digest},
          {"version", reasoner.identity().version},
          {"families", {kFamily}},
          {"streams", play.streams},
          {"facts", play.facts},
          {"questions", play.questions},
          {"people", play.people},
          {"unstated_share", play.unstated_share},
          {"held_out_relations", play.relations == RelationSet::kHeldOut},
          {"seed", options.seed}};
}

}  // namespace

void undisturbed_recall(ReasonOptions& options) {
  options.agreement.enabled = options.collapse.enabled = false;
  options.strategies.resize(1);
  options.temperature_ladder = 0;
  options.caps.max_streams = std::max(options.caps.max_streams, RecallPlayOptions{}.streams);
}

ThinkInput recall_input(const RecallPlay& play, const RecallPolicy& policy) {
  ThinkInput input;
  input.chat.messages = {
      {{"role", "user"}, {"content", "Tell what you know of the people, then ask and answer."}}};
  input.topology = {
      {{static_cast<int>(play.scripts.size()), static_cast<int>(play.scripts.front().size())}}};
  input.sampling.temperature = input.answer_sampling.temperature = 0;
  input.max_answer_tokens = 1;
  input.ignore_eos = true;
  input.scripts = play.scripts;
  MemoryRequest& memory = input.memory;
  memory.enabled = true;
  memory.keep = false;
  memory.max_nodes = policy.max_nodes;
  memory.top_k = 1;
  memory.cadence_tokens = play.cadence_tokens;
  memory.max_recall_tokens = policy.max_recall_tokens;
  memory.write_threshold = policy.write_threshold;
  return input;
}

RolloutCounts play_recall(Reasoner& reasoner, const RecallRolloutOptions& options,
                          const std::string& folder, const std::atomic<bool>& stop,
                          const std::function<void(int64_t)>& on_session) {
  make_recall_play(reasoner.model().vocabulary(), options.play, 0);  // throws before it is begun
  open_rollouts(folder, header_of(reasoner, options));
  const RolloutCounts found = read_rollouts(folder, [](const Trace&, const Outcome&) {});
  const auto started = std::chrono::steady_clock::now();
  const auto time_is_up = [&] {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started;
    return options.seconds > 0 && elapsed.count() >= options.seconds;
  };
  SessionTerms terms;
  terms.priority = Priority::kBackground;
  for (int64_t number = found.traces + found.damaged;
       !stop.load() && !time_is_up() && (options.sessions == 0 || number < options.sessions);) {
    const uint64_t seed = seeds::training_problem(
        seeds::kDrawnProblems.of(options.seed, static_cast<uint64_t>(number)));
    const RecallPlay play = make_recall_play(reasoner.model().vocabulary(), options.play, seed);
    SessionTicket ticket = reasoner.think(recall_input(play, {}), terms);
    Trace trace = *wait_finished(ticket).trace;
    Outcome outcome{{kFamily, 1}, seed, {}};
    for (const RecallQuestionAt& question : play.questions) outcome.asked.push_back(question.asked);
    trace.outcome = to_json(outcome);
    append_trace(traces_path(folder), trace);
    on_session(++number);
  }
  return found;
}

}  // namespace polyphon
