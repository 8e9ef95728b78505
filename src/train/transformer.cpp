#include "train/transformer.h"

#include "base/check.h"
#include "base/random.h"
#include "train/operations.h"

namespace polyphon {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// What all layers of one forward pass share. The graph of a checkpointed pass keeps it alive;
// weights and LoRA must outlive both.
struct Pass : torch::CustomClassHolder {
  Pass(const BaseWeights& weights, const Lora& lora, const TokenBatch& batch,
       const ForwardOptions& options)
      : weights(weights),
        lora(lora),
        options(options),
        segments(batch.segments),
        rope_table(make_rope_table(weights, batch.positions)) {}

  const BaseWeights& weights;
  const Lora& lora;
  const ForwardOptions options;
  const std::vector<Segment> segments;
  const RopeTable rope_table;
  std::vector<bool> masked;  // [segments]: has a mask
};
using PassPtr = c10::intrusive_ptr<Pass>;

LoraTerms terms_of(const Pass& pass, int layer, int group) {
  const int place = layer * kGroupCount + group;
  return {pass.lora.scale(), pass.options.training ? pass.lora.config().dropout : 0.0,
          derive_seed(pass.options.seed, static_cast<uint64_t>(place))};
}

// One layer as a function of its input and of what is trained.
class LayerPass {
 public:
  // `masks`: of the segments that have one, in their order.
  LayerPass(const Pass& pass, int layer, at::TensorList masks)
      : pass_(pass),
        index_(layer),
        layer_(pass.weights.layers[static_cast<size_t>(layer)]),
        type_(product_type(pass.weights.precision)) {
    for (size_t next = 0; const bool masked : pass.masked)
      masks_.push_back(masked ? masks[next++] : Tensor());
  }

  Tensor operator()(const Tensor& x) const {
    const Tensor middle = x + project(attend(norm(x, layer_.attention_norm)), kAttentionOut);
    const Tensor normed = norm(middle, layer_.feed_forward_norm);
    return middle + project(swiglu(project(normed, kFeedForwardIn)), kFeedForwardOut);
  }

 private:
  Tensor norm(const Tensor& x, const Tensor& weight) const {
    return rms_norm(x, weight, pass_.weights.shape.norm_epsilon, type_);
  }
  Tensor project(const Tensor& x, ProjectionGroup group) const {
    return lora_linear(x, layer_.groups[group],
                       lora_group(pass_.weights.shape, pass_.lora, index_, group),
                       terms_of(pass_, index_, group));
  }
  Tensor heads(const Tensor& x, int count) const {  // [rows, heads, head_size]
    return x.unflatten(-1, {count, pass_.weights.shape.head_size});
  }
  Tensor turn(const Tensor& x, const Tensor& norm_weight) const {
    const Tensor normed = norm_weight.defined() ? norm(x, norm_weight) : x;
    return rope(normed, pass_.rope_table, pass_.weights.shape.rope_pairs);
  }
  Tensor attend(const Tensor& normed) const {
    const ModelShape& shape = pass_.weights.shape;
    const auto parts = project(normed, kAttentionIn)
                           .split_with_sizes({projection_size(shape, kQuery).first,
                                              projection_size(shape, kKey).first,
                                              projection_size(shape, kValue).first},
                                             1);
    const Tensor q = turn(heads(parts[0], shape.heads), layer_.query_norm);
    const Tensor k = turn(heads(parts[1], shape.kv_heads), layer_.key_norm);
    return attention(q, k, heads(parts[2], shape.kv_heads), pass_.segments, masks_);
  }

