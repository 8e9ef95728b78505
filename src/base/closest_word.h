// The word that a misspelt one most likely means.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace polyphon {

// Letters to insert, delete, replace or swap with their neighbour to make one word of the other
// (optimal string alignment distance).
int edit_distance(const std::string& one, const std::string& other);

// The candidate that `word` most likely misspells: at most a third of its letters differ, or it is
// the beginning of one candidate alone. The first of several that are as near.
std::optional<std::string> closest(const std::string& word,
                                   const std::vector<std::string>& candidates);

}  // namespace polyphon
