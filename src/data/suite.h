// A frozen suite of problems: which families, how hard, by which seeds. Problems are functions of
// these alone, so a suite is a short file; the digest of what they generate is kept in it, and a
// generator that has changed since is refused.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tasks/problem.h"

namespace polyphon {

struct SuiteEntry {
  std::string family;
  int difficulty = 1;
  int count = 1;
};

struct Suite {
  std::string name;
  uint64_t seed = 0;  // problem i of an entry has seed + i
  std::vector<SuiteEntry> entries;
  std::string digest;  // suite_digest() when it was frozen; empty: not frozen yet
};

// JSON: {"name", "seed", "entries": [{"family", "difficulty", "count"}], "digest"}. Throws
// Error{kNotFound} for no file, Error{kInvalidArgument} that names the member at fault: not JSON,
// an unknown family, a difficulty or count out of range, a digest that no longer holds.
Suite read_suite(const std::string& path);
Suite parse_suite(const std::string& json, const std::string& name);

// At most `limit` of each entry (0: all), in order.
std::vector<Problem> suite_problems(const Suite& suite, int limit = 0);
// SHA-256 of all texts and solutions.
std::string suite_digest(const Suite& suite);

}  // namespace polyphon
