// A frozen suite of evaluation problems: families, difficulties and seeds. These determine the
// problems, so a suite is a short file. The file also keeps a digest of the generated problems: if
// a generator has changed since, the suite is refused.
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
  uint64_t seed = 0;  // problem i of an entry has the seed `seed` + i
  std::vector<SuiteEntry> entries;
  std::string digest;  // suite_digest() when the suite was frozen; empty: not frozen yet
};

// Reads {"name", "seed", "entries": [{"family", "difficulty", "count"}], "digest"}. Throws
// Error{kNotFound} if there is no file. Throws Error{kInvalidArgument} that names the wrong member:
// no JSON, an unknown family, a difficulty or count out of range, or a digest that does not match.
Suite read_suite(const std::string& path);
Suite parse_suite(const std::string& json, const std::string& name);

// At most `limit` of each entry (0: all), in order.
std::vector<Problem> suite_problems(const Suite& suite, int limit = 0);
// SHA-256 of the texts and solutions of all problems.
std::string suite_digest(const Suite& suite);

}  // namespace polyphon
