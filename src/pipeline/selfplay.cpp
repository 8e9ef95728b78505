#include "pipeline/selfplay.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/error.h"
#include "tasks/family.h"
#include "tasks/question_parts.h"

namespace polyphon {
namespace {

using WallClock = std::chrono::steady_clock;

// Of a session's seed, beside those of its parts (reason/stream_phase.cpp).
constexpr uint64_t kThresholdSeeds = uint64_t{1} << 32, kCounterfactualSeeds = kThresholdSeeds + 1;
// Of the run's seed: which problems are proposed, and what is drawn for them.
constexpr uint64_t kShareSeeds = kThresholdSeeds + 2, kProposalSeeds = kThresholdSeeds + 3;

constexpr size_t kExamples = 5;  // that the model reads before it proposes
constexpr int kProposals = 4;    // that may be refused before a generated problem takes the place

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
                  fmt::format("{} has the {} {}, not {}: all who play must have the same",
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
  for (const Json& stream : trace.result.at("streams"))
    right.push_back(is_right(problem, stream.at("text").get<std::string>()));
  return right;
}

// The state that all workers share; every method takes the lock.
class Play {
 public:
  Play(const std::vector<Player*>& players, const Player::Identity& identity,
       const SelfPlayOptions& options, const std::set<std::string>& held_out,
       const std::string& folder, const std::atomic<bool>& stop, const SelfPlayEvents& events)
      : identity_(identity),
        options_(options),
        folder_(folder),
        stop_(stop),
        events_(events),
        players_left_(players.begin(), players.end()),
        curriculum_(options.families),
        source_(options.seed, held_out) {
    std::vector<Outcome> of_problem;
    const auto count_problem = [&] {
      if (of_problem.empty()) return;
      count(std::exchange(of_problem, {}));
      ++sessions_;
    };
    report_.found = read_rollouts(folder, [&](const Trace&, const Outcome& outcome) {
      if (outcome.is_proposed())
        source_.take(problem_of(outcome));
      else
        source_.remember(problem_of(outcome));
      const bool goes_on = options.topologies.on() && !of_problem.empty() &&
                           of_problem.back().cell == outcome.cell &&
                           of_problem.back().seed == outcome.seed;
      if (!goes_on) count_problem();
      of_problem.push_back(outcome);
    });
    count_problem();
    report_.resumed = sessions_;
  }

  // Until there is nothing to do for this player any more.
  void work(Player& player) {
    try {
      while (auto task = take(player)) play(player, *task);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
    }
  }

  SelfPlayReport finish() {
    if (failure_) std::rethrow_exception(failure_);
    update_report();
    return report_;
  }

 private:
  struct Task {
    Cell cell;
    uint64_t session = 0;
    std::optional<Problem> problem = {};  // once it is found
    std::string proposed = "";            // the question, where the model proposed it
  };

  // While others play, their tasks may still come back.
  std::optional<Task> take(Player& player) {
    constexpr std::chrono::milliseconds kPatience{100};  // nobody notifies of `stop`
    std::unique_lock lock(mutex_);
    while (!over() && players_left_.contains(&player)) {
      auto task = next_task();
      if (task) ++in_play_;
      if (task || in_play_ == 0) return task;
      changed_.wait_for(lock, kPatience);
    }
    return std::nullopt;
  }

  bool over() const {
    const std::chrono::duration<double> elapsed = WallClock::now() - started_;
    return failure_ || stop_.load() ||
           (options_.seconds > 0 && elapsed.count() >= options_.seconds);
  }

  std::optional<Task> next_task() {
    if (!returned_.empty()) {
      Task task = std::move(returned_.back());
      returned_.pop_back();
      return task;
    }
    if (options_.problems > 0 && sessions_ >= options_.problems) return std::nullopt;
    const auto cell = curriculum_.next();
    if (!cell) return std::nullopt;
    return Task{*cell, static_cast<uint64_t>(sessions_++)};
  }