  const Pass& pass_;
  const int index_;
  const FrozenLayer& layer_;
  variable_list masks_;  // [segments]
  const torch::ScalarType type_;
};

// Trained weights of one layer, in a fixed order.
variable_list trained_of(const Lora& lora, int layer) {
  variable_list trained;
  for (int p = 0; p < kProjectionCount; ++p) {
    if (!lora.at(layer, p).a.defined()) continue;
    trained.push_back(lora.at(layer, p).a);
    trained.push_back(lora.at(layer, p).b);
  }
  return trained;
}

// Keeps the layer's input alone; backward runs the layer again and differentiates that.
class CheckpointedLayer : public Function<CheckpointedLayer> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, at::TensorList masks,
                        at::TensorList trained, const PassPtr& pass, int64_t layer) {
    variable_list saved{x};
    saved.insert(saved.end(), masks.begin(), masks.end());
    saved.insert(saved.end(), trained.begin(), trained.end());
    context->save_for_backward(std::move(saved));
    context->saved_data["layer"] = layer;
    context->saved_data["masks"] = static_cast<int64_t>(masks.size());
    context->saved_data["pass"] = c10::IValue::make_capsule(pass);
    return LayerPass(*pass, static_cast<int>(layer), masks)(x);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto pass =
        c10::static_intrusive_pointer_cast<Pass>(context->saved_data["pass"].toCapsule());
    const auto layer = static_cast<int>(context->saved_data["layer"].toInt());
    const auto mask_count = static_cast<size_t>(context->saved_data["masks"].toInt());
    // Copies apart from the outer graph; the trained weights are leaves and can stand for
    // themselves.
    variable_list inputs = context->get_saved_variables();
    for (size_t i = 0; i <= mask_count; ++i)
      inputs[i] = inputs[i].detach().requires_grad_(inputs[i].requires_grad());
    const at::TensorList masks(inputs.data() + 1, mask_count);
    const torch::AutoGradMode enable(true);
    const Tensor y = LayerPass(*pass, layer, masks)(inputs[0]);

    variable_list wanted;
    for (const Tensor& input : inputs)
      if (input.requires_grad()) wanted.push_back(input);
    const variable_list found = torch::autograd::grad({y}, wanted, {gradients[0]});
    variable_list result;
    for (size_t next = 0; const Tensor& input : inputs)
      result.push_back(input.requires_grad() ? found[next++] : Tensor());
    result.resize(result.size() + 2);  // pass, layer
    return result;
  }
};

}  // namespace

Tensor forward(const BaseWeights& weights, const Lora& lora, const TokenBatch& batch,
               const ForwardOptions& options, const std::vector<int>* selected) {
  POLYPHON_CHECK(!batch.segments.empty() && batch.segments.back().end == batch.rows());
  POLYPHON_CHECK(options.biases.empty() || options.biases.size() == batch.segments.size());
  const auto type = product_type(weights.precision);
  const PassPtr pass = c10::make_intrusive<Pass>(weights, lora, batch, options);
  variable_list masks;
  for (size_t i = 0; i < batch.segments.size(); ++i) {
    const Tensor mask = attention_mask(batch.segments[i],
                                       options.biases.empty() ? Tensor() : options.biases[i], type);
    pass->masked.push_back(mask.defined());
    if (mask.defined()) masks.push_back(mask);
  }

  const Tensor tokens =
      torch::tensor(std::vector<int64_t>(batch.tokens.begin(), batch.tokens.end()), torch::kLong);
  Tensor x = weights.embedding.index_select(0, tokens).to(sum_type(weights.precision));
  const bool checkpoint = options.checkpoint && torch::GradMode::is_enabled();
  for (int i = 0; i < weights.shape.layers; ++i) {
    const variable_list trained = trained_of(lora, i);
    // Lists by their exact type: Function::apply takes a vector for no tensors at all.
    x = checkpoint ? CheckpointedLayer::apply(x, at::TensorList(masks), at::TensorList(trained),
                                              pass, int64_t{i})
                   : LayerPass(*pass, i, masks)(x);
  }
  if (selected)
    x = x.index_select(
        0, torch::tensor(std::vector<int64_t>(selected->begin(), selected->end()), torch::kLong));
  return rms_norm(x, weights.output_norm, weights.shape.norm_epsilon, type);
}

Tensor logits(const BaseWeights& weights, const Tensor& hidden) {
  const torch::NoGradGuard guard;
  const auto type = sum_type(weights.precision);
  return at::mm(hidden.to(type), weights.output.to(type).t());
}

}  // namespace polyphon
