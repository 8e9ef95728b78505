#include "data/tree_outcomes.h"

#include <gtest/gtest.h>

#include "tasks/family.h"

namespace polyphon {
namespace {

TEST(TreeOutcomes, CheckWhatEachLineCameTo) {
  const Problem problem = make_problem(family("products"), 1, 7);
  const std::string right = "Answer: " + problem.solution, wrong = "Answer: 0";
  const auto node = [](int id, int parent, const std::string& text, Json more = Json::object()) {
    more.update({{"id", id}, {"parent", parent}, {"text", text}});
    return more;
  };
  const Json result = {
      {"search",
       {{"searches",
         {{{"stream", 1},
           {"search", 0},
           {"from_byte", 6},
           {"tree",
            {node(0, -1, ""), node(1, 0, "So.\n", {{"playout", "Hm.\n" + right}}),
             node(2, 0, "Or.\n", {{"playout", wrong}}), node(3, 0, "so.\n", {{"same_as", 1}}),
             node(4, 1, right, {{"terminal", true}}), node(5, 1, wrong, {{"terminal", true}}),
             node(6, 1, "Well.\n"), node(7, 6, "Hm", {{"playout", ""}})}}},
          {{"stream", 0}, {"search", 2}, {"from_byte", 0}, {"tree", {node(0, -1, "")}}}}}}},
      {"streams",
       {{{"text", "Nothing."}}, {{"text", "First. And then all that was committed: " + right}}}}};
  const std::vector<TreeOutcome> outcomes = tree_outcomes(problem, result);
  ASSERT_EQ(outcomes.size(), 2u);
  EXPECT_EQ(outcomes[0].stream, 1);
  EXPECT_EQ(outcomes[0].nodes, (std::vector<int>{1, 2, 4, 5, 7}));
  EXPECT_EQ(outcomes[0].right, (std::vector<bool>{true, false, true, false, false}))
      << "what the stream said after the search began is no part of a line";
  EXPECT_EQ(outcomes[1].search, 2);
  EXPECT_TRUE(outcomes[1].nodes.empty());

  const TreeOutcome again = tree_outcome_from_json(Json::parse(to_json(outcomes[0]).dump()));
  EXPECT_EQ(again.nodes, outcomes[0].nodes);
  EXPECT_EQ(again.right, outcomes[0].right);
  EXPECT_EQ(again.stream, 1);
}

TEST(TreeOutcomes, AreNoneWithoutSearch) {
  EXPECT_TRUE(tree_outcomes({}, {{"search", nullptr}, {"streams", Json::array()}}).empty());
}

}  // namespace
}  // namespace polyphon
