#include "train/head_examples.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "core/trace_layout.h"
#include "reason/trace_promotions.h"
#include "reason/trace_steps.h"
#include "train/named_tensors.h"
#include "train/transformer.h"

namespace polyphon {
namespace {

using torch::Tensor;

constexpr int64_t kLogitRows = 256;  // whose logits exist at a time
constexpr int64_t kFigures = 2;      // of a thought step, beside its features

template <size_t kCount>
Tensor row_of(const std::array<double, kCount>& values) {
  return torch::tensor(std::vector<double>(values.begin(), values.end())).to(torch::kFloat);
}

Tensor stacked(const std::vector<Tensor>& rows, int64_t columns) {
  return rows.empty() ? torch::empty({0, columns}) : torch::stack(rows);
}

[[noreturn]] void refuse(const Trace& trace, const std::exception& why) {
  throw Error(ErrorCode::kInvalidArgument, "trace " + trace.id + ": " + why.what());
}

}  // namespace

// A trace whose states have been computed.
class HeadDataBuilder::OneTrace {
 public:
  OneTrace(const HeadDataBuilder& builder, const Trace& trace)
      : builder_(builder), trace_(trace), layout_(lay_out(trace, builder.vocabulary_.anchor())) {
    const TokenBatch batch{
        layout_.tokens, layout_.positions, {{0, layout_.rows(), layout_.visibility}}};
    states_ = forward(builder.weights_, builder.lora_, batch, {}).to(torch::kFloat);
  }

  std::vector<TraceStep> steps() const {
    return thought_steps(trace_, builder_.vocabulary_, entropies());
  }

  // That the token was sampled from; zeros where it follows what was fed, which is prefilled
  // without a state.
  Tensor state_before(int span, int index) const {
    const int row = state_row(trace_, layout_, span, index);
    return row >= 0 ? states_[row] : torch::zeros_like(states_[0]);
  }

 private:
  // Of the distributions that streams' tokens were drawn from, in nats.
  std::vector<std::vector<float>> entropies() const {
    std::vector<std::vector<float>> result;
    std::vector<int64_t> rows;
    std::vector<float*> places;
    for (const TraceSpan& span : trace_.spans) {
      result.emplace_back(span.tokens.size(), 0.0f);
      if (!span.owner.starts_with("stream ")) continue;
      for (size_t i = 0; i < span.tokens.size(); ++i) {
        const int row = layout_.row_of[static_cast<size_t>(span.id)][i];
        const int from = row < 0 ? -1 : layout_.predictors[static_cast<size_t>(row)];
        if (from < 0 || std::isnan(span.logprobs[i])) continue;
        rows.push_back(from);
        places.push_back(&result.back()[i]);
      }
    }
    const Tensor all = torch::tensor(rows, torch::kLong);
    for (int64_t begin = 0; begin < all.size(0); begin += kLogitRows) {
      const Tensor chunk = all.slice(0, begin, begin + kLogitRows);
      const Tensor logprobs =
          logits(builder_.weights_, states_.index_select(0, chunk)).log_softmax(1);
      const Tensor entropy = -(logprobs.exp() * logprobs).sum(1);
      for (int64_t i = 0; i < chunk.size(0); ++i)
        *places[static_cast<size_t>(begin + i)] = entropy[i].item<float>();
    }
    return result;
  }

  const HeadDataBuilder& builder_;
  const Trace& trace_;
  const TraceLayout layout_;
  Tensor states_;  // [rows, hidden_size]
};

void HeadDataBuilder::add(const Trace& trace, const Outcome& outcome) try {
  const torch::NoGradGuard guard;
  const Json& streams = trace.result.at("streams");
  if (streams.size() != outcome.right.size())
    throw Error(ErrorCode::kInvalidArgument, "its outcome is of another number of streams");
  const OneTrace computed(*this, trace);
  Rows value, gate;
  const bool searched = trace.request.at("search").at("mode") != "off";
  if (!searched)
    for (const TraceStep& step : computed.steps())
      value.add(row_of(step.features.values()), computed.state_before(step.span, step.index),
                outcome.right[static_cast<size_t>(step.stream)], 1,
                {step.mean_logprob, step.line_mean_logprob});

  const std::vector<TracePromotion> promotions = trace_promotions(trace);
  int unlike_before = 0;
  for (const Counterfactual& without : outcome.counterfactuals) {
    if (!without.same_before) {
      ++unlike_before;
      continue;
    }
    const TracePromotion& promotion = promotion_at(promotions, without.promotion);
    const double effect = effect_of(outcome, without);
    gate.add(torch::tensor(promotion.features),
             computed.state_before(promotion.span, promotion.index), effect > 0, std::abs(effect),
             {effect});
  }
  const auto next = static_cast<int64_t>(problems_.size());
  const int64_t problem =
      problems_.try_emplace(trace.request.at("prompt").get<Tokens>(), next).first->second;
  value_.append(value, problem);
  gate_.append(gate, problem);
  unlike_before_ += unlike_before;
  searched_ += searched ? 1 : 0;
  ++traces_;
} catch (const Json::exception& error) {
  refuse(trace, error);
} catch (const Error& error) {
  refuse(trace, error);
}

void HeadDataBuilder::Rows::add(const Tensor& its_features, const Tensor& state, bool label,
                                double weight, std::initializer_list<double> its_figures) {
  features.push_back(its_features);
  hidden.push_back(state.clone());
  labels.push_back(label ? 1.0f : 0.0f);
  weights.push_back(static_cast<float>(weight));
  for (const double figure : its_figures) figures.push_back(static_cast<float>(figure));
}

void HeadDataBuilder::Rows::append(const Rows& more, int64_t problem) {
  const auto append_to = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  append_to(features, more.features);
  append_to(hidden, more.hidden);
  append_to(labels, more.labels);
  append_to(weights, more.weights);
  problems.insert(problems.end(), more.labels.size(), problem);
  append_to(figures, more.figures);
}

HeadExamples HeadDataBuilder::Rows::examples(int64_t features_count, int64_t hidden_size) const {
  return {stacked(features, features_count), stacked(hidden, hidden_size), torch::tensor(labels),
          torch::tensor(weights), torch::tensor(problems, torch::kLong)};
}

HeadData HeadDataBuilder::take() {
  const int64_t hidden_size = weights_.shape.hidden_size;
  HeadData data;
  data.value = value_.examples(ValueFeatures::kCount, hidden_size);
  data.logprobs = torch::tensor(value_.figures).view({data.value.count(), kFigures});
  data.gate = gate_.examples(GateFeatures::kCount, hidden_size);
  data.effects = torch::tensor(gate_.figures);
  data.found = {{"traces", traces_},
                {"problems", problems_.size()},
                {"unlike_before", unlike_before_},
                {"searched", searched_}};
  value_ = gate_ = {};
  problems_.clear();
  traces_ = unlike_before_ = searched_ = 0;
  return data;
}

}  // namespace polyphon