  void find_problem(Player& player, Task& task) {
    const Family& of = family(task.cell.family);
    const double drawn =
        Random(derive_seed(derive_seed(options_.seed, kShareSeeds), task.session)).uniform();
    if (of.questions && drawn < options_.proposed_share && propose(player, of, task)) return;
    const std::lock_guard lock(mutex_);
    task.problem = source_.next(task.cell);
  }

  // Questions that divided the streams show what is wanted: neither too easy nor too hard.
  // Generated ones stand in while there are few.
  std::vector<std::string> examples_of(const Cell& cell, uint64_t seed) {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> examples = mixed_[cell];
    Random random(seed);
    shuffle(random, examples);
    for (std::string& question : source_.examples(cell, kExamples, seed))
      examples.push_back(std::move(question));
    if (examples.size() > kExamples) examples.resize(kExamples);
    return examples;
  }

  bool propose(Player& player, const Family& of, Task& task) {
    const uint64_t seeds = derive_seed(derive_seed(options_.seed, kProposalSeeds), task.session);
    for (uint64_t i = 0; i < kProposals && !stop_.load(); ++i) {
      const uint64_t seed = derive_seed(seeds, i) % kFirstSuiteSeed;
      const auto examples = examples_of(task.cell, seed);
      const std::string question = ask(player, of, examples, seed);
      const std::lock_guard lock(mutex_);
      task.problem = take_proposal(question, of, task.cell.difficulty, seed, examples, source_,
                                   report_.proposals);
      if (!task.problem) continue;
      task.proposed = question;
      return true;
    }
    return false;
  }

  void play(Player& player, Task& task) {
    try {
      if (!task.problem) find_problem(player, task);
      if (options_.topologies.on()) return play_topologies(player, task);
      const Problem& problem = *task.problem;
      const ThinkInput input = self_play_input(problem, options_, task.session);
      Trace trace = run_session(player, input);
      Outcome outcome{task.cell, problem.seed, right_streams(problem, trace)};
      outcome.proposed = task.proposed;
      outcome.counterfactuals = leave_out_promotions(player, task, input, trace);
      outcome.trees = tree_outcomes(problem, trace.result);
      trace.outcome = to_json(outcome);
      return record({std::move(trace)}, {std::move(outcome)});
    } catch (const PlayerFailed& failed) {
      give_back(player, task, failed.error);
    } catch (const Json::exception& error) {
      give_back(player, task,
                Error(ErrorCode::kInternal, fmt::format("{} gave a trace that cannot be read: {}",
                                                        player.name(), error.what())));
    }
  }

  // The problem's sessions are kept together, or, when it stops between them, none.
  void play_topologies(Player& player, const Task& task) {
    const Problem& problem = *task.problem;
    const std::vector<Topology>& choices = options_.topologies.choices;
    std::vector<Trace> traces;
    std::vector<Outcome> outcomes;
    for (const Topology& choice : choices) {
      if (stop_.load()) {
        const std::lock_guard lock(mutex_);
        return end_task();
      }
      ThinkInput input =
          self_play_input(problem, options_, task.session * choices.size() + traces.size());
      play_topology(input, choice);
      Trace& trace = traces.emplace_back(run_session(player, input));
      Outcome& outcome =
          outcomes.emplace_back(Outcome{task.cell, problem.seed, right_streams(problem, trace)});
      outcome.answer_right = is_right(problem, trace.result.at("answer").get<std::string>());
      trace.outcome = to_json(outcome);
    }
    record(traces, outcomes);
  }

  struct PlayerFailed {
    Error error;
  };

  std::string ask(Player& player, const Family& of, const std::vector<std::string>& examples,
                  uint64_t seed) {
    try {
      return propose_question(player, of, examples, seed, self_play_terms(options_), stop_);
    } catch (const Error& error) {
      throw PlayerFailed{error};
    }
  }

  // Only what the player does is the player's fault; a full disk, say, is everybody's.
  Trace run_session(Player& player, const ThinkInput& input) {
    try {
      Trace trace = player.play(input, self_play_terms(options_), stop_);
      require_same(player, {trace.model_digest, trace.version}, identity_);
      if (options_.topologies.on()) require_budget(trace, options_.topologies.budget_tokens);
      return trace;
    } catch (const Error& error) {
      throw PlayerFailed{error};
    }
  }

