#include "train/operations.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace polyphon {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

torch::ScalarType sum_type_of(const Tensor& tensor) {
  return tensor.scalar_type() == torch::kDouble ? torch::kDouble : torch::kFloat;
}

class RmsNorm : public Function<RmsNorm> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        double epsilon, torch::ScalarType type) {
    const Tensor wide = x.to(sum_type_of(x));
    const double size = static_cast<double>(x.size(-1));
    const Tensor factor = at::linalg_vector_norm(wide, 2, at::IntArrayRef{-1}, /*keepdim=*/true)
                              .square_()
                              .div_(size)
                              .add_(epsilon)
                              .rsqrt_();
    context->save_for_backward({x, weight, factor});
    return (wide * factor).mul_(weight).to(type);
  }
  // With n = x f: dx = f (g w - n mean(g w n)).
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &factor = saved[2];
    Tensor g = gradients[0].to(sum_type_of(x)) * weight;
    const Tensor normed = x.to(sum_type_of(x)) * factor;
    const Tensor along = (g * normed).mean(-1, /*keepdim=*/true);
    g.addcmul_(normed, along, -1).mul_(factor);
    return {g.to(x.scalar_type()), Tensor(), Tensor(), Tensor()};
  }
};

Tensor product(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias) {
  return bias ? at::addmm(*bias, x, weight.t()) : at::mm(x, weight.t());
}

// Of what is kept, each number divided by the share kept.
Tensor dropped(const Tensor& x, double dropout, uint64_t seed) {
  if (dropout == 0) return x;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const Tensor kept = torch::empty(x.sizes(), x.options()).bernoulli_(1 - dropout, generator);
  return x * kept.div_(1 - dropout);
}

// The A of all pairs one below the other: [pairs * rank, in].
Tensor stacked_a(const std::vector<Tensor>& trained, torch::ScalarType type) {
  std::vector<Tensor> all;
  for (size_t i = 0; i < trained.size(); i += 2) all.push_back(trained[i]);
  return at::cat(all).to(type);
}

// scale B of each pair where its rows of the output and its columns of the inner product meet,
// zeros elsewhere: one product for the group, whose few wasted columns cost less than calls apart.
Tensor stacked_b(const std::vector<Tensor>& trained, const std::vector<int64_t>& begins,
                 int64_t out, double scale, torch::ScalarType type) {
  const int64_t rank = trained[1].size(1);
  const auto pairs = static_cast<int64_t>(begins.size());
  Tensor all = torch::zeros({out, pairs * rank}, trained[1].options().dtype(type));
  for (int64_t i = 0; i < pairs; ++i) {
    const Tensor& b = trained[static_cast<size_t>(2 * i + 1)];
    all.narrow(0, begins[static_cast<size_t>(i)], b.size(0))
        .narrow(1, i * rank, rank)
        .copy_(b * scale);
  }
  return all;
}

class LoraLinear : public Function<LoraLinear> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        const std::optional<Tensor>& bias, at::TensorList trained,
                        const std::vector<int64_t>& begins, const LoraTerms& terms) {
    const auto type = x.scalar_type();
    const std::vector<Tensor> pairs = trained.vec();
    Tensor y = product(x, weight, bias);
    const Tensor inner =  // [rows, pairs * rank]
        at::mm(dropped(x, terms.dropout, terms.seed), stacked_a(pairs, type).t());
    y.addmm_(inner, stacked_b(pairs, begins, weight.size(0), terms.scale, type).t());
    variable_list saved{x, weight, inner};
    saved.insert(saved.end(), pairs.begin(), pairs.end());
    context->save_for_backward(std::move(saved));
    context->saved_data["begins"] = begins;
    context->saved_data["scale"] = terms.scale;
    context->saved_data["dropout"] = terms.dropout;
    context->saved_data["seed"] = static_cast<int64_t>(terms.seed);
    return y;
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &inner = saved[2];
    const std::vector<Tensor> pairs(saved.begin() + 3, saved.end());
    const auto begins = context->saved_data["begins"].toIntVector();
    const double scale = context->saved_data["scale"].toDouble();
    const double dropout = context->saved_data["dropout"].toDouble();
    const auto seed = static_cast<uint64_t>(context->saved_data["seed"].toInt());
    const auto type = x.scalar_type();
    const Tensor& g = gradients[0];  // [rows, out]
    const Tensor inner_g = at::mm(g, stacked_b(pairs, begins, weight.size(0), scale, type));
    const Tensor b_g = at::mm(g.t(), inner);
    const Tensor a_g = at::mm(inner_g.t(), dropped(x, dropout, seed));
    Tensor x_g;
    if (context->needs_input_grad(0)) {
      x_g = at::mm(g, weight);
      const Tensor a = stacked_a(pairs, type);
      if (dropout == 0)
        x_g.addmm_(inner_g, a);
      else
        x_g.add_(dropped(at::mm(inner_g, a), dropout, seed));  // the mask is linear
    }
    variable_list result{x_g, Tensor(), Tensor()};
    const int64_t rank = pairs[1].size(1);
    for (size_t i = 0; i < begins.size(); ++i) {
      const Tensor &a = pairs[2 * i], &b = pairs[2 * i + 1];
      const auto column = static_cast<int64_t>(i) * rank;
      result.push_back(a_g.narrow(0, column, rank).to(a.scalar_type()));
      result.push_back(b_g.narrow(0, begins[i], b.size(0))
                           .narrow(1, column, rank)
                           .to(b.scalar_type())
                           .mul(scale));
    }
    result.resize(result.size() + 2);  // begins, terms
    return result;
  }
};

