#include "head_trainer/read_model.h"

#include <algorithm>
#include <limits>

#include "record/memory_request.h"

namespace polyphon {
namespace {

using torch::Tensor;

Tensor of_length_one(const Tensor& state) { return state / state.norm().clamp_min(1e-12); }

Tensor all_states(const ReadExamples& of) {
  const int64_t size = of.keys.size(2);
  return torch::cat({of.keys.reshape({-1, size}), of.states.reshape({-1, size})});
}

Tensor bilinear_terms(const ReadWeights& head, const ReadExamples& examples) {
  Tensor terms = at::bmm(examples.states, examples.keys.transpose(1, 2));
  if (!head.left.defined()) return terms;
  const Tensor keys = at::matmul(examples.keys * head.scale, head.left);
  const Tensor states = at::matmul(examples.states * head.scale, head.right);
  return terms + at::bmm(states, keys.transpose(1, 2)) / examples.keys.size(2);
}

}  // namespace

ReadExamples ReadExamples::of(const Tensor& sessions) const {
  const auto pick = [&](const Tensor& from) { return from.index_select(0, sessions); };
  return {pick(keys), pick(states), pick(lexical), pick(there), pick(wanted), pick(weights)};
}

void ReadSession::add_key(const Tensor& state) { keys_.push_back(of_length_one(state)); }

void ReadSession::add_look(const Tensor& state, const std::vector<size_t>& nodes,
                           const std::vector<double>& lexical, std::optional<size_t> wanted) {
  looks_.push_back({of_length_one(state), nodes, lexical, wanted});
}

ReadExamples padded(const std::vector<ReadSession>& sessions, int64_t hidden_size) {
  const auto count = static_cast<int64_t>(sessions.size());
  int64_t nodes = 0, looks = 0;
  for (const ReadSession& session : sessions) {
    nodes = std::max(nodes, static_cast<int64_t>(session.keys_.size()));
    looks = std::max(looks, static_cast<int64_t>(session.looks_.size()));
  }
  ReadExamples examples = {torch::zeros({count, nodes, hidden_size}),
                           torch::zeros({count, looks, hidden_size}),
                           torch::zeros({count, looks, nodes}),
                           torch::zeros({count, looks, nodes}),
                           torch::full({count, looks}, nodes, torch::kLong),
                           torch::zeros({count, looks})};
  auto lexical = examples.lexical.accessor<float, 3>(), there = examples.there.accessor<float, 3>();
  for (int64_t s = 0; s < count; ++s) {
    const ReadSession& session = sessions[static_cast<size_t>(s)];
    for (size_t i = 0; i < session.keys_.size(); ++i)
      examples.keys[s][static_cast<int64_t>(i)] = session.keys_[i];
    for (size_t i = 0; i < session.looks_.size(); ++i) {
      const ReadSession::Look& look = session.looks_[i];
      const auto q = static_cast<int64_t>(i);
      examples.states[s][q] = look.state;
      examples.weights[s][q] = 1;
      if (look.wanted) examples.wanted[s][q] = static_cast<int64_t>(*look.wanted);
      for (size_t n = 0; n < look.nodes.size(); ++n) {
        const auto node = static_cast<int64_t>(look.nodes[n]);
        lexical[s][q][node] = static_cast<float>(look.lexical[n]);
        there[s][q][node] = 1;
      }
    }
  }
  return examples;
}

NamedParameters ReadWeights::parameters() const {
  NamedParameters all = {{"terms", terms}, {"left", left}, {"right", right}};
  std::erase_if(all, [](const auto& each) { return !each.second.defined(); });
  return all;
}

ReadWeights ReadWeights::copy() const {
  return {trained_copy(terms), trained_copy(left), trained_copy(right), scale};
}

ReadWeights starting_read(const ReadExamples& like, int rank, uint64_t seed) {
  const ReadHead untrained;
  const auto type = like.lexical.scalar_type();
  ReadWeights start;
  start.terms = torch::tensor({untrained.lexical_weight, untrained.hidden_weight}, torch::kDouble)
                    .to(type)
                    .set_requires_grad(true);
  if (rank == 0) return start;
  const int64_t size = like.keys.size(2);
  start.scale = scale_of(all_states(like));
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  start.left = torch::empty({size, rank}, type).normal_(0, 1, generator).set_requires_grad(true);
  start.right = torch::zeros({size, rank}, type).set_requires_grad(true);
  return start;
}

Tensor read_scores(const ReadWeights& head, const ReadExamples& examples) {
  // Without a state, or a key, the lexical term has all the weight.
  const Tensor both =
      state_is_there(examples.states).unsqueeze(2) & state_is_there(examples.keys).unsqueeze(1);
  const Tensor hidden =
      torch::where(both, at::relu(bilinear_terms(head, examples)), examples.lexical);
  return head.terms[0] * examples.lexical + head.terms[1] * hidden;
}

Tensor read_loss(const Tensor& scores, const ReadExamples& examples) {
  const Tensor nothing = torch::full({scores.size(0), scores.size(1), 1},
                                     MemoryRequest{}.read_threshold, scores.scalar_type());
  const Tensor hidden_away = examples.there.eq(0);
  const Tensor choices = torch::cat(
      {scores.masked_fill(hidden_away, -std::numeric_limits<double>::infinity()), nothing}, 2);
  const Tensor log_probabilities = (choices * kReadSharpness).log_softmax(2);
  const Tensor each = -log_probabilities.gather(2, examples.wanted.unsqueeze(2)).squeeze(2);
  return (examples.weights * each).sum() / examples.weights.sum().clamp_min(1e-12);
}

Tensor decay_loss(const ReadWeights& head, const ReadWeights& start, const HeadDecay& decay) {
  const Tensor loss =
      decay_between({{"terms", head.terms}}, {{"terms", start.terms}}, {"terms"}, decay);
  if (!head.left.defined()) return loss;
  // |L R^T|^2 = tr(L^T L R^T R)
  const Tensor left = at::matmul(head.left.t(), head.left);
  const Tensor right = at::matmul(head.right.t(), head.right);
  const auto size = static_cast<double>(head.left.size(0));
  return loss + (left * right).sum() * (decay.read / 2 / (size * size));
}

ReadHead to_read(const ReadWeights& weights) {
  ReadHead head;
  head.lexical_weight = weights.terms[0].item<double>();
  head.hidden_weight = weights.terms[1].item<double>();
  if (!weights.left.defined()) return head;
  const Tensor scale = weights.scale.unsqueeze(1);
  const int64_t size = weights.left.size(0);
  const Tensor gone =
      at::matmul(weights.left * scale, (weights.right * scale).transpose(0, 1)) / size;
  head.bilinear = numbers_of<float>(torch::eye(size, gone.options()) + gone);
  return head;
}

}  // namespace polyphon
