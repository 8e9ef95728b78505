#include "selfplay/selfplay.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "core/seeds.h"
#include "data/tree_outcomes.h"
#include "record/codec.h"
#include "selfplay/play_state.h"
#include "sessions/session_driver.h"
#include "tasks/family.h"

namespace polyphon {
namespace {

constexpr int kProposals = 4;  // after so many refused proposals, a generated problem is played

Json header_of(const Player::Identity& identity, const SelfPlayOptions& options) {
  std::vector<std::string> families = options.families;
  std::sort(families.begin(), families.end());
  Json header = {{"model_digest", identity.model_digest},
                 {"version", identity.version},
                 {"families", families},
                 {"streams", options.streams},
                 {"tokens", options.tokens},
                 {"temperature", options.temperature},
                 {"seed", options.seed}};
  const CounterfactualOptions& asked = options.counterfactuals;
  header["workspace"] = asked.registers == 0 ? Json()
                                             : Json{{"registers", asked.registers},
                                                    {"cadence_tokens", asked.cadence_tokens},
                                                    {"most_threshold", asked.most_threshold},
                                                    {"share", asked.share}};
  header["proposed_share"] = options.proposed_share == 0 ? Json() : Json(options.proposed_share);
  header["search"] = options.search.on() ? to_json(options.search) : Json();
  header["topologies"] = options.topologies.on() ? Json(options.topologies.names()) : Json();
  return header;
}

void require_same(const Player& player, const Player::Identity& has,
                  const Player::Identity& wanted) {
  const auto require = [&](const char* what, const std::string& has, const std::string& wanted) {
    if (has != wanted)
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("{} has the {} {}, not {}: all players must have the same",
                              player.name(), what, has, wanted));
  };
  require("model", has.model_digest, wanted.model_digest);
  require("version", has.version, wanted.version);
}

Player::Identity common_identity(const std::vector<Player*>& players) {
  const Player::Identity first = players.at(0)->identity();
  for (Player* const player : players) require_same(*player, player->identity(), first);
  return first;
}

std::vector<bool> right_streams(const Problem& problem, const Trace& trace) {
  std::vector<bool> right;
  for (const StreamResult& stream : trace.result.streams)
    right.push_back(is_right(problem, stream.text));
  return right;
}

// Plays one task at a seat; PlayState keeps the results.
class TaskPlayer {
 public:
  TaskPlayer(const Seat& seat, const Player::Identity& identity, const SelfPlayOptions& options,
             PlayState& state)
      : seat_(seat), identity_(identity), options_(options), state_(state) {}

  // Leaves the problem in `task`, so that another player can play it if this one fails.
  KeepTask play(PlayTask& task) const {
    try {
      if (!task.problem) find_problem(task);
      if (seat_.stopped()) return {};
      return options_.topologies.on() ? play_topologies(task) : play_session(task);
    } catch (const std::out_of_range& error) {
      throw PlayerFailed{
          Error(ErrorCode::kInternal, fmt::format("{} gave a trace that cannot be read: {}",
                                                  seat_.player().name(), error.what()))};
    }
  }

 private:
  KeepTask play_session(const PlayTask& task) const {
    const Problem& problem = *task.problem;
    const ThinkInput input = self_play_input(problem, options_, task.session);
    Trace trace = run_session(input);
    Outcome outcome{task.cell, problem.seed, right_streams(problem, trace)};
    outcome.proposed = task.proposed;
    outcome.counterfactuals = leave_out_promotions(problem, input, trace);
    outcome.trees = tree_outcomes(problem, trace.result);
    trace.outcome = outcome;
    return keep({std::move(trace)}, {std::move(outcome)});
  }

  KeepTask keep(std::vector<Trace> traces, std::vector<Outcome> outcomes) const {
    return [&state = state_, traces = std::move(traces), outcomes = std::move(outcomes)] {
      state.record(traces, outcomes);
    };
  }

  void find_problem(PlayTask& task) const {
    const Family& of = family(task.cell.family);
    const double drawn =
        Random(seeds::kSessions.of(seeds::kProposedShare.of(options_.seed), task.session))
            .uniform();
    if (of.questions && drawn < options_.proposed_share && propose(of, task)) return;
    task.problem = state_.generate(task.cell);
  }

