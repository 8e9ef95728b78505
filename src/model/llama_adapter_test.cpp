#include "model/llama_adapter.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "model/real_model_for_test.h"
#include "model/tensor_file.h"

namespace polyphon {
namespace {

class LlamaAdapterRealModel : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  // Of rank 1 on the first layer's query; every value of B is `b`.
  void write(float b, const std::string& architecture, int64_t size, const std::string& base = "") {
    TensorFile file;
    file.strings = {{"general.type", "adapter"},
                    {"general.architecture", architecture},
                    {"adapter.type", "lora"}};
    if (!base.empty()) file.strings["polyphon.base_sha256"] = base;
    const auto values = static_cast<size_t>(size);
    file.tensors["blk.0.attn_q.weight.lora_a"] = {{1, size}, std::vector<float>(values, 0.1f)};
    file.tensors["blk.0.attn_q.weight.lora_b"] = {{size, 1}, std::vector<float>(values, b)};
    write_tensor_file(path_, file);
  }
  std::vector<float> logits(const std::string& adapter) const {
    const auto decoder = real_model().make_decoder(
        {.context_cells = 256, .max_sequences = 1, .max_rows = 64, .adapter = adapter});
    const Tokens tokens =
        real_model().vocabulary().tokenize("The capital of France is", false, false);
    std::vector<Row> rows;
    for (Token token : tokens)
      rows.push_back({token, static_cast<Position>(rows.size()), 0, false});
    rows.back().output = true;
    EXPECT_EQ(decoder->decode(rows, false), DecodeStatus::kOk);
    const auto row = decoder->logits(static_cast<int>(rows.size()) - 1);
    return {row.begin(), row.end()};
  }
  std::string refusal() const {
    try {
      logits(path_);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  const int64_t size_ = real_model().info().hidden_size;
  const std::string architecture_ = real_model().info().architecture;
  const std::string path_ =
      (std::filesystem::temp_directory_path() /
       (std::string("adapter-") + ::testing::UnitTest::GetInstance()->current_test_info()->name() +
        ".gguf"))
          .string();
};

TEST_F(LlamaAdapterRealModel, ComputesWithIt) {
  const std::vector<float> base = logits("");
  write(0, architecture_, size_);
  EXPECT_EQ(logits(path_), base) << "an adapter that adds nothing";
  write(1, architecture_, size_);
  EXPECT_NE(logits(path_), base);
  EXPECT_EQ(logits(""), base) << "it is of its own context alone";
}

TEST_F(LlamaAdapterRealModel, RefusesWhatDoesNotFit) {
  EXPECT_NE(refusal().find("cannot read the adapter"), std::string::npos);
  write(1, "qwen3", size_);
  EXPECT_NE(refusal().find("arch mismatch"), std::string::npos) << refusal();
  write(1, architecture_, size_ + 32);
  EXPECT_NE(refusal().find("incorrect shape"), std::string::npos) << refusal();
  std::ofstream(path_) << "not a GGUF";
  EXPECT_NE(refusal().find("is no adapter"), std::string::npos) << refusal();
}

TEST_F(LlamaAdapterRealModel, NamesItsBase) {
  write(1, architecture_, size_, "digest");
  EXPECT_EQ(adapter_base_digest(path_), "digest");
  write(1, architecture_, size_);
  EXPECT_EQ(adapter_base_digest(path_), "");
  std::ofstream(path_) << "not a GGUF";
  EXPECT_THROW(adapter_base_digest(path_), Error);
}

}  // namespace
}  // namespace polyphon
