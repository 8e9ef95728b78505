#include "selfplay/recall_rollouts.h"

#include <algorithm>
#include <optional>

#include "core/seeds.h"
#include "record/trace_file.h"
#include "sessions/capacity.h"
#include "sessions/session_driver.h"

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

int recall_cells(const RecallPlayOptions& play, const RecallPolicy& policy) {
  ReasonOptions options;
  undisturbed_recall(options);
  RecallPlay largest;
  largest.scripts.assign(static_cast<size_t>(play.streams),
                         Tokens(static_cast<size_t>(most_script_tokens(play))));
  return context_cells(recall_input(largest, policy), options);
}

RolloutCounts play_recall(Reasoner& reasoner, const RecallRolloutOptions& options,
                          const std::string& folder, const std::atomic<bool>& stop,
                          const std::function<void(int64_t)>& on_session) {
  // Throws here if the options are impossible.
  make_recall_play(reasoner.model().vocabulary(), options.play, 0);
  open_rollouts(folder, header_of(reasoner, options));
  const RolloutCounts found = read_rollouts(folder, [](const Trace&, const Outcome&) {});
  int64_t begun = found.traces + found.damaged;
  const auto next = [&]() -> std::optional<SessionTask> {
    if (options.sessions > 0 && begun >= options.sessions) return std::nullopt;
    const uint64_t seed = seeds::training_problem(
        seeds::kDrawnProblems.of(options.seed, static_cast<uint64_t>(begun++)));
    return [&, seed](const Seat& seat) -> KeepTask {
      const RecallPlay play = make_recall_play(reasoner.model().vocabulary(), options.play, seed);
      Trace trace = *seat.play(recall_input(play, {})).trace;
      Outcome outcome;
      outcome.cell = {kFamily, 1};
      outcome.seed = seed;
      for (const RecallQuestionAt& question : play.questions)
        outcome.asked.push_back(question.asked);
      trace.outcome = outcome;
      return [&, trace = std::move(trace)] {
        append_trace(traces_path(folder), trace);
        on_session(begun);
      };
    };
  };
  ReasonerPlayer player(reasoner);
  DriveOptions drive;
  drive.seconds = options.seconds;
  drive.terms.priority = Priority::kBackground;
  drive_sessions({&player}, drive, stop, next);
  return found;
}

}  // namespace polyphon