  std::vector<Counterfactual> leave_out_promotions(Player& player, const Task& task,
                                                   ThinkInput input, const Trace& trace) {
    std::vector<Counterfactual> result;
    Random random(derive_seed(trace.seed, kCounterfactualSeeds));
    for (const Json& promotion : trace.result.at("promotions")) {
      if (stop_.load() || random.uniform() >= options_.counterfactuals.share) continue;
      const int number = promotion.at("promotion").get<int>();
      input.workspace.without_promotion = number;
      const Trace without = run_session(player, input);
      const TraceComparison compared =
          compare_traces(trace, without, promotion.at("step").get<Step>());
      result.push_back(
          {number, compared.matching == compared.tokens, right_streams(*task.problem, without)});
    }
    return result;
  }

  // A dial is turned by the problems that its difficulty means. What the model proposes beside
  // examples of that difficulty may be easier or harder, and would turn it for another reason.
  // Of a problem that was played with several topologies their answers count as its attempts: one
  // that all or none of them have right says little of which is best.
  void count(const std::vector<Outcome>& of_problem) {
    const Outcome& outcome = of_problem.front();
    auto attempts = static_cast<int>(outcome.right.size());
    int right = outcome.right_count();
    if (options_.topologies.on()) {
      attempts = static_cast<int>(of_problem.size());
      right = static_cast<int>(
          std::count_if(of_problem.begin(), of_problem.end(),
                        [](const Outcome& each) { return each.answer_right.value_or(false); }));
    }
    if (outcome.is_proposed())
      report_.proposed[outcome.cell].add_problem(attempts, right);
    else
      curriculum_.record(outcome.cell, attempts, right);
    if (outcome.is_mixed()) mixed_[outcome.cell].push_back(question_of(problem_of(outcome)));
  }

  // All sessions of one problem.
  void record(const std::vector<Trace>& traces, const std::vector<Outcome>& outcomes) {
    const std::lock_guard lock(mutex_);
    for (const Trace& trace : traces) {
      append_trace(traces_path(folder_), trace);
      report_.promotions += static_cast<int64_t>(trace.result.at("promotions").size());
    }
    count(outcomes);
    ++report_.problems;
    for (const Outcome& outcome : outcomes) {
      report_.counterfactuals += static_cast<int64_t>(outcome.counterfactuals.size());
      report_.searches += static_cast<int64_t>(outcome.trees.size());
      for (const TreeOutcome& tree : outcome.trees)
        report_.labelled_states += static_cast<int64_t>(tree.nodes.size());
      report_.answers += outcome.answer_right ? 1 : 0;
    }
    update_report();
    end_task();
    if (events_.on_session) events_.on_session(report_, outcomes.front().cell);
  }

  // The player plays no more, and its task is another's.
  void give_back(Player& player, const Task& task, const Error& error) {
    const std::lock_guard lock(mutex_);
    end_task();
    if (stop_.load() && error.code() == ErrorCode::kCancelled) return;
    returned_.push_back(task);
    if (players_left_.erase(&player) == 0) return;
    report_.dropped.push_back(player.name());
    if (events_.on_dropped) events_.on_dropped(player.name(), error);
    if (players_left_.empty() && !failure_) failure_ = std::make_exception_ptr(error);
  }

  void end_task() {
    --in_play_;
    changed_.notify_all();
  }

  void update_report() {
    report_.cells = curriculum_.cells();
    report_.held_out_skipped = source_.held_out_skipped();
    report_.cold.clear();
    for (const auto& [cell, counts] : report_.cells)
      if (curriculum_.is_cold(cell)) report_.cold.push_back(cell);
  }

