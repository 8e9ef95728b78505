#include "tensors/operations.h"

#include <algorithm>

namespace polyphon {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

const RowOperations& rows_of(const AutogradContext& context) {
  return row_operations(static_cast<RowRoute>(context.saved_data.at("route").toInt()));
}
void keep(AutogradContext& context, RowRoute route) {
  context.saved_data["route"] = static_cast<int64_t>(route);
}

// {x + delta, its norm}, or the norm of x alone without `delta`.
class AddNorm : public Function<AddNorm> {
 public:
  static variable_list forward(AutogradContext* context, const Tensor& x,
                               const std::optional<Tensor>& delta, const Tensor& weight,
                               double epsilon, torch::ScalarType type, RowRoute route) {
    const auto [sum, factor, out] =
        row_operations(route).norm(x, delta.value_or(Tensor()), weight, epsilon, type);
    context->save_for_backward({sum, weight, factor});
    context->set_materialize_grads(false);
    keep(*context, route);
    return delta ? variable_list{sum, out} : variable_list{out};
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &sum = saved[0], &weight = saved[1], &factor = saved[2];
    const bool with_delta = gradients.size() == 2;
    const auto [x, delta] = rows_of(*context).norm_gradients(
        gradients.back(), with_delta ? gradients[0] : Tensor(), sum, factor, weight, with_delta);
    return {x, delta, Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

Tensor product(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias) {
  return bias ? at::addmm(*bias, x, weight.t()) : at::mm(x, weight.t());
}

// Of what is kept, each number divided by the share kept.
Tensor dropped(const Tensor& x, double dropout, uint64_t seed) {
  if (dropout == 0) return x;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  // Drawn on the CPU, so that it is the same on every device.
  const Tensor kept = torch::empty(x.sizes(), x.options().device(torch::kCPU))
                          .bernoulli_(1 - dropout, generator)
                          .div_(1 - dropout);
  return x * kept.to(x.device());
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
    const Tensor a = stacked_a(pairs, type);
    const Tensor b = stacked_b(pairs, begins, weight.size(0), terms.scale, type);
    Tensor y = product(x, weight, bias);
    const Tensor inner = at::mm(dropped(x, terms.dropout, terms.seed), a.t());  // [rows, all ranks]
    y.addmm_(inner, b.t());
    variable_list saved{x, weight, inner, a, b};
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
    const Tensor &stack_a = saved[3], &stack_b = saved[4];
    const std::vector<Tensor> pairs(saved.begin() + 5, saved.end());
    const auto begins = context->saved_data["begins"].toIntVector();
    const double scale = context->saved_data["scale"].toDouble();
    const double dropout = context->saved_data["dropout"].toDouble();
    const auto seed = static_cast<uint64_t>(context->saved_data["seed"].toInt());
    const Tensor& g = gradients[0];  // [rows, out]
    const Tensor inner_g = at::mm(g, stack_b);
    const Tensor b_g = at::mm(g.t(), inner);
    const Tensor a_g = at::mm(inner_g.t(), dropped(x, dropout, seed));
    Tensor x_g;
    if (context->needs_input_grad(0)) {
      x_g = at::mm(g, weight);
      if (dropout == 0)
        x_g.addmm_(inner_g, stack_a);
      else
        x_g.add_(dropped(at::mm(inner_g, stack_a), dropout, seed));  // the mask is linear
    }
    variable_list result{x_g, Tensor(), Tensor()};
    const int64_t rank = pairs[1].size(1);
    for (size_t i = 0; i < begins.size(); ++i) {
      const Tensor &a = pairs[2 * i], &b = pairs[2 * i + 1];
      const auto column = static_cast<int64_t>(i) * rank;
      result.push_back(a_g.narrow(0, column, rank).to(a.scalar_type()));
      result.push_back(b_g.narrow(0, begins[i], b.size(0))
                           .narrow(1, column, rank)
                           .to(b.scalar_type(), false, /*copy=*/true)
                           .mul_(scale));
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
  static Tensor forward(AutogradContext* context, const Tensor& gate_up, RowRoute route) {
    context->save_for_backward({gate_up});
    keep(*context, route);
    return row_operations(route).swiglu(gate_up);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const Tensor gate_up = context->get_saved_variables()[0];
    return {rows_of(*context).swiglu_gradient(gate_up, gradients[0]), Tensor()};
  }
};

// Rows whose logits exist at a time: 25 MB at a vocabulary of 49152.
constexpr int64_t kLogitRows = 128;

class TargetLogprobs : public Function<TargetLogprobs> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& hidden, const Tensor& output,
                        const Tensor& targets, RowRoute route) {
    const int64_t rows = hidden.size(0);
    const bool wanted = hidden.requires_grad();
    const Tensor logprobs = torch::empty({rows}, hidden.options().dtype(sum_of(hidden)));
    const Tensor by_hidden = wanted ? torch::empty_like(hidden) : Tensor();
    for (int64_t begin = 0; begin < rows; begin += kLogitRows) {
      const int64_t count = std::min(kLogitRows, rows - begin);
      const Tensor logits = at::mm(hidden.narrow(0, begin, count), output.t());
      logprobs.narrow(0, begin, count)
          .copy_(row_operations(route).target_logprobs(logits, targets.narrow(0, begin, count),
                                                       wanted));
      if (wanted) by_hidden.narrow(0, begin, count).copy_(at::mm(logits, output));
    }
    if (wanted) context->save_for_backward({by_hidden});
    return logprobs;
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const Tensor by_hidden = context->get_saved_variables()[0];
    return {(by_hidden * gradients[0].unsqueeze(1)).to(by_hidden.scalar_type()), Tensor(), Tensor(),
            Tensor()};
  }
};

}  // namespace

Normed add_norm(const Tensor& x, const Tensor& delta, const Tensor& weight, double epsilon,
                torch::ScalarType type, RowRoute route) {
  const variable_list both = AddNorm::apply(
      x, delta.defined() ? std::optional(delta) : std::nullopt, weight, epsilon, type, route);
  return {delta.defined() ? both[0] : x, both.back()};
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

Tensor swiglu(const Tensor& gate_up, RowRoute route) { return Swiglu::apply(gate_up, route); }

Tensor target_logprobs(const Tensor& hidden, const Tensor& output, const Tensor& targets,
                       RowRoute route) {
  return TargetLogprobs::apply(hidden, output, targets, route);
}

}  // namespace polyphon
