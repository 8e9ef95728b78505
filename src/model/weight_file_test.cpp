#include "model/weight_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "model/real_model_for_test.h"
#include "model/tensor_file.h"
#include "model/tiny_model_file.h"

namespace polyphon {
namespace {

class WeightFileTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  std::string refusal() const {
    try {
      const WeightFile file(path_);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  // The tiny model with one string or number changed.
  template <typename Change>
  std::string refusal_after(Change change) const {
    write_tiny_model_file(path_, {});
    TensorFile file = read_tensor_file(path_);
    change(file);
    write_tensor_file(path_, file);
    return refusal();
  }
  const std::string path_ =
      (std::filesystem::temp_directory_path() /
       (std::string("weights-") + ::testing::UnitTest::GetInstance()->current_test_info()->name() +
        ".gguf"))
          .string();
};

TEST_F(WeightFileTest, ReadsTheShape) {
  TinyModel tiny{.architecture = "qwen3", .tied_head = false};
  tiny.rope_scaling_factor = 4;
  write_tiny_model_file(path_, tiny);
  const WeightFile file(path_);
  const ModelShape& shape = file.shape();
  EXPECT_EQ(shape.architecture, "qwen3");
  EXPECT_EQ(shape.layers, tiny.layers);
  EXPECT_EQ(shape.hidden_size, tiny.hidden_size);
  EXPECT_EQ(shape.feed_forward_size, tiny.feed_forward_size);
  EXPECT_EQ(shape.heads, tiny.heads);
  EXPECT_EQ(shape.kv_heads, tiny.kv_heads);
  EXPECT_EQ(shape.head_size, tiny.head_size);
  EXPECT_EQ(shape.vocabulary_size, tiny.vocabulary_size);
  EXPECT_EQ(shape.rope_pairs, RopePairs::kHalves);
  EXPECT_FLOAT_EQ(shape.rope_scale, 0.25f);
  EXPECT_FLOAT_EQ(shape.norm_epsilon, 1e-5f);
  EXPECT_TRUE(shape.qk_norms);
  EXPECT_FALSE(shape.tied_head);
}

TEST_F(WeightFileTest, ReadsTensorsRowAfterRow) {
  write_tiny_model_file(path_, {});
  const WeightFile file(path_);
  const NamedTensor same = read_tensor_file(path_).tensors.at("blk.1.attn_k.weight");
  EXPECT_EQ(file.tensor_shape("blk.1.attn_k.weight"), same.shape);
  EXPECT_EQ(file.read("blk.1.attn_k.weight"), same.values);
  EXPECT_FALSE(file.has("blk.1.attn_k.bias"));
  EXPECT_THROW(file.read("blk.1.attn_k.bias"), Error);
}

TEST_F(WeightFileTest, RefusesByNameWhatCannotBeTrained) {
  EXPECT_NE(refusal_after([](TensorFile& file) {
              file.strings["general.architecture"] = "mamba";
            }).find("architecture mamba cannot be trained yet"),
            std::string::npos);
  EXPECT_NE(refusal_after([](TensorFile& file) {
              file.integers["llama.expert_count"] = 8;
            }).find("8 experts"),
            std::string::npos);
  EXPECT_NE(refusal_after([](TensorFile& file) {
              file.strings["llama.rope.scaling.type"] = "yarn";
            }).find("RoPE scaling yarn"),
            std::string::npos);
  EXPECT_NE(refusal_after([](TensorFile& file) {
              file.integers.erase("llama.block_count");
            }).find("llama.block_count is missing"),
            std::string::npos);
  EXPECT_NE(refusal_after([](TensorFile& file) {
              file.tensors.erase("blk.0.attn_q.weight");
            }).find("has no tensor blk.0.attn_q.weight"),
            std::string::npos);
}

TEST_F(WeightFileTest, SaysThatAFileIsNoneOrCut) {
  EXPECT_NE(refusal().find("cannot read"), std::string::npos);
  std::ofstream(path_) << "not a model";
  EXPECT_NE(refusal().find("is not a GGUF file"), std::string::npos);
  write_tiny_model_file(path_, {});
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 5000);
  const WeightFile cut(path_);
  try {
    cut.read("token_embd.weight");  // the last one in the file
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("ends inside tensor"), std::string::npos);
  }
}

TEST(WeightFileRealModel, ReadsSmolLm2) {
  const WeightFile file(real_model_path());
  EXPECT_EQ(file.shape().architecture, "llama");
  EXPECT_EQ(file.shape().hidden_size, real_model().info().hidden_size);
  EXPECT_EQ(file.shape().layers, real_model().info().layers);
  EXPECT_EQ(file.shape().rope_pairs, RopePairs::kNeighbours);
  EXPECT_TRUE(file.shape().tied_head);
  // Quantised weights come out as floats of the size that initialisation and training give.
  double squares = 0;
  const std::vector<float> values = file.read("blk.3.ffn_down.weight");
  for (float value : values) squares += static_cast<double>(value) * value;
  const double deviation = std::sqrt(squares / static_cast<double>(values.size()));
  EXPECT_GT(deviation, 0.01);
  EXPECT_LT(deviation, 1);
}

}  // namespace
}  // namespace polyphon