class FrozenProduct : public Function<FrozenProduct> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        const std::optional<Tensor>& bias) {
    context->save_for_backward({weight});
    return product(x, weight, bias);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {at::mm(gradients[0], context->get_saved_variables()[0]), Tensor(), Tensor()};
  }
};

class Swiglu : public Function<Swiglu> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& gate_up) {
    context->save_for_backward({gate_up});
    const int64_t size = gate_up.size(1) / 2;
    return at::silu(gate_up.narrow(1, 0, size)).mul_(gate_up.narrow(1, size, size));
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const Tensor gate_up = context->get_saved_variables()[0];
    const int64_t size = gate_up.size(1) / 2;
    const Tensor gate = gate_up.narrow(1, 0, size), up = gate_up.narrow(1, size, size);
    const Tensor& g = gradients[0];
    Tensor result = torch::empty_like(gate_up);
    Tensor gate_g = result.narrow(1, 0, size), up_g = result.narrow(1, size, size);
    at::mul_out(up_g, at::silu(gate), g);
    at::silu_backward_out(gate_g, g * up, gate);
    return {result};
  }
};

// `direction` -1 turns back, which is the gradient: a turn is orthogonal.
Tensor turned(const Tensor& x, const Tensor& cosine, const Tensor& sine, RopePairs pairs,
              double direction) {
  const int64_t half = cosine.size(-1), size = x.size(-1);
  const Tensor wide = x.narrow(-1, 0, 2 * half).to(cosine.scalar_type());
  const bool neighbours = pairs == RopePairs::kNeighbours;
  const Tensor paired =
      neighbours ? wide.unflatten(-1, {half, 2}) : wide.unflatten(-1, {2, half}).transpose(-1, -2);
  const Tensor first = paired.select(-1, 0), second = paired.select(-1, 1);
  Tensor result = torch::empty(x.sizes(), x.options());
  const Tensor out = result.narrow(-1, 0, 2 * half);
  Tensor to =
      neighbours ? out.unflatten(-1, {half, 2}) : out.unflatten(-1, {2, half}).transpose(-1, -2);
  to.select(-1, 0).copy_((first * cosine).addcmul_(second, sine, -direction));
  to.select(-1, 1).copy_((second * cosine).addcmul_(first, sine, direction));
  if (size > 2 * half)
    result.narrow(-1, 2 * half, size - 2 * half).copy_(x.narrow(-1, 2 * half, size - 2 * half));
  return result;
}

class Rope : public Function<Rope> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& cosine,
                        const Tensor& sine, RopePairs pairs) {
    context->save_for_backward({cosine, sine});
    context->saved_data["pairs"] = static_cast<int64_t>(pairs);
    return turned(x, cosine, sine, pairs, 1);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto pairs = static_cast<RopePairs>(context->saved_data["pairs"].toInt());
    return {turned(gradients[0], saved[0], saved[1], pairs, -1), Tensor(), Tensor(), Tensor()};
  }
};

// Rows whose logits exist at a time: 25 MB at a vocabulary of 49152.
constexpr int64_t kLogitRows = 128;

class TargetLogprobs : public Function<TargetLogprobs> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& hidden, const Tensor& output,
                        const Tensor& targets) {
    const auto sums = sum_type_of(hidden);
    const int64_t rows = hidden.size(0);
    const bool wanted = hidden.requires_grad();
    Tensor logprobs = torch::empty({rows}, hidden.options().dtype(sums));
    Tensor by_hidden = wanted ? torch::empty_like(hidden) : Tensor();
    for (int64_t begin = 0; begin < rows; begin += kLogitRows) {
      const int64_t count = std::min(kLogitRows, rows - begin);
      const Tensor wanted_target = targets.narrow(0, begin, count).unsqueeze(1);
      Tensor logits = at::mm(hidden.narrow(0, begin, count), output.t()).to(sums);
      const Tensor norm = logits.logsumexp(1, /*keepdim=*/true);
      logprobs.narrow(0, begin, count).copy_((logits.gather(1, wanted_target) - norm).squeeze(1));
      if (!wanted) continue;
      // d log p_target / d logits = onehot - softmax.
      logits.sub_(norm).exp_().neg_();
      logits.scatter_add_(1, wanted_target, torch::ones_like(norm));
      by_hidden.narrow(0, begin, count).copy_(at::mm(logits.to(hidden.scalar_type()), output));
    }
    if (wanted) context->save_for_backward({by_hidden});
    return logprobs;
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const Tensor by_hidden = context->get_saved_variables()[0];
    return {(by_hidden * gradients[0].unsqueeze(1)).to(by_hidden.scalar_type()), Tensor(),
            Tensor()};
  }
};

}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& weight, double epsilon, torch::ScalarType type) {
  return RmsNorm::apply(x, weight, epsilon, type);
}