  const Player::Identity& identity_;
  const SelfPlayOptions& options_;
  const std::string& folder_;
  const std::atomic<bool>& stop_;
  const SelfPlayEvents& events_;
  const WallClock::time_point started_ = WallClock::now();
  std::mutex mutex_;                 // all below
  std::condition_variable changed_;  // a task ended
  std::set<Player*> players_left_;
  Curriculum curriculum_;
  ProblemSource source_;
  std::map<Cell, std::vector<std::string>> mixed_;  // questions that some streams had right
  SelfPlayReport report_;
  std::vector<Task> returned_;  // of players that were dropped
  int in_play_ = 0;
  int64_t sessions_ = 0;  // begun, with those of earlier runs
  std::exception_ptr failure_;
};

Json to_json(const std::map<Cell, CellCounts>& cells) {
  Json json = Json::array();
  for (const auto& [cell, counts] : cells)
    json.push_back({{"family", cell.family},
                    {"difficulty", cell.difficulty},
                    {"problems", counts.problems},
                    {"streams", counts.streams},
                    {"success", counts.success()},
                    {"any_right", counts.any_right},
                    {"mixed", counts.mixed}});
  return json;
}

void require_one_to_propose(const std::vector<std::string>& families) {
  for (const std::string& name : families)
    if (family(name).questions) return;
  std::vector<const char*> names;
  for (const Family& each : polyphon::families())
    if (each.questions) names.push_back(each.name);
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("the model can propose problems of {} only: give one of them, or no "
                          "proposed share",
                          fmt::join(names, ", ")));
}

}  // namespace

SearchRequest searches_to_learn_from() {
  SearchRequest search;
  search.simulations = 12;
  search.max_stream_searches = 1;
  search.max_sequences = 192;  // of a whole session's trees, kept while they are played out
  search.max_tokens = 8192;
  search.plays_out = true;
  return search;
}

Json to_json(const SelfPlayReport& report) {
  Json cold = Json::array();
  for (const Cell& cell : report.cold)
    cold.push_back({{"family", cell.family}, {"difficulty", cell.difficulty}});
  return {{"problems", report.problems},
          {"resumed", report.resumed},
          {"promotions", report.promotions},
          {"counterfactuals", report.counterfactuals},
          {"searches", report.searches},
          {"labelled_states", report.labelled_states},
          {"answers", report.answers},
          {"held_out_skipped", report.held_out_skipped},
          {"damaged", report.found.damaged},
          {"dropped", report.dropped},
          {"cells", to_json(report.cells)},
          {"proposed", to_json(report.proposed)},
          {"proposals", to_json(report.proposals)},
          {"cold", std::move(cold)}};
}

ThinkInput self_play_input(const Problem& problem, const SelfPlayOptions& options,
                           uint64_t session) {
  ThinkInput input;
  input.chat.messages = Json::array({{{"role", "user"}, {"content", problem.text}}});
  input.topology = {{{options.streams, options.tokens}}};
  input.merge = MergeMode::kKv;
  input.sampling.temperature = options.temperature;
  input.sampling.seed = derive_seed(derive_seed(options.seed, problem.seed), session);
  input.answer_sampling = input.sampling;
  input.max_answer_tokens = 1;  // the streams are wanted, and the view that an answer would have
  // A stream that was ended because of others would count as wrong.
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
      asked.most_threshold * Random(derive_seed(input.sampling.seed, kThresholdSeeds)).uniform();
  return input;
}

SessionTerms self_play_terms(const SelfPlayOptions& options) {
  SessionTerms terms;
  terms.priority = Priority::kBackground;
  // A session that is run again must decode its prompt as the first time, not find it there.
  terms.cache_prompt = options.counterfactuals.registers == 0;
  return terms;
}

SelfPlayReport self_play(const std::vector<Player*>& players, const SelfPlayOptions& options,
                         const std::set<std::string>& held_out, const std::string& folder,
                         const std::atomic<bool>& stop, const SelfPlayEvents& events) {
  for (const std::string& name : options.families) family(name);  // throws for one not known
  const Player::Identity identity = common_identity(players);
  if (options.proposed_share > 0) require_one_to_propose(options.families);
  open_rollouts(folder, header_of(identity, options));
  Play play(players, identity, options, held_out, folder, stop, events);
  {
    std::vector<std::jthread> workers;
    for (Player* const player : players)
      for (int i = 0; i < options.parallel; ++i)
        workers.emplace_back([&play, player] { play.work(*player); });
  }
  return play.finish();
}

}  // namespace polyphon
