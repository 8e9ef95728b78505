// Worked solutions: how a problem is solved, written by code from its text alone, step by step in
// the words of one who thinks. A model without any success in a family begins from these. Any
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tasks/problem.h"

namespace polyphon {

bool has_worked_solution(std::string_view family);

// In the first person, its last line "Answer: ...", right by the family's checker. `phrasing`
// chooses among a few ways to say it. CHECKs has_worked_solution().
std::string worked_solution(const Problem& problem, uint64_t phrasing);

}  // namespace polyphon
