#include "data/tree_outcomes.h"

#include <map>
#include <string>

#include "tasks/family.h"

namespace polyphon {

std::vector<TreeOutcome> tree_outcomes(const Problem& problem, const SessionResult& result) {
  std::vector<TreeOutcome> outcomes;
  if (!result.search) return outcomes;
  for (const SearchResult& search : result.search->searches) {
    TreeOutcome& outcome = outcomes.emplace_back(TreeOutcome{search.stream, search.search, {}, {}});
    const std::string& stream = result.streams.at(static_cast<size_t>(search.stream)).text;
    // By node: the text of its line, from the beginning of the stream.
    std::map<int, std::string> said = {{0, stream.substr(0, search.from_byte)}};
    for (const SearchNode& node : search.tree) {
      if (node.id == 0 || node.same_as) continue;
      said[node.id] = said.at(node.parent) + node.text;
      if (!node.playout && !node.terminal) continue;
      outcome.nodes.push_back(node.id);
      outcome.right.push_back(is_right(problem, said[node.id] + node.playout.value_or("")));
    }
  }
  return outcomes;
}

}  // namespace polyphon
