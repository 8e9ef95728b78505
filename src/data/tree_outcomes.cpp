#include "data/tree_outcomes.h"

#include <map>
#include <string>

#include "tasks/family.h"

namespace polyphon {

std::vector<TreeOutcome> tree_outcomes(const Problem& problem, const Json& result) {
  std::vector<TreeOutcome> outcomes;
  const Json& all = result.at("search");
  if (all.is_null()) return outcomes;
  for (const Json& search : all.at("searches")) {
    TreeOutcome& outcome = outcomes.emplace_back(
        TreeOutcome{search.at("stream").get<int>(), search.at("search").get<int>(), {}, {}});
    const std::string stream =
        result.at("streams").at(static_cast<size_t>(outcome.stream)).at("text").get<std::string>();
    // By node: all that its line has said, from the stream's beginning.
    std::map<int, std::string> said = {{0, stream.substr(0, search.at("from_byte").get<size_t>())}};
    for (const Json& node : search.at("tree")) {
      const int id = node.at("id").get<int>();
      if (id == 0 || node.contains("same_as")) continue;
      said[id] = said.at(node.at("parent").get<int>()) + node.at("text").get<std::string>();
      if (!node.contains("playout") && !node.contains("terminal")) continue;
      outcome.nodes.push_back(id);
      outcome.right.push_back(is_right(problem, said[id] + node.value("playout", "")));
    }
  }
  return outcomes;
}

Json to_json(const TreeOutcome& outcome) {
  return {{"stream", outcome.stream},
          {"search", outcome.search},
          {"nodes", outcome.nodes},
          {"right", outcome.right}};
}

TreeOutcome tree_outcome_from_json(const Json& json) {
  return {json.at("stream").get<int>(), json.at("search").get<int>(),
          json.at("nodes").get<std::vector<int>>(), json.at("right").get<std::vector<bool>>()};
}

}  // namespace polyphon