LoraGroup lora_group(const ModelShape& shape, const Lora& lora, int layer, int group) {
  LoraGroup result;
  int64_t begin = 0;
  for (int p = kGroups[group].first; p < kGroups[group].second; ++p) {
    const LoraPair& pair = lora.at(layer, p);
    if (pair.a.defined()) {
      result.trained.insert(result.trained.end(), {pair.a, pair.b});
      result.begins.push_back(begin);
    }
    begin += projection_size(shape, p).first;
  }
  return result;
}

Tensor lora_linear(const Tensor& x, const FrozenLinear& frozen, const LoraGroup& group,
                   const LoraTerms& terms) {
  const auto bias = frozen.bias.defined() ? std::optional(frozen.bias) : std::nullopt;
  if (group.begins.empty()) return FrozenProduct::apply(x, frozen.weight, bias);
  return LoraLinear::apply(x, frozen.weight, bias, at::TensorList(group.trained), group.begins,
                           terms);
}

Tensor swiglu(const Tensor& gate_up) { return Swiglu::apply(gate_up); }

RopeTable make_rope_table(const BaseWeights& weights, const std::vector<Position>& positions) {
  const ModelShape& shape = weights.shape;
  // As ggml computes them: the frequency in float, base^(-2 i / rope_size), over the factor.
  const int64_t half = shape.rope_size / 2;
  Tensor frequencies = torch::pow(
      static_cast<double>(shape.rope_base),
      torch::arange(half, torch::kDouble).mul_(-2.0 / static_cast<double>(shape.rope_size)));
  if (weights.rope_factors.defined()) frequencies = frequencies / weights.rope_factors;
  const Tensor at =
      torch::tensor(std::vector<int64_t>(positions.begin(), positions.end()), torch::kDouble);
  const Tensor angles =
      at.mul(shape.rope_scale).unsqueeze(1).mul(frequencies).unsqueeze(1);  // [rows, 1, half]
  const auto type = sum_type(weights.precision);
  return {angles.cos().to(type), angles.sin().to(type)};
}

Tensor rope(const Tensor& x, const RopeTable& table, RopePairs pairs) {
  return Rope::apply(x, table.cosine, table.sine, pairs);
}

Tensor attention_mask(const Segment& segment, const Tensor& bias, torch::ScalarType type) {
  if (!segment.visibility && !bias.defined()) return {};
  const int size = segment.end - segment.begin;
  Tensor mask = torch::full({size, size}, -std::numeric_limits<double>::infinity(), torch::kFloat);
  for (int row = 0; row < size; ++row) {
    float* const values = mask.data_ptr<float>() + static_cast<int64_t>(row) * size;
    for (int column = 0; column < size; ++column)
      if (segment.visibility ? segment.visibility->sees(row, column) : column <= row)
        values[column] = 0;
  }
  return bias.defined() ? mask.to(type) + bias.to(type) : mask.to(type);
}

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v,
                 const std::vector<Segment>& segments, const std::vector<Tensor>& masks) {
  std::vector<Tensor> results;
  for (size_t i = 0; i < segments.size(); ++i) {
    const int64_t begin = segments[i].begin, count = segments[i].end - segments[i].begin;
    // [1, heads, rows, head_size]
    const auto part = [&](const Tensor& x) {
      return x.narrow(0, begin, count).transpose(0, 1).unsqueeze(0);
    };
    const bool causal = !masks[i].defined();
    const auto mask = causal ? std::optional<Tensor>() : masks[i];
    const Tensor result = at::scaled_dot_product_attention(
        part(q), part(k), part(v), mask, 0.0, causal, std::nullopt, /*enable_gqa=*/true);
    results.push_back(result.squeeze(0).transpose(0, 1).flatten(1));
  }
  return results.size() == 1 ? results[0] : at::cat(results);
}

Tensor target_logprobs(const Tensor& hidden, const Tensor& output, const Tensor& targets) {
  return TargetLogprobs::apply(hidden, output, targets);
}

}  // namespace polyphon
