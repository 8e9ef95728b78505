#include "model/tiny_model_file.h"

#include <cmath>

#include "base/random.h"
#include "model/tensor_file.h"

namespace polyphon {
namespace {

class RandomTensors {
 public:
  explicit RandomTensors(unsigned seed) : random_(seed) {}

  // Uniform around `mean` with the given standard deviation.
  void add(const std::string& name, std::vector<int64_t> shape, double mean, double deviation) {
    int64_t count = 1;
    for (int64_t size : shape) count *= size;
    std::vector<float> values;
    for (int64_t i = 0; i < count; ++i)
      values.push_back(
          static_cast<float>(mean + deviation * std::sqrt(12.0) * (random_.uniform() - 0.5)));
    tensors[name] = {std::move(shape), std::move(values)};
  }
  void add_matrix(const std::string& name, int64_t rows, int64_t columns) {
    add(name, {rows, columns}, 0, 1 / std::sqrt(static_cast<double>(columns)));
  }

  std::map<std::string, NamedTensor> tensors;

 private:
  Random random_;
};

void add_layer(const TinyModel& model, const std::string& layer, RandomTensors& out) {
  const int q = model.heads * model.head_size, kv = model.kv_heads * model.head_size;
  const auto name = [&](const char* tensor) { return layer + tensor; };
  out.add(name("attn_norm.weight"), {model.hidden_size}, 1, 0.2);
  out.add(name("ffn_norm.weight"), {model.hidden_size}, 1, 0.2);
  out.add_matrix(name("attn_q.weight"), q, model.hidden_size);
  out.add_matrix(name("attn_k.weight"), kv, model.hidden_size);
  out.add_matrix(name("attn_v.weight"), kv, model.hidden_size);
  out.add_matrix(name("attn_output.weight"), model.hidden_size, q);
  out.add_matrix(name("ffn_gate.weight"), model.feed_forward_size, model.hidden_size);
  out.add_matrix(name("ffn_up.weight"), model.feed_forward_size, model.hidden_size);
  out.add_matrix(name("ffn_down.weight"), model.hidden_size, model.feed_forward_size);
  if (model.architecture == "qwen2") {
    out.add(name("attn_q.bias"), {q}, 0, 0.3);
    out.add(name("attn_k.bias"), {kv}, 0, 0.3);
    out.add(name("attn_v.bias"), {kv}, 0, 0.3);
  }
  if (model.architecture == "qwen3") {
    out.add(name("attn_q_norm.weight"), {model.head_size}, 1, 0.2);
    out.add(name("attn_k_norm.weight"), {model.head_size}, 1, 0.2);
  }
}

}  // namespace

void write_tiny_model_file(const std::string& path, const TinyModel& model) {
  RandomTensors random(model.seed);
  // Embeddings of this size make the logits of a tied head differ by several units.
  random.add("token_embd.weight", {model.vocabulary_size, model.hidden_size}, 0, 0.5);
  random.add("output_norm.weight", {model.hidden_size}, 1, 0.2);
  if (!model.tied_head)
    random.add_matrix("output.weight", model.vocabulary_size, model.hidden_size);
  if (model.rope_factors) random.add("rope_freqs.weight", {model.head_size / 2}, 2, 0.5);
  for (int i = 0; i < model.layers; ++i) add_layer(model, "blk." + std::to_string(i) + ".", random);

  TensorFile file;
  file.tensors = std::move(random.tensors);
  const std::string prefix = model.architecture + ".";
  const auto size = [&](const char* key, int value) {
    file.integers[prefix + key] = static_cast<uint32_t>(value);
  };
  file.strings["general.architecture"] = model.architecture;
  file.strings["tokenizer.ggml.model"] = "no_vocab";
  size("vocab_size", model.vocabulary_size);
  size("context_length", 512);
  size("block_count", model.layers);
  size("embedding_length", model.hidden_size);
  size("feed_forward_length", model.feed_forward_size);
  size("attention.head_count", model.heads);
  size("attention.head_count_kv", model.kv_heads);
  size("attention.key_length", model.head_size);
  size("attention.value_length", model.head_size);
  size("rope.dimension_count", model.head_size);
  file.floats[prefix + "attention.layer_norm_rms_epsilon"] = 1e-5f;
  file.floats[prefix + "rope.freq_base"] = 10000.0f;
  if (model.rope_scaling_factor != 1) {
    file.strings[prefix + "rope.scaling.type"] = "linear";
    file.floats[prefix + "rope.scaling.factor"] = model.rope_scaling_factor;
  }
  write_tensor_file(path, file);
}

}  // namespace polyphon
