#include "pipeline/selfplay.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>

#include "base/check.h"
#include "base/error.h"
#include "pipeline/suite.h"
#include "tasks/family.h"

namespace polyphon {
namespace {

using WallClock = std::chrono::steady_clock;

// Of a session's seed, beside those of its parts (reason/stream_phase.cpp).
constexpr uint64_t kThresholdSeeds = uint64_t{1} << 32, kCounterfactualSeeds = kThresholdSeeds + 1;

Json header_of(const Reasoner& reasoner, const SelfPlayOptions& options) {
  std::vector<std::string> families = options.families;
  std::sort(families.begin(), families.end());
  Json header = {{"model_digest", reasoner.identity().model_digest},
                 {"version", reasoner.identity().version},
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
  return header;
}

SessionTerms background() {
  SessionTerms terms;
  terms.priority = Priority::kBackground;
  return terms;
}

std::vector<bool> right_streams(const Problem& problem, const Finished& finished) {
  std::vector<bool> right;
  for (const Json& stream : finished.polyphon.at("streams"))
    right.push_back(is_right(problem, stream.at("text").get<std::string>()));
  return right;
}

// The state that all workers share; every method takes the lock.
class Play {
 public:
  Play(Reasoner& reasoner, const SelfPlayOptions& options, const std::set<std::string>& held_out,
       const std::string& folder, const std::atomic<bool>& stop,
       const std::function<void(const SelfPlayReport&, const Cell&)>& on_session)
      : reasoner_(reasoner),
        options_(options),
        folder_(folder),
        stop_(stop),
        on_session_(on_session),
        curriculum_(options.families),
        source_(options.seed, held_out) {
    report_.found = read_rollouts(folder, [&](const Trace&, const Outcome& outcome) {
      const Cell& cell = outcome.cell;
      source_.remember(make_problem(family(cell.family), cell.difficulty, outcome.seed));
      curriculum_.record(cell, static_cast<int>(outcome.right.size()), outcome.right_count());
    });
    report_.resumed = sessions_ = report_.found.traces;
  }

  void work() {
    try {
      while (const auto task = take()) play(*task);
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
    Problem problem;
    uint64_t session = 0;
  };

  std::optional<Task> take() {
    const std::lock_guard lock(mutex_);
    const std::chrono::duration<double> elapsed = WallClock::now() - started_;
    if (failure_ || stop_.load() || (options_.problems > 0 && sessions_ >= options_.problems) ||
        (options_.seconds > 0 && elapsed.count() >= options_.seconds))
      return std::nullopt;
    const auto cell = curriculum_.next();
    if (!cell) return std::nullopt;
    return Task{*cell, source_.next(*cell), static_cast<uint64_t>(sessions_++)};
  }

  void play(const Task& task) {
    SessionTicket ticket =
        reasoner_.think(self_play_input(task.problem, options_, task.session), background());
    const Finished finished = wait_finished(ticket);
    Outcome outcome{task.cell, task.problem.seed, right_streams(task.problem, finished)};
    Trace trace = *finished.trace;
    outcome.counterfactuals = leave_out_promotions(task, trace);
    trace.outcome = to_json(outcome);

    const std::lock_guard lock(mutex_);
    append_trace(traces_path(folder_), trace);
    curriculum_.record(task.cell, static_cast<int>(outcome.right.size()), outcome.right_count());
    ++report_.problems;
    report_.promotions += static_cast<int64_t>(trace.result.at("promotions").size());
    report_.counterfactuals += static_cast<int64_t>(outcome.counterfactuals.size());
    update_report();
    if (on_session_) on_session_(report_, task.cell);
  }

  std::vector<Counterfactual> leave_out_promotions(const Task& task, const Trace& trace) {
    std::vector<Counterfactual> result;
    Random random(derive_seed(trace.seed, kCounterfactualSeeds));
    for (const Json& promotion : trace.result.at("promotions")) {
      if (stop_.load() || random.uniform() >= options_.counterfactuals.share) continue;
      const int number = promotion.at("promotion").get<int>();
      SessionTicket ticket = reasoner_.replay(trace, background(), number);
      const Finished without = wait_finished(ticket);
      const TraceComparison compared =
          compare_traces(trace, *without.trace, promotion.at("step").get<Step>());
      result.push_back(
          {number, compared.matching == compared.tokens, right_streams(task.problem, without)});
    }
    return result;
  }

  void update_report() {
    report_.cells = curriculum_.cells();
    report_.held_out_skipped = source_.held_out_skipped();
    report_.cold.clear();
    for (const auto& [cell, counts] : report_.cells)
      if (curriculum_.is_cold(cell)) report_.cold.push_back(cell);
  }

  Reasoner& reasoner_;
  const SelfPlayOptions& options_;
  const std::string& folder_;
  const std::atomic<bool>& stop_;
  const std::function<void(const SelfPlayReport&, const Cell&)>& on_session_;
  const WallClock::time_point started_ = WallClock::now();
  std::mutex mutex_;  // all below
  Curriculum curriculum_;
  ProblemSource source_;
  SelfPlayReport report_;
  int64_t sessions_ = 0;  // begun, with those of earlier runs
  std::exception_ptr failure_;
};

}  // namespace

Problem ProblemSource::next(const Cell& cell) {
  constexpr int kTriesForNew = 50, kTries = 10000;
  uint64_t& drawn = drawn_[cell];
  for (int tries = 0; tries < kTries; ++tries) {
    const uint64_t seed = derive_seed(seed_, drawn++) % kFirstSuiteSeed;
    Problem problem = make_problem(family(cell.family), cell.difficulty, seed);
    if (held_out_.contains(problem.text)) {
      ++skipped_;
      continue;
    }
    if (seen_.insert(problem.text).second || tries >= kTriesForNew) return problem;
  }
  POLYPHON_CHECK(!"a cell of which suites hold every problem");
  return {};
}

void ProblemSource::remember(const Problem& problem) {
  seen_.insert(problem.text);
  ++drawn_[{problem.family, problem.difficulty}];
}

std::set<std::string> held_out_texts(const std::string& suites_folder) {
  std::set<std::string> texts;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(suites_folder, failed)) {
    if (entry.path().extension() != ".json") continue;
    for (Problem& problem : suite_problems(read_suite(entry.path().string())))
      texts.insert(std::move(problem.text));
  }
  if (texts.empty())
    throw Error(ErrorCode::kNotFound,
                "no suites at " + suites_folder + ": what is evaluated must be held out");
  return texts;
}

Json to_json(const SelfPlayReport& report) {
  Json cells = Json::array(), cold = Json::array();
  for (const auto& [cell, counts] : report.cells)
    cells.push_back({{"family", cell.family},
                     {"difficulty", cell.difficulty},
                     {"problems", counts.problems},
                     {"streams", counts.streams},
                     {"success", counts.success()},
                     {"any_right", counts.any_right}});
  for (const Cell& cell : report.cold)
    cold.push_back({{"family", cell.family}, {"difficulty", cell.difficulty}});
  return {{"problems", report.problems},
          {"resumed", report.resumed},
          {"promotions", report.promotions},
          {"counterfactuals", report.counterfactuals},
          {"held_out_skipped", report.held_out_skipped},
          {"damaged", report.found.damaged},
          {"cells", std::move(cells)},
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
  input.diversity.collapse_watch = false;
  const CounterfactualOptions& asked = options.counterfactuals;
  input.workspace.registers = asked.registers;
  input.workspace.cadence_tokens = asked.cadence_tokens;
  input.workspace.refractory_tokens = asked.cadence_tokens;
  input.workspace.gate_threshold =
      asked.most_threshold * Random(derive_seed(input.sampling.seed, kThresholdSeeds)).uniform();
  return input;
}

SelfPlayReport self_play(
    Reasoner& reasoner, const SelfPlayOptions& options, const std::set<std::string>& held_out,
    const std::string& folder, const std::atomic<bool>& stop,
    const std::function<void(const SelfPlayReport&, const Cell&)>& on_session) {
  for (const std::string& name : options.families) family(name);  // throws for one not known
  open_rollouts(folder, header_of(reasoner, options));
  Play play(reasoner, options, held_out, folder, stop, on_session);
  {
    std::vector<std::jthread> workers;
    for (int i = 1; i < options.parallel; ++i) workers.emplace_back([&play] { play.work(); });
    play.work();
  }
  return play.finish();
}

}  // namespace polyphon
