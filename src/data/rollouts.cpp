#include "data/rollouts.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/replace_file.h"
#include "core/json_fault.h"
#include "data/run_header.h"
#include "record/codec.h"
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

// Finds the last newline by reading backwards, and cuts off what follows.
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

Problem problem_of(const Outcome& outcome) {
  const Family& of = family(outcome.cell.family);
  if (!outcome.is_proposed()) return make_problem(of, outcome.cell.difficulty, outcome.seed);
  auto problem = proposed_problem(of, outcome.cell.difficulty, outcome.seed, outcome.proposed);
  if (!problem || problem->solution.empty())
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("not a question of the family {}: {}", of.name, outcome.proposed));
  return *std::move(problem);
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
      if (!trace.outcome) throw Error(ErrorCode::kInvalidArgument, "it has no outcome");
      on_trace(trace, *trace.outcome);
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
