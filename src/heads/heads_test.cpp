#include "heads/heads.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "base/error.h"
#include "model/tensor_file.h"

namespace polyphon {
namespace {

constexpr int kHiddenSize = 4;

class HeadsTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  std::string refusal(const std::string& digest = "digest", int hidden_size = kHiddenSize) const {
    try {
      read_heads(path_, digest, hidden_size);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  // Writes a file as write_heads() does, but with one tensor changed.
  void write_with(const std::string& name, const NamedTensor& tensor) {
    write_heads(path_, heads_, "digest", kHiddenSize);
    TensorFile file = read_tensor_file(path_);
    file.tensors[name] = tensor;
    write_tensor_file(path_, file);
  }
  const std::string path_ =
      (std::filesystem::temp_directory_path() /
       (std::string("heads-") + ::testing::UnitTest::GetInstance()->current_test_info()->name() +
        ".gguf"))
          .string();
  Heads heads_;
};

TEST_F(HeadsTest, SurviveTheirFile) {
  heads_.version = "night-3";
  heads_.gate.weights = {0.5, -1, 2, 0.25, 0, 8};
  heads_.gate.bias = -0.75;
  heads_.gate.hidden_weights = {1, -2, 3, -4};
  heads_.value.weights = {1, 2, 3, 4, 5, 6, 7};
  heads_.value.hidden_weights = {5, 6, 7, 8};
  heads_.memory.write.bias = -2;
  heads_.memory.read.lexical_weight = 0.25;
  heads_.memory.read.bilinear.assign(kHiddenSize * kHiddenSize, 0.5f);
  heads_.topology.weights = {1, 2, 3, 4, 5, 6, 7};
  heads_.topology.hidden_weights.assign(4 * kHiddenSize, 0.25f);
  write_heads(path_, heads_, "digest", kHiddenSize);
  const Heads read = read_heads(path_, "digest", kHiddenSize);
  EXPECT_EQ(read.topology.weights, heads_.topology.weights);
  EXPECT_EQ(read.topology.hidden_weights, heads_.topology.hidden_weights);
  EXPECT_EQ(read.value.weights, heads_.value.weights);
  EXPECT_EQ(read.value.hidden_weights, heads_.value.hidden_weights);
  EXPECT_EQ(read.memory.write.bias, -2);
  EXPECT_EQ(read.memory.read.lexical_weight, 0.25);
  EXPECT_EQ(read.memory.read.bilinear, heads_.memory.read.bilinear);
  EXPECT_EQ(read.version, "night-3");
  EXPECT_EQ(read.gate.weights, heads_.gate.weights);
  EXPECT_EQ(read.gate.bias, heads_.gate.bias);
  EXPECT_EQ(read.gate.hidden_weights, heads_.gate.hidden_weights);
}

TEST_F(HeadsTest, UntrainedHeadsSurviveTheirFile) {
  write_heads(path_, heads_, "digest", kHiddenSize);
  const Heads read = read_heads(path_, "digest", kHiddenSize);
  EXPECT_FALSE(read.topology.is_trained());
  const std::vector<float> hidden = {1, 2, 3, 4};
  const GateFeatures features{0.8, 0.5, 0.3, 0.6, 0.2, 1};
  EXPECT_EQ(promotion_probability(read.gate, features, hidden),
            promotion_probability(heads_.gate, features, hidden));
}

// Reference: the logistic function of a dot product in double precision.
TEST_F(HeadsTest, TheGateIsALogisticRegression) {
  heads_.gate.hidden_weights = {0.1f, -0.2f, 0.3f, 0.4f};
  const std::vector<float> hidden = {1, -1, 0.5f, 2};
  const GateFeatures features{0.8, 0.5, 0.3, 0.6, 0.2, 1};
  const double logit = -2.5 + 1.5 * 0.8 + 1.5 * 0.5 + 1.0 * 0.3 + 2.0 * 0.6 - 1.0 * 0.2 + 1.0 * 1 +
                       0.1 + 0.2 + 0.15 + 0.8;
  EXPECT_NEAR(promotion_probability(heads_.gate, features, hidden), 1 / (1 + std::exp(-logit)),
              1e-6);
}

TEST_F(HeadsTest, HeadsOfAnotherModelAreRefusedNamingBothDigests) {
  write_heads(path_, heads_, "digest-of-one", kHiddenSize);
  const std::string why = refusal("digest-of-another");
  EXPECT_NE(why.find("digest-of-one"), std::string::npos);
  EXPECT_NE(why.find("digest-of-another"), std::string::npos);
}

TEST_F(HeadsTest, RefuseTensorsOfAnotherSizeOrNotFinite) {
  write_with("gate.weights", {{2}, {1, 2}});
  EXPECT_NE(refusal().find("gate.weights has 2 values, must have 6"), std::string::npos);
  write_with("gate.hidden_weights", {{3}, {1, 2, 3}});
  EXPECT_NE(refusal().find("gate.hidden_weights"), std::string::npos);
  write_with("gate.bias", {{1}, {std::numeric_limits<float>::quiet_NaN()}});
  EXPECT_NE(refusal().find("not finite"), std::string::npos);
  write_with("value.w2", {{3}, {1, 2, 3}});
  EXPECT_NE(refusal().find("no head has a tensor 'value.w2'"), std::string::npos);
  write_with("memory.read.bilinear", {{4}, {1, 2, 3, 4}});
  EXPECT_NE(refusal().find("memory.read.bilinear has 4 values, must have 16"), std::string::npos);
  write_with("topology.weights", {{6}, {1, 2, 3, 4, 5, 6}});
  EXPECT_NE(refusal().find("topology.weights has 6 values, must have 7"), std::string::npos);
  write_with("topology.hidden_weights", {{4, 4}, std::vector<float>(16, 1)});
  EXPECT_NE(refusal().find("topology.weights is missing"), std::string::npos);
  write_with("topology.hidden_weights", {{4, 3}, std::vector<float>(12, 1)});
  EXPECT_NE(refusal().find("topology.hidden_weights has 12 values, must have 16"),
            std::string::npos);
  write_tensor_file(path_, {{{"general.architecture", "llama"}}, {{"x", {{1}, {1}}}}});
  EXPECT_NE(refusal().find("not of heads"), std::string::npos);
}

}  // namespace
}  // namespace polyphon
