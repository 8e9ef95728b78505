#include "trainer/held_out.h"

#include <set>

#include "trainer/train_run_for_test.h"

namespace polyphon {
namespace {

// Five problems of four streams each.
std::vector<Example> streams() {
  std::vector<Example> examples;
  for (int i = 0; i < 20; ++i) examples.push_back({i + 1, {i % 5, 7, i, i + 1}, {{2, 4, 1}}});
  return examples;
}

TEST(HoldOut, KeepsStreamsOfOneProblemTogether) {
  std::vector<Example> trained = streams();
  const std::vector<Example> held = hold_out(trained, 0.3, 1);
  EXPECT_EQ(held.size(), 8u);
  EXPECT_EQ(trained.size(), 12u);
  std::set<Token> problems;
  for (const Example& example : held) problems.insert(example.tokens[0]);
  for (const Example& example : trained) EXPECT_FALSE(problems.contains(example.tokens[0]));
}

TEST(HoldOut, IsAFunctionOfTheSeedAndLeavesSomething) {
  std::vector<Example> a = streams(), b = streams(), c = streams(), one(1, streams()[0]);
  const auto lines = [](const std::vector<Example>& examples) {
    std::set<int> lines;
    for (const Example& example : examples) lines.insert(example.line);
    return lines;
  };
  EXPECT_EQ(lines(hold_out(a, 0.2, 3)), lines(hold_out(b, 0.2, 3)));
  EXPECT_EQ(hold_out(c, 0.999, 3).size(), 16u);
  EXPECT_THROW(hold_out(one, 0.5, 3), Error);
}

using HeldOutTest = TrainTest;
const auto kHeld = "/validation/loss"_json_pointer;
const auto kBestStep = "/validation/best_step"_json_pointer;

TEST_F(HeldOutTest, TheBestAdapterIsKept) {
  // Another rule than the data's: the better that is learnt, the worse the loss here.
  {
    std::ofstream other(folder_ + "/other.jsonl");
    for (int i = 0; i < 4; ++i) {
      Json tokens = Json::array();
      for (int j = 0; j < 12; ++j) tokens.push_back((7 * i + 50 * j) % 128);
      other << Json{{"tokens", tokens}, {"targets", {{1, 12, 1.0}}}}.dump() << "\n";
    }
  }
  TrainOptions held = options("held");
  held.validation_path = folder_ + "/other.jsonl";
  held.validate_every_steps = 2;
  run(held);
  const std::vector<double> losses = progress("held", kHeld);
  ASSERT_GT(losses.size(), 5u);
  const auto least = std::min_element(losses.begin(), losses.end());
  ASSERT_LT(*least, losses.back());
  const auto best = static_cast<int64_t>(progress("held", kBestStep).back());
  EXPECT_EQ(best, 2 * (least - losses.begin() + 1));

  // A run that is stopped there has the same adapter.
  TrainOptions stopped = held;
  stopped.out_folder = folder_ + "/stopped";
  std::atomic<bool> stop = false;
  train(stopped, stop, [&](const Json& line) { stop.store(line["step"].get<int64_t>() == best); });
  for (const auto& [name, tensor] : adapter("held"))
    EXPECT_EQ(tensor.values, adapter("stopped").at(name).values) << name;
}

TEST_F(HeldOutTest, ChangesNoBitOfTheCurveAndIsResumedToTheBit) {
  write_data(30);
  TrainOptions plain = options("plain"), held = options("held");
  held.validation_path = held.data_path;
  held.validate_every_steps = 2;
  run(plain);
  run(held);
  EXPECT_EQ(curve("plain"), curve("held"));

  TrainOptions stopped = held;
  stopped.out_folder = folder_ + "/stopped";
  std::atomic<bool> stop = false;
  train(stopped, stop, [&](const Json& line) { stop.store(line["step"] == 7); });
  stopped.resume = true;
  run(stopped);
  EXPECT_EQ(curve("stopped"), curve("held"));
  EXPECT_EQ(progress("stopped", kHeld), progress("held", kHeld));
  for (const auto& [name, tensor] : adapter("held"))
    EXPECT_EQ(tensor.values, adapter("stopped").at(name).values) << name;
}

// Else its adapter would stay the best of a part of the run.
TEST_F(HeldOutTest, IsNotResumedWithoutItsData) {
  TrainOptions held = options("held");
  held.validation_path = folder_ + "/held-out.jsonl";
  std::filesystem::copy_file(held.data_path, held.validation_path);
  held.validate_every_steps = 2;
  held.max_steps = 4;
  run(held);
  held.resume = true;
  held.validation_path = "";
  EXPECT_NE(refusal(held).find("was trained with validation_sha256"), std::string::npos);
}

TEST_F(HeldOutTest, DataThatWeighsNothingEndsTheRun) {
  TrainOptions held = options("held");
  held.validation_path = folder_ + "/held-out.jsonl";
  std::ofstream(held.validation_path) << R"({"tokens": [1, 2, 3], "targets": [[1, 3, 0]]})";
  held.validate_every_steps = 1;
  EXPECT_NE(refusal(held).find("the loss on held-out data is"), std::string::npos);
}

TEST_F(HeldOutTest, ALossThatIsNoNumberEndsTheRun) {
  TrainOptions held = options("held");
  held.validation_path = folder_ + "/held-out.jsonl";
  std::ofstream(held.validation_path) << R"({"tokens": [1, 2, 3], "targets": [[1, 3, 3e38]]})";
  held.validate_every_steps = 1;
  EXPECT_NE(refusal(held).find("the loss on held-out data is"), std::string::npos);
}

TEST_F(HeldOutTest, RefusesBothAFileAndAShare) {
  TrainOptions both = options("both");
  both.validation_path = both.data_path;
  both.validation_share = 0.1;
  EXPECT_NE(refusal(both).find("validation-share is 0.1"), std::string::npos);
}

}  // namespace
}  // namespace polyphon
