#include "selfplay/play_state.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "record/trace_file.h"
#include "tasks/question_parts.h"

namespace polyphon {
namespace {

constexpr size_t kExamples = 5;  // examples that the model reads before it proposes

}  // namespace

PlayState::PlayState(const SelfPlayOptions& options, const std::set<std::string>& held_out,
                     const std::string& folder, const SelfPlayEvents& events)
    : options_(options),
      folder_(folder),
      events_(events),
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

std::optional<PlayTask> PlayState::next() {
  const std::lock_guard lock(mutex_);
  if (options_.problems > 0 && sessions_ >= options_.problems) return std::nullopt;
  const auto cell = curriculum_.next();
  if (!cell) return std::nullopt;
  return PlayTask{*cell, static_cast<uint64_t>(sessions_++)};
}

Problem PlayState::generate(const Cell& cell) {
  const std::lock_guard lock(mutex_);
  return source_.next(cell);
}

std::vector<std::string> PlayState::examples(const Cell& cell, uint64_t seed) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> examples = mixed_[cell];
  Random random(seed);
  shuffle(random, examples);
  for (std::string& question : source_.examples(cell, kExamples, seed))
    examples.push_back(std::move(question));
  if (examples.size() > kExamples) examples.resize(kExamples);
  return examples;
}

std::optional<Problem> PlayState::take_proposal(const std::string& question, const Family& of,
                                                int difficulty, uint64_t seed,
                                                const std::vector<std::string>& examples) {
  const std::lock_guard lock(mutex_);
  return polyphon::take_proposal(question, of, difficulty, seed, examples, source_,
                                 report_.proposals);
}

// Only generated problems adjust a cell's difficulty: a problem that the model proposes after
// examples of a difficulty may be easier or harder. For a problem played with several topologies,
// the answers count as its attempts: if all or none of them are right, the problem says little
// about which topology is best.
void PlayState::count(const std::vector<Outcome>& of_problem) {
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

void PlayState::record(const std::vector<Trace>& traces, const std::vector<Outcome>& outcomes) {
  const std::lock_guard lock(mutex_);
  append_traces(traces_path(folder_), traces);
  for (const Trace& trace : traces) report_.promotions += trace.result.promotions();
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
  if (events_.on_session) events_.on_session(report_, outcomes.front().cell);
}

void PlayState::dropped(const Player& player, const Error& error) {
  const std::lock_guard lock(mutex_);
  report_.dropped.push_back(player.name());
  if (events_.on_dropped) events_.on_dropped(player.name(), error);
}

SelfPlayReport PlayState::finish() {
  update_report();
  return report_;
}

void PlayState::update_report() {
  report_.cells = curriculum_.cells();
  report_.held_out_skipped = source_.held_out_skipped();
  report_.cold.clear();
  for (const auto& [cell, counts] : report_.cells)
    if (curriculum_.is_cold(cell)) report_.cold.push_back(cell);
}

}  // namespace polyphon
