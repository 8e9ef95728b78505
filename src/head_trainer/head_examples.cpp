#include "head_trainer/head_examples.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "base/error.h"
#include "memory/trace_memory.h"
#include "record/search_request.h"
#include "record/trace_layout.h"
#include "record/trace_promotion.h"
#include "search/trace_steps.h"
#include "tasks/recall_play.h"
#include "tensors/named_tensors.h"
#include "tensors/transformer.h"

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

// Memory's nodes are decoded in views of their own, which nothing that a head is asked about sees:
// half of the rows of a session that keeps much. Only what a layout needs.
Trace without_nodes(const Trace& trace) {
  Trace rest;
  rest.id = trace.id;
  rest.spans = trace.spans;
  rest.edits = trace.edits;
  std::set<int> of_nodes;
  for (TraceSpan& span : rest.spans) {
    if (span.owner.kind != SpanKind::kNode) continue;
    of_nodes.insert(span.sequence);
    span.tokens.clear();
    span.steps.clear();
    span.logprobs.clear();
  }
  std::erase_if(rest.edits,
                [&](const TraceEdit& edit) { return of_nodes.contains(edit.sequence); });
  return rest;
}

}  // namespace

// A trace whose states have been computed.
class HeadDataBuilder::OneTrace {
 public:
  OneTrace(const HeadDataBuilder& builder, const Trace& trace)
      : builder_(builder),
        trace_(trace),
        layout_(lay_out(without_nodes(trace), builder.vocabulary_.anchor())) {
    const TokenBatch batch{
        layout_.tokens, layout_.positions, {{0, layout_.rows(), layout_.visibility}}};
    states_ = forward(builder.weights_, builder.lora_, batch, {}).to(torch::kFloat);
  }

  const Trace& trace() const { return trace_; }

  std::vector<TraceStep> steps() const {
    return thought_steps(trace_, builder_.vocabulary_, entropies());
  }

  // That the token was sampled from; zeros where it follows what was fed, which is prefilled
  // without a state.
  Tensor state_before(int span, int index) const {
    const int row = state_row(trace_, layout_, span, index);
    return row >= 0 ? states_[row] : torch::zeros_like(states_[0]);
  }

  // That the stream's token was sampled from which came out when that many decodes were done, or of
  // its last token, if it had ended by then.
  Tensor state_at(const TraceMoment& at) const {
    const TraceSpan* last = nullptr;
    for (const TraceSpan& span : trace_.spans) {
      if (!span.owner.is_stream(at.stream) || span.tokens.empty()) continue;
      last = &span;
      const auto token = std::lower_bound(span.steps.begin(), span.steps.end(), at.step);
      if (token != span.steps.end())
        return state_before(span.id, static_cast<int>(token - span.steps.begin()));
    }
    if (!last)
      throw Error(ErrorCode::kInvalidArgument, fmt::format("stream {} has no token", at.stream));
    return state_before(last->id, static_cast<int>(last->tokens.size()) - 1);
  }

  // Of the last token that was decoded in the owner's spans: what its next one was sampled from. A
  // branch that ended with its first token has read its parent's last one.
  Tensor state_at_end(const SpanOwner& owner) const {
    const auto span = std::find_if(
        trace_.spans.rbegin(), trace_.spans.rend(),
        [&](const TraceSpan& each) { return each.owner == owner && !each.tokens.empty(); });
    if (span == trace_.spans.rend())
      throw Error(ErrorCode::kInvalidArgument, to_string(owner) + " has no token");
    return states_[layout_.row_of[static_cast<size_t>(span->id)].back()];
  }

