#include "data/suite.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/digest.h"
#include "base/error.h"
#include "core/json_fault.h"
#include "tasks/family.h"

namespace polyphon {
namespace {

constexpr int kMostProblems = 10000;  // limit of one entry

}  // namespace

Suite parse_suite(const std::string& text, const std::string& name) {
  const auto refuse = [&](const std::string& why) -> Error {
    return {ErrorCode::kInvalidArgument, fmt::format("{}: {}", name, why)};
  };
  Suite suite;
  try {
    const Json json = Json::parse(text);
    json.at("name").get_to(suite.name);
    json.at("seed").get_to(suite.seed);
    for (const Json& entry : json.at("entries"))
      suite.entries.push_back({entry.at("family").get<std::string>(),
                               entry.at("difficulty").get<int>(), entry.at("count").get<int>()});
    suite.digest = json.value("digest", "");
  } catch (const Json::exception& error) {
    throw refuse(json_fault(error));
  }
  if (suite.entries.empty()) throw refuse("has no entries");
  for (const SuiteEntry& entry : suite.entries) {
    if (entry.count < 1 || entry.count > kMostProblems)
      throw refuse(fmt::format("count is {}: must be 1 to {}", entry.count, kMostProblems));
    try {
      make_problem(family(entry.family), entry.difficulty, suite.seed);
    } catch (const Error& error) {
      throw refuse(error.what());
    }
  }
  if (const std::string now = suite_digest(suite); !suite.digest.empty() && suite.digest != now)
    throw refuse(fmt::format("its problems have changed since it was frozen: digest {}, not {}",
                             now, suite.digest));
  return suite;
}

Suite read_suite(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Error(ErrorCode::kNotFound, "no suite at " + path);
  return parse_suite(std::string(std::istreambuf_iterator<char>(file), {}), path);
}

std::vector<Problem> suite_problems(const Suite& suite, int limit) {
  std::vector<Problem> problems;
  for (const SuiteEntry& entry : suite.entries) {
    const int count = limit > 0 ? std::min(limit, entry.count) : entry.count;
    for (int i = 0; i < count; ++i)
      problems.push_back(make_problem(family(entry.family), entry.difficulty,
                                      suite.seed + static_cast<uint64_t>(i)));
  }
  return problems;
}

std::string suite_digest(const Suite& suite) {
  std::string all;
  for (const Problem& problem : suite_problems(suite))
    all += problem.text + '\0' + problem.solution + '\0';
  return sha256(all);
}

}  // namespace polyphon
