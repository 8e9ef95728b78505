// Families of logic: orderings, knights and knaves, shortest paths, dates.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <queue>
#include <set>

#include "tasks/family.h"

namespace polyphon {
namespace {

const std::vector<std::string>& names() {
  static const std::vector<std::string> names = {"Ann",  "Ben",  "Cara", "Dan",  "Eva",
                                                 "Finn", "Gina", "Hugo", "Iris", "Jon"};
  return names;
}

std::vector<std::string> some_names(Random& random, int count) {
  std::vector<std::string> some = names();
  shuffle(random, some);
  some.resize(static_cast<size_t>(count));
  return some;
}

// A chain of comparisons in random order fixes the whole order.
void ordering(Random& random, int difficulty, Problem& problem) {
  const int count = std::min(10, 2 + difficulty);
  const std::vector<std::string> order = some_names(random, count);  // tallest first
  std::vector<std::string> clues;
  for (int i = 0; i + 1 < count; ++i) {
    const std::string &taller = order[static_cast<size_t>(i)],
                      &shorter = order[static_cast<size_t>(i) + 1];
    clues.push_back(random.uniform() < 0.5
                        ? fmt::format("{} is taller than {}.", taller, shorter)
                        : fmt::format("{} is shorter than {}.", shorter, taller));
  }
  shuffle(random, clues);
  static const char* const kPlaces[] = {"tallest",        "second tallest", "third tallest",
                                        "fourth tallest", "fifth tallest",  "sixth tallest"};
  const int place = between(random, 0, std::min(count - 1, 5));
  problem.text = fmt::format("{} Who is the {}?", fmt::join(clues, " "), kPlaces[place]);
  problem.solution = order[static_cast<size_t>(place)];
}

// "A says: B is a knave", read for an assignment of bits (1: knight). Statements about one person
// hold as well when everybody is the other kind; only those of kind 2 tell the two apart.
struct Statement {
  int speaker = 0, first = 0, second = 0;
  int kind = 0;  // 0: first is a knight, 1: first is a knave, 2: both are of the same kind

