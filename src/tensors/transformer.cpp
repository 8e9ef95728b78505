#include "tensors/transformer.h"

#include "base/check.h"
#include "core/seeds.h"
#include "tensors/operations.h"
#include "tensors/self_attention.h"

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
          seeds::kDropoutPlaces.of(pass.options.seed, static_cast<uint64_t>(place))};
}

// The residual stream between two layers: x + delta, which the next norm adds up.
struct Stream {
  Tensor x;      // [rows, hidden], sum type
  Tensor delta;  // [rows, hidden], product type, or undefined

  Tensor sum() const { return delta.defined() ? x + delta : x; }
};

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

  Stream operator()(const Stream& stream) const {
    const auto [sum, normed] = norm(stream, layer_.attention_norm);
    const auto [middle, normed_middle] =
        norm({sum, project(attend(normed), kAttentionOut)}, layer_.feed_forward_norm);
    return {middle, project(swiglu(project(normed_middle, kFeedForwardIn), pass_.weights.route),
                            kFeedForwardOut)};
  }

 private:
  Normed norm(const Stream& stream, const Tensor& weight) const {
    return add_norm(stream.x, stream.delta, weight, pass_.weights.shape.norm_epsilon, type_,
                    pass_.weights.route);
  }
  Tensor project(const Tensor& x, ProjectionGroup group) const {
    return lora_linear(x, layer_.groups[group],
                       lora_group(pass_.weights.shape, pass_.lora, index_, group),
                       terms_of(pass_, index_, group));
  }
  // Of the heads in columns [begin, begin + size) of x, where the model has such a norm.
  Tensor head_norm(const Tensor& x, int64_t begin, int64_t size, const Tensor& weight) const {
    const Tensor part = x.narrow(1, begin, size);
    if (!weight.defined()) return part;
    const Tensor heads = part.to(weight.scalar_type()).reshape({-1, weight.size(0)});
    return norm({heads, {}}, weight).out.view({x.size(0), size});
  }
  Tensor attend(const Tensor& normed) const {
    const ModelShape& shape = pass_.weights.shape;
    Tensor qkv = project(normed, kAttentionIn);
    if (layer_.query_norm.defined() || layer_.key_norm.defined()) {
      const int64_t q = projection_size(shape, kQuery).first;
      const int64_t k = projection_size(shape, kKey).first;
      qkv = at::cat({head_norm(qkv, 0, q, layer_.query_norm), head_norm(qkv, q, k, layer_.key_norm),
                     qkv.narrow(1, q + k, k)},
                    1);
    }
    return self_attention(qkv, pass_.rope_table, shape, pass_.segments, masks_,
                          pass_.weights.route);
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
    return LayerPass(*pass, static_cast<int>(layer), masks)({x, {}}).sum();
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
    const Tensor y = LayerPass(*pass, layer, masks)({inputs[0], {}}).sum();

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
    const Tensor mask =
        attention_mask(batch.segments[i], options.biases.empty() ? Tensor() : options.biases[i],
                       weights.output_norm.options());
    pass->masked.push_back(mask.defined());
    if (mask.defined()) masks.push_back(mask);
  }

  const auto indices = [&](const auto& numbers) {
    return torch::tensor(std::vector<int64_t>(numbers.begin(), numbers.end()), torch::kLong)
        .to(weights.device());
  };
  const Tensor tokens = indices(batch.tokens);
  Stream stream{weights.embedding.index_select(0, tokens).to(sum_type(weights.precision)), {}};
  const bool checkpoint = options.checkpoint && torch::GradMode::is_enabled();
  for (int i = 0; i < weights.shape.layers; ++i) {
    const variable_list trained = trained_of(lora, i);
    // Lists by their exact type: Function::apply takes a vector for no tensors at all.
    stream = checkpoint
                 ? Stream{CheckpointedLayer::apply(stream.x, at::TensorList(masks),
                                                   at::TensorList(trained), pass, int64_t{i}),
                          {}}
                 : LayerPass(*pass, i, masks)(stream);
  }
  if (selected) {
    const Tensor rows = indices(*selected);
    for (Tensor* part : {&stream.x, &stream.delta})
      if (part->defined()) *part = part->index_select(0, rows);
  }
  return add_norm(stream.x, stream.delta, weights.output_norm, weights.shape.norm_epsilon, type,
                  weights.route)
      .out;
}

Tensor logits(const BaseWeights& weights, const Tensor& hidden) {
  const torch::NoGradGuard guard;
  const auto type = sum_type(weights.precision);
  return at::mm(hidden.to(type), weights.output.to(type).t());
}

}  // namespace polyphon
