// A folder with a tiny model and data in which a run takes milliseconds, and what it left there.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/error.h"
#include "heads/heads.h"
#include "model/tensor_file.h"
#include "tensors/tiny_weights_for_test.h"
#include "trainer/promoted_example_for_test.h"
#include "trainer/train.h"

namespace polyphon {

class TrainTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = test_file("");
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    write_tiny_model_file(folder_ + "/model.gguf", {});
    write_data(24);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Sequences in which a token follows from the one before it.
  void write_data(int count) const {
    std::ofstream file(folder_ + "/data.jsonl");
    for (int i = 0; i < count; ++i) {
      Json tokens = Json::array();
      for (int j = 0; j < 12 + i % 5; ++j) tokens.push_back((7 * i + 3 * j) % 128);
      file << Json{{"tokens", tokens}, {"targets", {{1, tokens.size(), 1.0}}}}.dump() << "\n";
    }
  }
  // Sessions whose promotions help when the gate's features are 1, and harm when they are 0; the
  // last ones teach nothing else.
  void write_promotions(int count, int effects_alone) const {
    std::ofstream file(folder_ + "/data.jsonl");
    for (int i = 0; i < count + effects_alone; ++i) {
      Tokens tokens;
      for (int j = 0; j < kPromotedRows; ++j) tokens.push_back((7 * i + 3 * j) % 128);
      const bool helps = i % 2 == 0;
      Example example = promoted_example(tokens, helps ? 1.0f : 0.0f, helps ? 0.5f : -0.25f);
      if (i >= count) example.targets.clear();
      file << to_json(example).dump() << "\n";
    }
  }
  TrainOptions options(const std::string& out) const {
    TrainOptions options;
    options.model_path = folder_ + "/model.gguf";
    options.data_path = folder_ + "/data.jsonl";
    options.out_folder = folder_ + "/" + out;
    options.rank = 4;
    options.dropout = 0.1f;
    options.learning_rate = 1e-2;
    options.warmup_steps = 3;
    options.epochs = 6;
    options.batch_tokens = 64;
    options.accumulate = 2;
    options.threads = 1;
    options.precision = "f32";
    options.save_every_steps = 3;
    return options;
  }
  TrainOutcome run(const TrainOptions& options) const {
    return train(options, std::atomic<bool>(false));
  }
  // The curve as it was written: equal texts are equal bits.
  std::vector<std::string> curve(const std::string& out) const {
    std::ifstream file(folder_ + "/" + out + "/progress.jsonl");
    std::vector<std::string> values;
    for (std::string line; std::getline(file, line);) {
      const Json json = Json::parse(line);
      values.push_back(json["step"].dump() + " " + json["loss"].dump() + " " +
                       json["gradient_norm"].dump());
    }
    return values;
  }
  std::string refusal(const TrainOptions& options) const {
    try {
      run(options);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  // `value` of each line of progress, where it has one.
  std::vector<double> progress(const std::string& out, const Json::json_pointer& value) const {
    std::ifstream file(folder_ + "/" + out + "/progress.jsonl");
    std::vector<double> values;
    for (std::string line; std::getline(file, line);)
      if (const Json json = Json::parse(line); json.contains(value))
        values.push_back(json[value].get<double>());
    return values;
  }
  std::map<std::string, NamedTensor> adapter(const std::string& out) const {
    return read_tensor_file(folder_ + "/" + out + "/adapter.gguf").tensors;
  }
  // Steps that the checkpoint holds.
  int64_t saved_step(const std::string& out) const {
    const auto file = read_tensor_file(folder_ + "/" + out + "/state.gguf");
    return Json::parse(file.strings.at("polyphon.train.state")).at("step").get<int64_t>();
  }
  Heads heads_of(const std::string& out) const {
    const std::string model = folder_ + "/model.gguf";
    return read_heads(folder_ + "/" + out + "/heads.gguf", sha256_file(model),
                      WeightFile(model).shape().hidden_size);
  }

  std::string folder_;
};

}  // namespace polyphon