 private:
  // Of the distributions that streams' tokens were drawn from, in nats.
  std::vector<std::vector<float>> entropies() const {
    std::vector<std::vector<float>> result;
    std::vector<int64_t> rows;
    std::vector<float*> places;
    for (const TraceSpan& span : trace_.spans) {
      result.emplace_back(span.tokens.size(), 0.0f);
      if (span.owner.kind != SpanKind::kStream) continue;
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

// Every step of a stream is labelled by what became of the stream.
void HeadDataBuilder::add_steps(const OneTrace& computed, const Outcome& outcome, Found& found) {
  std::map<int, int64_t> group_of;  // by the step's number
  for (const TraceStep& step : computed.steps()) {
    const auto [group, is_new] = group_of.try_emplace(step.number, found.groups);
    if (is_new) ++found.groups;
    found.value
        .add(row_of(step.features.values()), computed.state_before(step.span, step.index),
             outcome.right.at(static_cast<size_t>(step.stream)), 1,
             {step.mean_logprob, step.line_mean_logprob})
        .group = group->second;
  }
}

void HeadDataBuilder::add_searches(const OneTrace& computed, const Outcome& outcome, Found& found) {
  if (outcome.trees.empty()) return;
  if (!computed.trace().result.search)
    throw Error(ErrorCode::kInvalidArgument, "its outcome is of searches that it did not make");
  for (const SearchResult& search : computed.trace().result.search->searches) {
    const auto of_search = [&](const TreeOutcome& tree) {
      return tree.stream == search.stream && tree.search == search.search;
    };
    const auto tree = std::find_if(outcome.trees.begin(), outcome.trees.end(), of_search);
    if (tree == outcome.trees.end())
      throw Error(ErrorCode::kInvalidArgument, "a search has no outcome");
    std::map<int64_t, int64_t> group_of;  // by the parent
    for (const SearchExample& example : search_examples(search, *tree)) {
      const auto [group, is_new] = group_of.try_emplace(example.choice.group, found.groups);
      if (is_new) ++found.groups;
      ChoiceRow& choice = found.value.add(
          row_of(example.features.values()),
          computed.state_at_end(
              SpanOwner::of_search(SpanKind::kBranch, tree->stream, tree->search, example.node)),
          example.right, 1, {example.mean_logprob, std::log(example.features.line_confidence)});
      choice = example.choice;
      choice.group = group->second;
    }
    ++found.searches;
  }
}

void HeadDataBuilder::add_promotions(const OneTrace& computed, const Outcome& outcome,
                                     Found& found) {
  const std::vector<TracePromotion> promotions = trace_promotions(computed.trace());
  for (const Counterfactual& without : outcome.counterfactuals) {
    if (!without.same_before) {
      ++found.unlike_before;
      continue;
    }
    const TracePromotion& promotion = promotion_at(promotions, without.promotion);
    const double effect = effect_of(outcome, without);
    found.gate.add(torch::tensor(promotion.features),
                   computed.state_before(promotion.last_token.span, promotion.last_token.index),
                   effect > 0, std::abs(effect), {effect});
  }
}

void HeadDataBuilder::add(const Trace& trace, const Outcome& outcome) try {
  const torch::NoGradGuard guard;
  if (outcome.answer_right)
    add_topology(trace, *outcome.answer_right);
  else if (outcome.asked.empty())
    add_play(trace, outcome);
  else
    add_recall(trace, outcome);
  ++traces_;
} catch (const std::out_of_range& error) {
  refuse(trace, error);
} catch (const Error& error) {
  refuse(trace, error);
}

void HeadDataBuilder::add_play(const Trace& trace, const Outcome& outcome) {
  if (trace.result.streams.size() != outcome.right.size())
    throw Error(ErrorCode::kInvalidArgument, "its outcome is of another number of streams");
  const OneTrace computed(*this, trace);
  Found found;
  add_steps(computed, outcome, found);
  add_searches(computed, outcome, found);
  add_promotions(computed, outcome, found);

  const int64_t problem = problem_number(trace.request.prompt);
  for (ChoiceRow& choice : found.value.choices) choice.group += groups_;
  groups_ += found.groups;
  value_.append(found.value, problem);
  gate_.append(found.gate, problem);
  unlike_before_ += found.unlike_before;
  searches_ += found.searches;
}

int64_t HeadDataBuilder::problem_number(const Tokens& prompt) {
  return problems_.try_emplace(prompt, static_cast<int64_t>(problems_.size())).first->second;
}

// A session that planned says what the model stated, without any correction. It repeats what
// another one of the problem played, which is the example.
void HeadDataBuilder::add_topology(const Trace& trace, bool right) {
  const Tokens& prompt = trace.request.prompt;
  const Topology& topology = trace.request.topology;
  const int64_t problem = problem_number(prompt);
  if (topology.is_auto()) {
    for (const TraceDecision& decision : trace.decisions)
      if (const auto* plan = std::get_if<PlanDecision>(&decision.what))
        return topologies_.add_stated(problem, plan->stated.value_or(plan->topology).to_string());
    throw Error(ErrorCode::kInvalidArgument, "it decided on no topology");
  }
  Tensor& state = prompt_states_[problem];
  if (!state.defined()) {
    const auto size = static_cast<int>(prompt.size());
    TokenBatch batch;
    append_plain(batch, prompt);
    state = forward(weights_, lora_, batch, {})[size - 1].to(torch::kFloat).clone();
  }
  topologies_.add(problem, topology, static_cast<int>(prompt.size()), state, right);
}

void HeadDataBuilder::add_recall(const Trace& trace, const Outcome& outcome) {
  const OneTrace computed(*this, trace);
  const TraceMemory memory = memory_of(trace);
  std::set<std::string> asked_facts;
  for (const AskedFact& asked : outcome.asked) asked_facts.insert(asked.fact);
  Rows write;
  for (const TraceSentence& sentence : memory.sentences)
    write.add(row_of(sentence.features.values()), computed.state_at(sentence.at),
              asked_facts.contains(sentence.text), 1, {});

  ReadSession session;
  int lost_facts = 0;
  for (const TraceNode& node : memory.nodes) session.add_key(computed.state_at(node.at));
  for (const TraceRead& read : memory.reads) {
    const auto asked =
        std::find_if(outcome.asked.begin(), outcome.asked.end(), [&](const AskedFact& each) {
          return each.stream == read.at.stream && asks(read.query, each);
        });
    std::optional<size_t> wanted;
    if (asked != outcome.asked.end() && !asked->fact.empty()) {
      const auto holder = std::find_if(read.nodes.begin(), read.nodes.end(), [&](size_t node) {
        return memory.nodes[node].text == asked->fact;
      });
      if (holder == read.nodes.end()) {
        ++lost_facts;
        continue;
      }
      wanted = *holder;
    }
    session.add_look(computed.state_at(read.at), read.nodes, read.lexical, wanted);
  }
  // Its names are its own: it is one problem.
  write_.append(write, recall_sessions_++);
  reads_.push_back(std::move(session));
  lost_facts_ += lost_facts;
}

ChoiceRow& HeadDataBuilder::Rows::add(const Tensor& its_features, const Tensor& state, bool label,
                                      double weight, std::initializer_list<double> its_figures) {
  features.push_back(its_features);
  hidden.push_back(state.clone());
  labels.push_back(label ? 1.0f : 0.0f);
  weights.push_back(static_cast<float>(weight));
  for (const double figure : its_figures) figures.push_back(static_cast<float>(figure));
  return choices.emplace_back();
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
  append_to(choices, more.choices);
}

HeadExamples HeadDataBuilder::Rows::examples(int64_t features_count, int64_t hidden_size) const {
  std::vector<int64_t> groups;
  for (const ChoiceRow& choice : choices) groups.push_back(choice.group);
  const auto column = [&](double ChoiceRow::* member) {
    std::vector<float> values;
    for (const ChoiceRow& choice : choices) values.push_back(static_cast<float>(choice.*member));
    return torch::tensor(values);
  };
  return {stacked(features, features_count),
          stacked(hidden, hidden_size),
          torch::tensor(labels),
          torch::tensor(weights),
          torch::tensor(problems, torch::kLong),
          torch::tensor(groups, torch::kLong),
          column(&ChoiceRow::visits),
          column(&ChoiceRow::target),
          column(&ChoiceRow::elsewhere)};
}

HeadData HeadDataBuilder::take() {
  const int64_t hidden_size = weights_.shape.hidden_size;
  HeadData data;
  data.value = value_.examples(ValueFeatures::kCount, hidden_size);
  data.logprobs = torch::tensor(value_.figures).view({data.value.count(), kFigures});
  data.gate = gate_.examples(GateFeatures::kCount, hidden_size);
  data.effects = torch::tensor(gate_.figures);
  data.write = write_.examples(WriteFeatures::kCount, hidden_size);
  data.read = padded(reads_, hidden_size);
  data.topology = topologies_.examples(hidden_size);
  data.found = {{"traces", traces_},
                {"problems", problems_.size()},
                {"unlike_before", unlike_before_},
                {"searches", searches_},
                {"recall_sessions", recall_sessions_},
                {"lost_facts", lost_facts_},
                {"topologies", data.topology.names}};
  value_ = gate_ = write_ = {};
  reads_.clear();
  topologies_ = {};
  prompt_states_.clear();
  problems_.clear();
  groups_ = 0;
  traces_ = unlike_before_ = searches_ = recall_sessions_ = lost_facts_ = 0;
  return data;
}

}  // namespace polyphon
