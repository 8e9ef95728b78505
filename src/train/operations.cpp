#include "train/operations.h"

#include <algorithm>

#include "train/parallel_rows.h"
#include "train/row_kernels.h"

namespace polyphon {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// {x + delta, its norm}, or the norm of x alone without `delta`.
class AddNorm : public Function<AddNorm> {
 public:
  static variable_list forward(AutogradContext* context, const Tensor& x,
                               const std::optional<Tensor>& delta, const Tensor& weight,
                               double epsilon, torch::ScalarType type) {
    const Tensor wide = x.contiguous(), more = delta ? delta->contiguous() : Tensor();
    const Tensor sum = delta ? torch::empty_like(wide) : wide;
    const Tensor factor = torch::empty(x.size(0), wide.options());
    const Tensor out = torch::empty_like(wide, wide.options().dtype(type));
    in_parallel(norm_rows,
                {.type = row_type(type),
                 .x = wide.const_data_ptr(),
                 .delta = delta ? more.const_data_ptr() : nullptr,
                 .weight = weight.const_data_ptr(),
                 .epsilon = epsilon,
                 .size = static_cast<size_t>(x.size(1)),
                 .sum = delta ? sum.data_ptr() : nullptr,
                 .factor = factor.data_ptr(),
                 .out = out.data_ptr()},
                x.size(0));
    context->save_for_backward({sum, weight, factor});
    context->set_materialize_grads(false);
    return delta ? variable_list{sum, out} : variable_list{out};
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &sum = saved[0], &weight = saved[1], &factor = saved[2];
    const bool with_delta = gradients.size() == 2;
    const Tensor out_g = gradients.back().contiguous();
    const Tensor sum_g =
        with_delta && gradients[0].defined() ? gradients[0].contiguous() : Tensor();
    const Tensor x_g = torch::empty_like(sum);
    Tensor delta_g;
    if (with_delta) delta_g = out_g.dtype() == sum.dtype() ? x_g : torch::empty_like(out_g);
    in_parallel(norm_gradient_rows,
                {.type = row_type(out_g.scalar_type()),
                 .out_gradient = out_g.const_data_ptr(),
                 .sum_gradient = sum_g.defined() ? sum_g.const_data_ptr() : nullptr,
                 .sum = sum.const_data_ptr(),
                 .weight = weight.const_data_ptr(),
                 .factor = factor.const_data_ptr(),
                 .size = static_cast<size_t>(sum.size(1)),
                 .x_gradient = x_g.data_ptr(),
                 .delta_gradient = with_delta ? delta_g.data_ptr() : nullptr},
                sum.size(0));
    return {x_g, delta_g, Tensor(), Tensor(), Tensor()};
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
  static Tensor forward(AutogradContext* context, const Tensor& gate_up) {
    context->save_for_backward({gate_up});
    const int64_t size = gate_up.size(1) / 2;
    const Tensor out = torch::empty({gate_up.size(0), size}, gate_up.options());
    in_parallel(swiglu_rows,
                {.type = row_type(gate_up.scalar_type()),
                 .gate_up = gate_up.const_data_ptr(),
                 .out_gradient = nullptr,
                 .size = static_cast<size_t>(size),
                 .out = out.data_ptr()},
                gate_up.size(0));
    return out;
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const Tensor gate_up = context->get_saved_variables()[0];
    const Tensor g = gradients[0].contiguous(), result = torch::empty_like(gate_up);
    in_parallel(swiglu_gradient_rows,
                {.type = row_type(gate_up.scalar_type()),
                 .gate_up = gate_up.const_data_ptr(),
                 .out_gradient = g.const_data_ptr(),
                 .size = static_cast<size_t>(g.size(1)),
                 .out = result.data_ptr()},
                g.size(0));
    return {result};
  }
};

// Rows whose logits exist at a time: 25 MB at a vocabulary of 49152.
constexpr int64_t kLogitRows = 128;

class TargetLogprobs : public Function<TargetLogprobs> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& hidden, const Tensor& output,
                        const Tensor& targets) {
    const int64_t rows = hidden.size(0);
    const bool wanted = hidden.requires_grad();
    const Tensor logprobs = torch::empty({rows}, hidden.options().dtype(sum_of(hidden)));
    const Tensor by_hidden = wanted ? torch::empty_like(hidden) : Tensor();
    for (int64_t begin = 0; begin < rows; begin += kLogitRows) {
      const int64_t count = std::min(kLogitRows, rows - begin);
      const Tensor logits = at::mm(hidden.narrow(0, begin, count), output.t());
      in_parallel(target_rows,
                  {.type = row_type(logits.scalar_type()),
                   .logits = logits.data_ptr(),
                   .targets = targets.const_data_ptr<int64_t>() + begin,
                   .size = static_cast<size_t>(logits.size(1)),
                   .gradient = wanted,
                   .logprobs = logprobs.narrow(0, begin, count).data_ptr()},
                  count);
      if (wanted) by_hidden.narrow(0, begin, count).copy_(at::mm(logits, output));
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

Normed add_norm(const Tensor& x, const Tensor& delta, const Tensor& weight, double epsilon,
                torch::ScalarType type) {
  const variable_list both = AddNorm::apply(
      x, delta.defined() ? std::optional(delta) : std::nullopt, weight, epsilon, type);
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

Tensor swiglu(const Tensor& gate_up) { return Swiglu::apply(gate_up); }

Tensor target_logprobs(const Tensor& hidden, const Tensor& output, const Tensor& targets) {
  return TargetLogprobs::apply(hidden, output, targets);
}

}  // namespace polyphon