  bool holds(int knights) const {
    const bool one = (knights >> first & 1) != 0, other = (knights >> second & 1) != 0;
    return kind == 0 ? one : kind == 1 ? !one : one == other;
  }
};

// The assignments in which knights say the truth and knaves do not.
std::vector<int> consistent(const std::vector<Statement>& statements, int people) {
  std::vector<int> found;
  for (int knights = 0; knights < 1 << people; ++knights)
    if (std::all_of(statements.begin(), statements.end(), [&](const Statement& s) {
          return s.holds(knights) == ((knights >> s.speaker & 1) != 0);
        }))
      found.push_back(knights);
  return found;
}

void knights_and_knaves(Random& random, int difficulty, Problem& problem) {
  const int people = 3 + (difficulty - 1) / 3;  // 3 to 6
  const std::vector<std::string> who = some_names(random, people);
  std::vector<Statement> statements;
  do {
    const int truth = between(random, 0, (1 << people) - 1);
    statements.clear();
    for (int speaker = 0; speaker < people; ++speaker) {
      Statement statement{speaker, 0, 0, 0};
      do {
        statement.first = between(random, 0, people - 1);
        statement.second = between(random, 0, people - 1);
        statement.kind = between(random, 0, 2);
      } while (statement.first == speaker || statement.second == speaker ||
               (statement.kind == 2 && statement.first == statement.second) ||
               statement.holds(truth) != ((truth >> speaker & 1) != 0));
      statements.push_back(statement);
    }
  } while (consistent(statements, people).size() != 1);
  const int knights = consistent(statements, people).front();

  std::string text =
      fmt::format("On an island knights always tell the truth and knaves always lie. You meet {}.",
                  fmt::join(who, ", "));
  for (const Statement& s : statements) {
    const std::string &one = who[static_cast<size_t>(s.first)],
                      &other = who[static_cast<size_t>(s.second)];
    const std::string said = s.kind == 0   ? one + " is a knight"
                             : s.kind == 1 ? one + " is a knave"
                                           : one + " and " + other + " are of the same kind";
    text += fmt::format(" {} says: \"{}.\"", who[static_cast<size_t>(s.speaker)], said);
  }
  std::vector<std::string> solution;
  for (int i = 0; i < people; ++i)
    if (knights >> i & 1) solution.push_back(who[static_cast<size_t>(i)]);
  problem.text = text + " Who are the knights? List their names, or say nobody.";
  problem.solution = solution.empty() ? "nobody" : fmt::format("{}", fmt::join(solution, ", "));
  problem.facts = {{"people", who}, {"knights", solution}};
}

// Exactly the knights are named in the stated answer.
bool check_knights(const Problem& problem, std::string_view text) {
  const std::string line = answer_line(text);
  const auto knights = problem.facts.at("knights").get<std::set<std::string>>();
  if (knights.empty()) {
    const bool somebody = std::any_of(names().begin(), names().end(), [&](const std::string& name) {
      return line.find(name) != std::string::npos;
    });
    const bool nobody =
        line.find("nobody") != std::string::npos || line.find("Nobody") != std::string_view::npos ||
        line.find("none") != std::string_view::npos || line.find("None") != std::string_view::npos;
    return nobody && !somebody;
  }
  return std::all_of(names().begin(), names().end(), [&](const std::string& name) {
    return (line.find(name) != std::string_view::npos) == knights.contains(name);
  });
}

void graph_path(Random& random, int difficulty, Problem& problem) {
  const int towns = 4 + difficulty;
  std::set<std::pair<int, int>> roads;
  for (int i = 1; i < towns; ++i) roads.emplace(between(random, 0, i - 1), i);  // connected
  for (int i = 0; i < difficulty / 2 + 1; ++i) {
    const int a = between(random, 0, towns - 1), b = between(random, 0, towns - 1);
    if (a != b) roads.emplace(std::min(a, b), std::max(a, b));
  }
  const int from = between(random, 0, towns - 1);
  std::vector<int> distance(static_cast<size_t>(towns), -1);
  std::queue<int> next({from});
  distance[static_cast<size_t>(from)] = 0;
  while (!next.empty()) {
    const int at = next.front();
    next.pop();
    for (const auto& [a, b] : roads) {
      if (a != at && b != at) continue;
      const int other = a == at ? b : a;
      if (distance[static_cast<size_t>(other)] >= 0) continue;
      distance[static_cast<size_t>(other)] = distance[static_cast<size_t>(at)] + 1;
      next.push(other);
    }
  }
  const int to =
      static_cast<int>(std::max_element(distance.begin(), distance.end()) - distance.begin());
  std::vector<std::string> lines;
  for (const auto& [a, b] : roads)
    lines.push_back(fmt::format("{}-{}", static_cast<char>('A' + a), static_cast<char>('A' + b)));
  shuffle(random, lines);
  problem.text = fmt::format(
      "Towns are joined by roads, which go both ways: {}. How many roads has the shortest way from "
      "{} to {}?",
      fmt::join(lines, ", "), static_cast<char>('A' + from), static_cast<char>('A' + to));
  problem.solution = std::to_string(distance[static_cast<size_t>(to)]);
}

const std::vector<std::string>& weekdays() {
  static const std::vector<std::string> days = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                "Friday", "Saturday", "Sunday"};
  return days;
}

// Days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
int days_from_civil(int year, int month, int day) {
  year -= month <= 2;
  const int era = year / 400;
  const int year_of_era = year - era * 400;
  const int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
         719468;
}

void dates(Random& random, int difficulty, Problem& problem) {
  const int year = between(random, 2000, 2030), month = between(random, 1, 12),
            day = between(random, 1, 28);
  const int date = days_from_civil(year, month, day);
  const auto weekday_of = [](int days) {
    return weekdays()[static_cast<size_t>((days % 7 + 7 + 3) % 7)];  // 1970-01-01: Thursday
  };
  if (difficulty <= 5) {
    const int later = between(random, 3, 6 * difficulty * difficulty);
    problem.text = fmt::format("{}-{:02}-{:02} is a {}. What day of the week is it {} days later?",
                               year, month, day, weekday_of(date), later);
    problem.solution = weekday_of(date + later);
    return;
  }
  const int other_month = between(random, 1, 12), other_day = between(random, 1, 28);
  const int other_year = year + (difficulty > 7 ? between(random, 0, difficulty - 6) : 0);
  const int other = days_from_civil(other_year, other_month, other_day);
  problem.text = fmt::format(
      "How many days lie between {}-{:02}-{:02} and {}-{:02}-{:02}? (The day after a "
      "day is 1 day later.)",
      year, month, day, other_year, other_month, other_day);
  problem.solution = std::to_string(std::abs(other - date));
}

}  // namespace

std::vector<Family> puzzle_families() {
  return {{"dates", dates},
          {"graph_path", graph_path},
          {"knights_and_knaves", knights_and_knaves, check_knights},
          {"ordering", ordering}};
}

}  // namespace polyphon
