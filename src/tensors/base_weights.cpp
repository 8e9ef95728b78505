#include "tensors/base_weights.h"

#include <ATen/cpu/Utils.h>
#include <fmt/format.h>

#include "base/error.h"

namespace polyphon {
namespace {

class Loader {
 public:
  Loader(const WeightFile& file, Precision precision, const torch::Device& device)
      : file_(file), precision_(precision), device_(device) {}

  torch::Tensor vector(const std::string& name, int64_t size) const {
    return read(name, {size}, sum_type(precision_));
  }
  torch::Tensor matrix(const std::string& name, int64_t rows, int64_t columns) const {
    return read(name, {rows, columns}, product_type(precision_));
  }
  torch::Tensor vector_if_there(const std::string& name, int64_t size) const {
    return file_.has(name) ? vector(name, size) : torch::Tensor();
  }
  FrozenLinear group(const std::string& prefix, int group) const {
    std::vector<torch::Tensor> weights, biases;
    bool has_bias = false;
    for (int p = kGroups[group].first; p < kGroups[group].second; ++p) {
      const std::string name = prefix + kProjections[p];
      const auto [out, in] = projection_size(file_.shape(), p);
      weights.push_back(matrix(name + ".weight", out, in));
      has_bias = has_bias || file_.has(name + ".bias");
      biases.push_back(file_.has(name + ".bias")
                           ? read(name + ".bias", {out}, product_type(precision_))
                           : torch::zeros({out}, weights.back().options()));
    }
    return {torch::cat(weights), has_bias ? torch::cat(biases) : torch::Tensor()};
  }

 private:
  torch::Tensor read(const std::string& name, std::vector<int64_t> expected,
                     torch::ScalarType type) const {
    const std::vector<int64_t> found = file_.tensor_shape(name);
    if (found != expected)
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("tensor {} is [{}], must be [{}] by the file's own metadata", name,
                              fmt::join(found, ", "), fmt::join(expected, ", ")));
    std::vector<float> values = file_.read(name);
    return torch::from_blob(values.data(), expected, torch::kFloat)
        .to(device_, type, false, /*copy=*/true);
  }

  const WeightFile& file_;
  const Precision precision_;
  const torch::Device device_;
};

FrozenLayer load_layer(const Loader& loader, const ModelShape& shape, int index) {
  const std::string prefix = fmt::format("blk.{}.", index);
  FrozenLayer layer;
  for (int group = 0; group < kGroupCount; ++group)
    layer.groups[group] = loader.group(prefix, group);
  layer.attention_norm = loader.vector(prefix + "attn_norm.weight", shape.hidden_size);
  layer.feed_forward_norm = loader.vector(prefix + "ffn_norm.weight", shape.hidden_size);
  if (shape.qk_norms) {
    layer.query_norm = loader.vector(prefix + "attn_q_norm.weight", shape.head_size);
    layer.key_norm = loader.vector(prefix + "attn_k_norm.weight", shape.head_size);
  }
  return layer;
}

}  // namespace

Precision best_precision() {
  const auto capabilities = at::cpu::get_cpu_capabilities();
  for (const char* name : {"avx512_bf16", "amx_bf16"}) {
    const auto found = capabilities.find(name);
    if (found != capabilities.end() && found->second.toBool()) return Precision::kBfloat16;
  }
  return Precision::kFloat;
}

Precision parse_precision(const std::string& name, const torch::Device& device) {
  if (name == "auto") return device.is_cpu() ? best_precision() : Precision::kBfloat16;
  if (name == "bf16") return Precision::kBfloat16;
  if (name == "f32") return Precision::kFloat;
  throw Error(ErrorCode::kInvalidArgument,
              "precision " + name + " is not known: use auto, bf16 or f32", "precision");
}

torch::ScalarType product_type(Precision precision) {
  return precision == Precision::kBfloat16 ? torch::kBFloat16 : sum_type(precision);
}

torch::ScalarType sum_type(Precision precision) {
  return precision == Precision::kDouble ? torch::kDouble : torch::kFloat;
}

BaseWeights load_base_weights(const WeightFile& file, Precision precision,
                              const torch::Device& device) {
  const Loader loader(file, precision, device);
  const ModelShape& shape = file.shape();
  BaseWeights weights;
  weights.shape = shape;
  weights.precision = precision;
  weights.route = route_for(device);
  weights.embedding = loader.matrix("token_embd.weight", shape.vocabulary_size, shape.hidden_size);
  weights.output = shape.tied_head
                       ? weights.embedding
                       : loader.matrix("output.weight", shape.vocabulary_size, shape.hidden_size);
  weights.output_norm = loader.vector("output_norm.weight", shape.hidden_size);
  weights.rope_factors = Loader(file, precision, torch::kCPU)
                             .vector_if_there("rope_freqs.weight", shape.rope_size / 2);
  for (int i = 0; i < shape.layers; ++i) weights.layers.push_back(load_layer(loader, shape, i));
  return weights;
}

}  // namespace polyphon
