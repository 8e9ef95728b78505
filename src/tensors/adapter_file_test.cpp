#include "tensors/adapter_file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "model/float_copy.h"
#include "model/plain_llama.h"
#include "model/real_model_for_test.h"
#include "tensors/tiny_weights_for_test.h"
#include "tensors/transformer.h"

namespace polyphon {
namespace {

using torch::Tensor;

// Stock libllama with the adapter against our forward pass with the same weights. How much the
// adapter changed the logits of the base, and how far the two are apart.
struct Difference {
  double changed = 0;
  double apart = 0;
};
Difference compare(const std::string& model, const Tokens& tokens, const LoraConfig& config,
                   double deviation) {
  const WeightFile file(model);
  const BaseWeights weights = load_base_weights(file, Precision::kFloat);
  const Lora lora(weights.shape, config, 3);
  fill_b(lora, deviation);
  const std::string adapter = test_file(".adapter.gguf");
  write_adapter(adapter, lora, file.shape().architecture, "digest");

  PlainLlama plain(model, 256, 1, /*exact=*/true);
  const auto base = plain.logits(tokens);
  plain.use_adapter(adapter);
  const auto adapted = plain.logits(tokens);
  std::filesystem::remove(adapter);

  TokenBatch batch;
  append_plain(batch, tokens);
  const torch::NoGradGuard guard;
  const Tensor found = logits(weights, forward(weights, lora, batch, {}));
  Difference difference;
  for (size_t row = 0; row < tokens.size(); ++row) {
    const Tensor expected = torch::tensor(adapted[row]);
    const auto largest = [](const Tensor& t) { return t.abs().max().item<double>(); };
    difference.changed = std::max(difference.changed, largest(expected - torch::tensor(base[row])));
    difference.apart =
        std::max(difference.apart, largest(expected - found[static_cast<int64_t>(row)]));
  }
  return difference;
}

class AdapterFileTest : public ::testing::TestWithParam<std::string> {};

TEST_P(AdapterFileTest, StockLlamaComputesWithItWhatWasTrained) {
  at::set_num_threads(1);
  const std::string model = test_file(".gguf");
  write_tiny_model_file(model, {.architecture = GetParam()});
  const LoraConfig all{.rank = 4, .alpha = 6};
  LoraConfig few = all;
  few.projections = {"attn_k", "ffn_up"};
  for (const LoraConfig& config : {all, few}) {
    const Difference difference = compare(model, random_tokens(50, 128, 4), config, 0.2);
    EXPECT_GT(difference.changed, 0.5);
    EXPECT_LT(difference.apart, 3e-4);
  }
  std::filesystem::remove(model);
}

TEST(AdapterFile, IsReadAsItWasWritten) {
  const ModelShape shape = tiny_weights({}, Precision::kFloat).shape;
  const std::string path = test_file(".gguf");
  for (const LoraConfig& config :
       {LoraConfig{.rank = 4, .alpha = 6},
        LoraConfig{.rank = 1, .alpha = 3, .projections = {"attn_k", "ffn_down"}}}) {
    const Lora written(shape, config, 3);
    fill_b(written, 0.2);
    write_adapter(path, written, "llama", "digest");
    const Lora read = load_adapter(path, shape, "digest");
    EXPECT_EQ(read.scale(), written.scale());
    const auto expected = written.parameters(), found = read.parameters();
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].first, expected[i].first);
      EXPECT_TRUE(found[i].second.equal(expected[i].second)) << found[i].first;
    }
  }
  try {
    load_adapter(path, shape, "another");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("of model digest, this is another"),
              std::string::npos);
  }
  std::filesystem::remove(path);
}

INSTANTIATE_TEST_SUITE_P(Architectures, AdapterFileTest,
                         ::testing::Values("llama", "qwen2", "qwen3"));

// On a copy in floats: quantised products of libllama round activations to 8 bits, and random
// adapters this large amplify that beyond comparison.
TEST(AdapterFileRealModel, StockLlamaComputesWithItOnSmolLm2) {
  const std::string model = test_file(".gguf");
  write_float_copy(real_model_path(), model);
  const Tokens tokens = real_model().vocabulary().tokenize(
      "The quick brown fox jumps over the lazy dog, and twelve times seven is", false, true);
  const Difference difference = compare(model, tokens, {}, 0.02);
  std::filesystem::remove(model);
  EXPECT_GT(difference.changed, 4);
  EXPECT_LT(difference.apart, 0.02);
}

// Of all projections, as a run begins with it: the served model is the base to the bit.
TEST(AdapterFileRealModel, AnUntrainedOneChangesNoBitOfTheEngines) {
  const WeightFile file(real_model_path());
  const std::string path = test_file(".gguf");
  write_adapter(path, Lora(file.shape(), {}, 3), file.shape().architecture, "digest");
  const Tokens tokens = real_model().vocabulary().tokenize("Twelve times seven is", false, true);
  const auto logits_with = [&](const std::string& adapter) {
    const auto decoder = real_model().make_decoder({.context_cells = 256,
                                                    .max_sequences = 1,
                                                    .max_rows = 64,
                                                    .threads = 1,
                                                    .adapter = adapter});
    std::vector<Row> rows;
    for (const Token token : tokens)
      rows.push_back({token, static_cast<Position>(rows.size()), 0, true});
    EXPECT_EQ(decoder->decode(rows, false), DecodeStatus::kOk);
    std::vector<float> all;
    for (int row = 0; row < static_cast<int>(rows.size()); ++row) {
      const auto logits = decoder->logits(row);
      all.insert(all.end(), logits.begin(), logits.end());
    }
    return all;
  };
  EXPECT_EQ(logits_with(path), logits_with(""));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace polyphon
