#include "head_trainer/head_data_file.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace polyphon {
namespace {

using torch::Tensor;

class HeadDataFileTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  const std::string path_ = (std::filesystem::temp_directory_path() / "head-data.gguf").string();
};

HeadExamples examples(int64_t count) {
  const auto numbers = [&] { return torch::rand({count}); };
  return {torch::rand({count, 3}),
          torch::rand({count, 4}),
          numbers(),
          numbers(),
          torch::arange(count, torch::kLong),
          torch::arange(count, torch::kLong),
          numbers(),
          numbers(),
          numbers()};
}

// Also of one session and one example, whose first dimensions a GGUF does not keep.
TEST_F(HeadDataFileTest, IsReadAsItWasWritten) {
  for (const int64_t count : {1, 3}) {
    HeadData data;
    data.value = examples(count);
    data.logprobs = torch::rand({count, 2});
    data.topology.each = examples(count);
    data.topology.choices = torch::arange(count, torch::kLong);
    data.topology.names = {"1x8", "2x4"};
    data.read = {torch::rand({count, 5, 4}),
                 torch::rand({count, 2, 4}),
                 torch::rand({count, 2, 5}),
                 torch::ones({count, 2, 5}),
                 torch::full({count, 2}, 5, torch::kLong),
                 torch::ones({count, 2})};
    data.found = {{"traces", 7}, {"topologies", data.topology.names}};
    write_head_data(path_, data, "key");
    EXPECT_FALSE(read_head_data(path_, "another key"));
    const auto found = read_head_data(path_, "key");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->found, data.found);
    EXPECT_EQ(found->topology.names, data.topology.names);
    EXPECT_EQ(found->gate.count(), 0);
    for (const auto& [read, written] : std::vector<std::pair<Tensor, Tensor>>{
             {found->value.features, data.value.features},
             {found->value.hidden, data.value.hidden},
             {found->value.problems, data.value.problems},
             {found->logprobs, data.logprobs},
             {found->topology.each.elsewhere, data.topology.each.elsewhere},
             {found->topology.choices, data.topology.choices},
             {found->read.keys, data.read.keys},
             {found->read.lexical, data.read.lexical},
             {found->read.wanted, data.read.wanted},
             {found->read.weights, data.read.weights}}) {
      EXPECT_EQ(read.scalar_type(), written.scalar_type());
      ASSERT_EQ(read.sizes(), written.sizes());
      EXPECT_TRUE(read.equal(written));
    }
    EXPECT_EQ(found->read.sessions(), count);
  }
  EXPECT_FALSE(read_head_data(path_ + ".none", "key"));
}

}  // namespace
}  // namespace polyphon
