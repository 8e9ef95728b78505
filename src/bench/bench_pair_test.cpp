#include "bench/bench_pair.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "attention/span_backend.h"
#include "base/error.h"
#include "base/random.h"
#include "core/version.h"
#include "deploy/load.h"
#include "model/real_model_for_test.h"
#include "model/tensor_file.h"

namespace polyphon {
namespace {

constexpr int kRank = 16;

// Ours and ggml's kernels on the test's model with an adapter of every layer's output of attention.
class BenchPairRealModel : public testing::Test {
 protected:
  void SetUp() override {
    const ModelInfo& info = real_model().info();
    TensorFile file;
    file.strings = {{"general.type", "adapter"},
                    {"general.architecture", info.architecture},
                    {"adapter.type", "lora"}};
    file.floats = {{"adapter.lora.alpha", kRank}};
    const int64_t size = info.hidden_size;
    Random random(3);
    const auto matrix = [&](int64_t rows, int64_t columns, double magnitude) {
      NamedTensor tensor{{rows, columns}, {}};
      for (int64_t i = 0; i < rows * columns; ++i)
        tensor.values.push_back(static_cast<float>(magnitude * (2 * random.uniform() - 1)));
      return tensor;
    };
    for (int layer = 0; layer < info.layers; ++layer) {
      const std::string weight = "blk." + std::to_string(layer) + ".attn_output.weight";
      file.tensors[weight + ".lora_a"] = matrix(kRank, size, 0.1);
      file.tensors[weight + ".lora_b"] = matrix(size, kRank, 0.4);
    }
    std::filesystem::create_directories(folder_);
    write_tensor_file(path_, file);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static std::vector<float> logits(const BenchEngine& engine) {
    const Tokens tokens = real_model().vocabulary().tokenize(
        "The capital of France is Paris, and that of Italy is", false, false);
    std::vector<Row> rows;
    for (const Token token : tokens)
      rows.push_back({token, static_cast<Position>(rows.size()), 0, false});
    rows.back().output = true;
    EXPECT_EQ(engine.decoder->decode(rows, false), DecodeStatus::kOk);
    const auto row = engine.decoder->logits(static_cast<int>(rows.size()) - 1);
    return {row.begin(), row.end()};
  }

  // The norm of the difference over the norm of the second.
  static double distance(const std::vector<float>& a, const std::vector<float>& b) {
    double difference = 0, norm = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      difference += std::pow(double{a[i]} - double{b[i]}, 2);
      norm += std::pow(double{b[i]}, 2);
    }
    return std::sqrt(difference / norm);
  }

  static Config config(const std::string& adapter) {
    Config config;
    config.model = real_model_path();
    config.decoder = {.context_cells = 256, .max_sequences = 1, .max_rows = 64, .adapter = adapter};
    return config;
  }

  const std::string folder_ =
      (std::filesystem::temp_directory_path() / "bench-pair-version").string();
  const std::string path_ = folder_ + "/adapter.gguf";
};

TEST_F(BenchPairRealModel, AdaptersGiveTheLogitsThatGgmlsKernelsGive) {
  const BenchPair without = load_bench_pair(config(""));
  const BenchPair with = load_bench_pair(config(path_));
  const std::vector<float> ours = logits(with.ours), stock = logits(with.stock);
  // Both round layers' inputs to 8 bits, with an adapter and without; what it changes is far more.
  const std::vector<float> base = logits(without.stock);
  const double apart = distance(ours, stock), changed = distance(stock, base);
  EXPECT_LT(apart, 3 * distance(logits(without.ours), base));
  EXPECT_LT(apart, changed / 4) << changed;
}

TEST_F(BenchPairRealModel, AVersionIsMeasuredWithItsAdapter) {
  write_version(folder_, {"v", model_digest(real_model_path()), "data", Json::object(), {}});
  Config of_version = config("");
  of_version.version = folder_;
  EXPECT_EQ(logits(load_bench_pair(of_version).stock),
            logits(load_bench_pair(config(path_)).stock));
  write_version(folder_, {"v", "another digest", "data", Json::object(), {}});
  EXPECT_THROW(load_bench_pair(of_version), Error);
}

}  // namespace
}  // namespace polyphon
