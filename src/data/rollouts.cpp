#include "data/rollouts.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/replace_file.h"
#include "core/json_fault.h"
#include "data/run_header.h"
#include "tasks/family.h"

namespace polyphon {
namespace {

namespace fs = std::filesystem;

std::string header_path(const std::string& folder) { return folder + "/selfplay.json"; }

Json read_header(const std::string& folder) {
  std::ifstream file(header_path(folder));
  Json found = Json::parse(file, nullptr, false);
  if (!found.is_object())
    throw Error(ErrorCode::kInvalidArgument, header_path(folder) + " is not a self-play header");
  return found;
}

// Reads backwards from the end to the last newline.
void cut_unfinished_line(const std::string& path) {
  std::error_code none;
  const auto size = static_cast<std::streamoff>(fs::file_size(path, none));
  if (none || size == 0) return;
  std::ifstream file(path, std::ios::binary);
  std::streamoff end = size;
  for (char last = 0; end > 0; --end) {
    file.seekg(end - 1);
    if (!file.get(last)) throw Error(ErrorCode::kInternal, "cannot read " + path);
    if (last == '\n') break;
  }
  if (end == size) return;
  fs::resize_file(path, static_cast<uintmax_t>(end), none);
  if (none) throw Error(ErrorCode::kInternal, "cannot cut the unfinished line of " + path);
}

}  // namespace

int Outcome::right_count() const {
  return static_cast<int>(std::count(right.begin(), right.end(), true));
}

double effect_of(const Outcome& outcome, const Counterfactual& without) {
  const auto share = [](const std::vector<bool>& right) {
    return static_cast<double>(std::count(right.begin(), right.end(), true)) /
           static_cast<double>(std::max<size_t>(1, right.size()));
  };
  return share(outcome.right) - share(without.right);
}

bool Outcome::is_mixed() const {
  return right_count() > 0 && right_count() < static_cast<int>(right.size());
}

Problem problem_of(const Outcome& outcome) {
  const Family& of = family(outcome.cell.family);
  if (!outcome.is_proposed()) return make_problem(of, outcome.cell.difficulty, outcome.seed);
  auto problem = proposed_problem(of, outcome.cell.difficulty, outcome.seed, outcome.proposed);
  if (!problem || problem->solution.empty())
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("no problem of {}: {}", of.name, outcome.proposed));
  return *std::move(problem);
}

Json to_json(const Outcome& outcome) {
  Json json = {{"family", outcome.cell.family},
               {"difficulty", outcome.cell.difficulty},
               {"seed", outcome.seed},
               {"right", outcome.right}};
  if (outcome.is_proposed()) json["proposed"] = outcome.proposed;
  for (const Counterfactual& each : outcome.counterfactuals)
    json["counterfactuals"].push_back(
        {{"promotion", each.promotion}, {"same_before", each.same_before}, {"right", each.right}});
  for (const AskedFact& each : outcome.asked)
    json["asked"].push_back(
        {{"stream", each.stream}, {"question", each.question}, {"fact", each.fact}});
  for (const TreeOutcome& tree : outcome.trees) json["trees"].push_back(to_json(tree));
  if (outcome.answer_right) json["answer_right"] = *outcome.answer_right;
  return json;
}

Outcome outcome_from_json(const Json& json) {
  try {
    Outcome outcome;
    json.at("family").get_to(outcome.cell.family);
    json.at("difficulty").get_to(outcome.cell.difficulty);
    json.at("seed").get_to(outcome.seed);
    json.at("right").get_to(outcome.right);
    outcome.proposed = json.value("proposed", "");
    for (const Json& each : json.value("counterfactuals", Json::array()))
      outcome.counterfactuals.push_back({each.at("promotion").get<int>(),
                                         each.at("same_before").get<bool>(),
                                         each.at("right").get<std::vector<bool>>()});
    for (const Json& each : json.value("asked", Json::array()))
      outcome.asked.push_back({each.at("stream").get<int>(), each.at("question").get<std::string>(),
                               each.at("fact").get<std::string>()});
    for (const Json& tree : json.value("trees", Json::array()))
      outcome.trees.push_back(tree_outcome_from_json(tree));
    if (json.contains("answer_right")) outcome.answer_right = json["answer_right"].get<bool>();
    return outcome;
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::kInvalidArgument, "not an outcome: " + json_fault(error));
  }
}

void require_rollouts(const std::string& folder) {
  if (!fs::exists(header_path(folder)))
    throw Error(ErrorCode::kNotFound, folder + " is no folder of `polyphon selfplay`");
}

RolloutCounts read_rollouts(const std::string& folder, const OnRollout& on_trace) {
  require_rollouts(folder);
  RolloutCounts counts;
  std::ifstream file(traces_path(folder));
  std::string line;
  int number = 1;
  const auto damaged = [&](const std::string& why) {
    if (++counts.damaged == 1)
      counts.first_damage =
          fmt::format("{} line {}: {}", traces_path(folder), number, why.substr(0, 200));
  };
  for (; std::getline(file, line); ++number) {
    try {
      const Trace trace = trace_from_json(Json::parse(line));
      on_trace(trace, outcome_from_json(trace.outcome));
      ++counts.traces;
    } catch (const Json::exception& error) {
      damaged(json_fault(error));
    } catch (const std::out_of_range& error) {
      damaged(error.what());
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kInvalidArgument && error.code() != ErrorCode::kNotFound)
        throw;
      damaged(error.what());
    }
  }
  return counts;
}

void open_rollouts(const std::string& folder, const Json& header) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed)
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("cannot make the folder {}: {}", folder, failed.message()));
  if (fs::exists(header_path(folder))) {
    require_same_run(folder, "self-play", read_header(folder), header);
  } else if (!fs::is_empty(folder)) {
    throw Error(ErrorCode::kInvalidArgument,
                folder + " is not empty and holds no self-play: choose another folder");
  } else {
    replace_file(header_path(folder), [&](std::ostream& file) { file << header.dump(2) << '\n'; });
  }
  cut_unfinished_line(traces_path(folder));
}

}  // namespace polyphon
