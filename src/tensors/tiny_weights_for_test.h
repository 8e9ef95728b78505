// Base weights of a tiny random model, through a file as the trainer reads them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "base/random.h"
#include "core/token.h"
#include "model/tiny_model_file.h"
#include "tensors/base_weights.h"

namespace polyphon {

// A file name of the running test's own.
inline std::string test_file(const std::string& suffix) {
  const auto* const test = ::testing::UnitTest::GetInstance()->current_test_info();
  std::string name = std::string(test->test_suite_name()) + "-" + test->name() + suffix;
  std::replace(name.begin(), name.end(), '/', '-');  // of parametrised tests
  return (std::filesystem::temp_directory_path() / name).string();
}

// From here on one thread computes: with so little to do several would only wait for each other.
inline BaseWeights tiny_weights(const TinyModel& model, Precision precision) {
  at::set_num_threads(1);
  const std::string path = test_file(".gguf");
  write_tiny_model_file(path, model);
  BaseWeights weights = load_base_weights(WeightFile(path), precision);
  std::filesystem::remove(path);
  return weights;
}

inline Tokens random_tokens(int count, int vocabulary_size, uint64_t seed) {
  Random random(seed);
  Tokens tokens;
  for (int i = 0; i < count; ++i)
    tokens.push_back(static_cast<Token>(random.next() % static_cast<uint64_t>(vocabulary_size)));
  return tokens;
}

// B is zero at first and would hide half of the gradients.
inline void fill_b(const Lora& lora, double deviation) {
  const torch::NoGradGuard guard;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(7);
  for (const auto& [name, tensor] : lora.parameters())
    if (name.ends_with("lora_b")) torch::Tensor(tensor).normal_(0, deviation, generator);
}

}  // namespace polyphon
