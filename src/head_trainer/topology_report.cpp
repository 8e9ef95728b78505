#include "head_trainer/topology_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "heads/topology_head.h"
#include "tasks/statistics.h"

namespace polyphon {
namespace {

// The rows of one problem, by topology.
using Problem = std::vector<size_t>;

struct Problems {
  std::vector<Problem> all;
  std::vector<std::optional<size_t>> stated;  // its topology, by problem
};

Problems whole_problems(const PlayedTopologies& played) {
  constexpr size_t kNone = static_cast<size_t>(-1);
  std::map<int, Problem> rows;
  for (size_t row = 0; row < played.problems.size(); ++row) {
    Problem& problem = rows[played.problems[row]];
    problem.resize(played.names.size(), kNone);
    problem[static_cast<size_t>(played.choices[row])] = row;
  }
  Problems problems;
  for (auto& [number, of_problem] : rows) {
    if (std::count(of_problem.begin(), of_problem.end(), kNone) > 0) continue;
    std::optional<size_t> stated;
    for (size_t choice = 0; choice < of_problem.size(); ++choice)
      if (played.stated[of_problem[choice]] == 1) stated = choice;
    problems.stated.push_back(stated);
    problems.all.push_back(std::move(of_problem));
  }
  return problems;
}

// What a policy has right, by problem, and how often it chose which.
struct Policy {
  std::string name;
  std::vector<double> right;
  std::map<std::string, int> chosen = {};
};

class Choices {
 public:
  Choices(const PlayedTopologies& played, const Problems& problems)
      : played_(played), problems_(problems) {}

  template <typename Choose>  // (problem's number) -> topology
  Policy policy(const std::string& name, const Choose& choose) const {
    Policy policy{name, {}};
    for (size_t number = 0; number < problems_.all.size(); ++number) {
      const size_t choice = choose(number);
      policy.right.push_back(right(number, choice));
      ++policy.chosen[played_.names[choice]];
    }
    return policy;
  }
  double right(size_t number, size_t choice) const {
    return played_.right[problems_.all[number][choice]];
  }

 private:
  const PlayedTopologies& played_;
  const Problems& problems_;
};

// The rows of one budget's topologies, for which `names` are the budget's alone.
std::vector<size_t> keep_budget(PlayedTopologies& played, long long budget) {
  std::vector<int> place(played.names.size(), -1);
  std::vector<std::string> names;
  for (size_t i = 0; i < played.names.size(); ++i) {
    if (parse_topology(played.names[i]).budget_tokens() != budget) continue;
    place[i] = static_cast<int>(names.size());
    names.push_back(played.names[i]);
  }
  PlayedTopologies kept{{}, {}, {}, {}, std::move(names)};
  std::vector<size_t> rows;
  for (size_t row = 0; row < played.choices.size(); ++row) {
    const int choice = place[static_cast<size_t>(played.choices[row])];
    if (choice < 0) continue;
    rows.push_back(row);
    kept.problems.push_back(played.problems[row]);
    kept.choices.push_back(choice);
    kept.right.push_back(played.right[row]);
    kept.stated.push_back(played.stated[row]);
  }
  played = std::move(kept);
  return rows;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

std::vector<Json> report_budget(const PlayedTopologies& played, const std::vector<HeadArm>& arms,
                                const std::string& head) {
  const Problems problems = whole_problems(played);
  if (problems.all.empty()) return {};
  const Choices choices(played, problems);
  const size_t topologies = played.names.size();
  const auto log_odds = [&](const HeadArm& arm, size_t number, size_t choice) {
    const double p = std::clamp(arm.probabilities[problems.all[number][choice]], 1e-12, 1 - 1e-12);
    return std::log(p / (1 - p));
  };
  const auto best_of = [&](const HeadArm& arm, size_t number) {
    size_t best = 0;
    for (size_t choice = 1; choice < topologies; ++choice)
      if (log_odds(arm, number, choice) > log_odds(arm, number, best)) best = choice;
    return best;
  };
  const bool all_stated = std::all_of(problems.stated.begin(), problems.stated.end(),
                                      [](const auto& stated) { return stated.has_value(); });

  std::vector<Policy> policies;
  if (all_stated && !arms.empty())
    policies.push_back(
        choices.policy("statement corrected by " + arms.front().name, [&](size_t number) {
          const size_t best = best_of(arms.front(), number), stated = *problems.stated[number];
          const double ahead =
              log_odds(arms.front(), number, best) - log_odds(arms.front(), number, stated);
          return ahead > kCorrectionMargin ? best : stated;
        }));
  for (const HeadArm& arm : arms)
    policies.push_back(
        choices.policy("best by " + arm.name, [&](size_t number) { return best_of(arm, number); }));
  if (all_stated)
    policies.push_back(choices.policy("as the model states",
                                      [&](size_t number) { return *problems.stated[number]; }));
  std::vector<Policy> fixed;
  for (size_t choice = 0; choice < topologies; ++choice)
    fixed.push_back(
        choices.policy("always " + played.names[choice], [&](size_t) { return choice; }));
  const auto best = std::max_element(fixed.begin(), fixed.end(), [](const auto& a, const auto& b) {
    return mean(a.right) < mean(b.right);
  });
  Policy hindsight = *best, chance{"by chance", {}}, any{"any is right", {}};
  hindsight.name = "the best one in hindsight";
  for (size_t number = 0; number < problems.all.size(); ++number) {
    double sum = 0, greatest = 0;
    for (size_t choice = 0; choice < topologies; ++choice) {
      sum += choices.right(number, choice);
      greatest = std::max(greatest, choices.right(number, choice));
    }
    chance.right.push_back(sum / static_cast<double>(topologies));
    any.right.push_back(greatest);
  }
  policies.insert(policies.end(), fixed.begin(), fixed.end());
  policies.insert(policies.end(), {hindsight, chance, any});

  std::vector<Json> lines;
  for (const Policy& policy : policies) {
    Json line = {{"head", head},
                 {"arm", policy.name},
                 {"problems", problems.all.size()},
                 {"right", to_json(bootstrap_mean(policy.right))}};
    if (!policy.chosen.empty()) line["chosen"] = Json(policy.chosen).dump();
    if (&policy != &policies.front())
      line["gain"] =
          to_json(bootstrap_mean(paired_differences(policies.front().right, policy.right)));
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace

std::vector<Json> report_choices(const PlayedTopologies& played, const std::vector<HeadArm>& arms) {
  std::set<long long> budgets;
  for (const std::string& name : played.names) budgets.insert(parse_topology(name).budget_tokens());
  std::vector<Json> lines;
  for (const long long budget : budgets) {
    PlayedTopologies of_budget = played;
    const std::vector<size_t> rows = keep_budget(of_budget, budget);
    std::vector<HeadArm> its_arms;
    for (const HeadArm& arm : arms) {
      HeadArm& its = its_arms.emplace_back(HeadArm{arm.name, {}});
      for (const size_t row : rows) its.probabilities.push_back(arm.probabilities[row]);
    }
    for (Json& line :
         report_budget(of_budget, its_arms, fmt::format("choice of {} tokens", budget)))
      lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace polyphon