  bool propose(const Family& of, PlayTask& task) const {
    const uint64_t of_session =
        seeds::kSessions.of(seeds::kProposals.of(options_.seed), task.session);
    for (uint64_t i = 0; i < kProposals && !seat_.stopped(); ++i) {
      const uint64_t seed = seeds::training_problem(seeds::kSessions.of(of_session, i));
      const auto examples = state_.examples(task.cell, seed);
      const std::string question = seat_.go_on(proposal_request(of, examples, seed));
      task.problem = state_.take_proposal(question, of, task.cell.difficulty, seed, examples);
      if (!task.problem) continue;
      task.proposed = question;
      return true;
    }
    return false;
  }

  // Keeps either all sessions of the problem or, if the run stops between them, none.
  KeepTask play_topologies(const PlayTask& task) const {
    const Problem& problem = *task.problem;
    const std::vector<Topology>& choices = options_.topologies.choices;
    std::vector<Trace> traces;
    std::vector<Outcome> outcomes;
    for (const Topology& choice : choices) {
      if (seat_.stopped()) return {};
      ThinkInput input =
          self_play_input(problem, options_, task.session * choices.size() + traces.size());
      play_topology(input, choice);
      Trace& trace = traces.emplace_back(run_session(input));
      Outcome& outcome =
          outcomes.emplace_back(Outcome{task.cell, problem.seed, right_streams(problem, trace)});
      outcome.answer_right = is_right(problem, trace.result.answer);
      trace.outcome = outcome;
    }
    return keep(std::move(traces), std::move(outcomes));
  }

  Trace run_session(const ThinkInput& input) const {
    Trace trace = *seat_.play(input).trace;
    try {
      require_same(seat_.player(), {trace.model_digest, trace.version}, identity_);
      if (options_.topologies.on()) require_budget(trace, options_.topologies.budget_tokens);
    } catch (const Error& error) {
      throw PlayerFailed{error};
    }
    return trace;
  }

  std::vector<Counterfactual> leave_out_promotions(const Problem& problem, ThinkInput input,
                                                   const Trace& trace) const {
    std::vector<Counterfactual> result;
    Random random(seeds::kCounterfactuals.of(trace.seed));
    for (const Broadcast& promotion : trace.result.workspace) {
      if (!promotion.carried_out) continue;
      if (seat_.stopped() || random.uniform() >= options_.counterfactuals.share) continue;
      const int number = promotion.promotion;
      input.workspace.without_promotion = number;
      const Trace without = run_session(input);
      const TraceComparison compared = compare_traces(trace, without, promotion.step);
      result.push_back(
          {number, compared.matching == compared.tokens, right_streams(problem, without)});
    }
    return result;
  }

  const Seat& seat_;
  const Player::Identity& identity_;
  const SelfPlayOptions& options_;
  PlayState& state_;
};

void require_one_to_propose(const std::vector<std::string>& families) {
  for (const std::string& name : families)
    if (family(name).questions) return;
  std::vector<const char*> names;
  for (const Family& each : polyphon::families())
    if (each.questions) names.push_back(each.name);
  throw Error(
      ErrorCode::kInvalidArgument,
      fmt::format("the model can propose problems of {} only: choose one of these families, or no "
                  "proposed share",
                  fmt::join(names, ", ")));
}

}  // namespace

SelfPlayReport self_play(const std::vector<Player*>& players, const SelfPlayOptions& options,
                         const std::set<std::string>& held_out, const std::string& folder,
                         const std::atomic<bool>& stop, const SelfPlayEvents& events) {
  for (const std::string& name : options.families) family(name);  // throws if the name is unknown
  const Player::Identity identity = common_identity(players);
  if (options.proposed_share > 0) require_one_to_propose(options.families);
  open_rollouts(folder, header_of(identity, options));
  PlayState state(options, held_out, folder, events);
  const auto next = [&]() -> std::optional<SessionTask> {
    auto task = state.next();
    if (!task) return std::nullopt;
    return [&, task = std::move(*task)](const Seat& seat) mutable {
      return TaskPlayer(seat, identity, options, state).play(task);
    };
  };
  drive_sessions(
      players,
      {.parallel = options.parallel, .terms = self_play_terms(options), .seconds = options.seconds},
      stop, next, [&](const Player& player, const Error& error) { state.dropped(player, error); });
  return state.finish();
}

}  // namespace polyphon
