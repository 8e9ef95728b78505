// Lists the members of each record, for the reader and writer of record/json_members.h. Only
// codec.cpp includes this file.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "record/json_members.h"
#include "record/trace.h"

namespace polyphon {

// Topologies and modes have the same spelling in records as in requests.
inline std::string spelled(const Topology& topology) { return topology.to_string(); }
inline void read_spelled(std::string_view text, Topology& topology) {
  topology = parse_topology(text);
}
inline std::string spelled(MergeMode mode) { return std::string(to_string(mode)); }
inline void read_spelled(std::string_view text, MergeMode& mode) { mode = parse_merge_mode(text); }
inline std::string spelled(SearchMode mode) { return to_string(mode); }
inline void read_spelled(std::string_view text, SearchMode& mode) {
  mode = parse_search_mode(std::string(text));
}

// Requests.

template <typename Visitor>
void describe(Visitor& visit, SamplingParams& params) {
  visit("temperature", params.temperature);
  visit("top_k", params.top_k);
  visit("top_p", params.top_p);
  visit("min_p", params.min_p);
  visit("repetition_penalty", params.repetition_penalty);
  visit("frequency_penalty", params.frequency_penalty);
  visit("presence_penalty", params.presence_penalty);
  visit("penalty_last_n", params.penalty_last_n);
  visit("logit_bias", params.logit_bias);
  visit("seed", params.seed);
  visit("logprobs", params.logprobs);
}

template <typename Visitor>
void describe(Visitor& visit, GrammarSpec::Trigger& trigger) {
  using Kind = GrammarSpec::Trigger::Kind;
  int kind = static_cast<int>(trigger.kind);
  visit("kind", kind);
  if (kind < 0 || kind > static_cast<int>(Kind::kPatternFull))
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("a trigger of the answer's grammar has the unknown kind {}", kind));
  trigger.kind = static_cast<Kind>(kind);
  visit("value", trigger.value);
  visit("token", trigger.token);
}

template <typename Visitor>
void describe(Visitor& visit, GrammarSpec& grammar) {
  visit("gbnf", grammar.gbnf);
  visit("lazy", grammar.lazy);
  visit("triggers", grammar.triggers);
  visit("generation_prompt", grammar.generation_prompt);
}

template <typename Visitor>
void describe(Visitor& visit, WorkspaceRequest& workspace) {
  visit("registers", workspace.registers);
  visit("cadence_tokens", workspace.cadence_tokens);
  visit("refractory_tokens", workspace.refractory_tokens);
  visit("gate_threshold", workspace.gate_threshold);
  visit("without_promotion", workspace.without_promotion);
}

template <typename Visitor>
void describe(Visitor& visit, DiversityRequest& diversity) {
  visit("strategies", diversity.strategies);
  visit("temperature_ladder", diversity.temperature_ladder);
  visit("collapse_watch", diversity.collapse_watch);
  visit.since("agreement", diversity.agreement);
  visit("spend_budget", diversity.spend_budget);
  visit.since("branch_first_token", diversity.branch_first_token);
}

template <typename Visitor, typename Request>
void describe_fields(Visitor& visit, std::span<const RequestField<Request>> fields,
                     Request& request) {
  for (const RequestField<Request>& field : fields)
    std::visit([&](auto member) { visit(field.name, request.*member); }, field.member);
}

template <typename Visitor>
void describe(Visitor& visit, SearchRequest& search) {
  visit("mode", search.mode);
  describe_fields(visit, search_fields(), search);
  visit.since("plays_out", search.plays_out);
  visit("replays_clock", search.replays_clock);
  std::vector<std::array<int, 3>> ends;  // [stream, search, steps]
  for (const ClockEnd& end : search.clock_ends) ends.push_back({end.stream, end.search, end.steps});
  visit("clock_ends", ends);
  search.clock_ends.clear();
  for (const auto& [stream, of_stream, steps] : ends)
    search.clock_ends.push_back({stream, of_stream, steps});
}

template <typename Visitor>
void describe(Visitor& visit, LoadedNode& node) {
  visit("id", node.id);
  visit("text", node.text);
  visit("tokens", node.tokens);
  visit("key", node.key);
}

template <typename Visitor>
void describe(Visitor& visit, MemoryRequest& memory) {
  visit("enabled", memory.enabled);
  visit("keep", memory.keep);
  visit("problem", memory.problem);
  describe_fields(visit, memory_fields(), memory);
  visit("loaded", memory.loaded);
}

template <typename Visitor>
void describe(Visitor& visit, ThinkRequest& request) {
  visit("prompt", request.prompt);
  visit("plan_instruction", request.plan_instruction);
  visit("merge_instruction", request.merge_instruction);
  visit("topology", request.topology);
  visit("merge", request.merge);
  visit("sampling", request.sampling);
  visit("answer_sampling", request.answer_sampling);
  visit("answer_grammar", request.answer_grammar);
  visit("stop", request.stop);
  visit("max_answer_tokens", request.max_answer_tokens);
  visit("auto_budget_tokens", request.auto_budget_tokens);
  visit.since("workspace", request.workspace);
  visit.since("diversity", request.diversity);
  visit.since("search", request.search);
  visit.since("memory", request.memory);
  visit.since("scripts", request.scripts);
  visit("ignore_eos", request.ignore_eos);
}

// Features that heads read.

template <typename Visitor>
void describe(Visitor& visit, GateFeatures& features) {
  visit("confidence", features.confidence);
  visit("novelty", features.novelty);
  visit("evidence", features.evidence);
  visit("disagreement", features.disagreement);
  visit("progress", features.progress);
  visit("conclusion", features.conclusion);
}

template <typename Visitor>
void describe(Visitor& visit, ValueFeatures& features) {
  visit("confidence", features.confidence);
  visit("certainty", features.certainty);
  visit("conclusion", features.conclusion);
  visit("agreement", features.agreement);
  visit("repetition", features.repetition);
  visit("room", features.room);
  visit("line_confidence", features.line_confidence);
}

template <typename Visitor>
void describe(Visitor& visit, WriteFeatures& features) {
  visit("confidence", features.confidence);
  visit("novelty", features.novelty);
  visit("number", features.number);
  visit("result", features.result);
  visit("length", features.length);
}

// Decisions.

template <typename Visitor>
void describe(Visitor& visit, GateCandidate& candidate) {
  visit("source", candidate.source);
  visit("sequence", candidate.sequence);
  visit.since("begin", candidate.begin);
  visit("end", candidate.end);
  visit("text", candidate.text);
  visit("p", candidate.p);
  visit("features", candidate.features);
}

template <typename Visitor>
void describe(Visitor& visit, GateDecision& gate) {
  visit("candidates", gate.candidates);
  visit("threshold", gate.threshold);
  visit("promoted", gate.promoted);
}

template <typename Visitor>
void describe(Visitor& visit, PromotionDecision& promotion) {
  visit("promotion", promotion.promotion);
  visit("carried_out", promotion.carried_out);
  visit("features", promotion.features);
  visit("span", promotion.span);
  visit("index", promotion.index);
}

template <typename Visitor>
void describe(Visitor& visit, PredictedTopology& predicted) {
  visit("topology", predicted.topology);
  visit("p", predicted.p);
}

template <typename Visitor>
void describe(Visitor& visit, PlanDecision& plan) {
  visit("said", plan.said);
  visit.unless_default("stated", plan.stated);
  if (plan.stated) visit("predicted", plan.predicted);
  visit("topology", plan.topology);
}

template <typename Visitor>
void describe(Visitor& visit, CollapseDecision& collapse) {
  visit("stream", collapse.stream);
  visit("follows", collapse.follows);
  visit("ngram_overlap", collapse.ngram_overlap);
  visit("hidden_cosine", collapse.hidden_cosine);
  visit("action", collapse.action);
}

template <typename Visitor>
void describe(Visitor& visit, AgreementDecision& agreement) {
  visit("answer", agreement.answer);
}

template <typename Visitor>
void describe(Visitor& visit, MergeDecision& merge) {
  visit("wanted", merge.wanted);
  visit("done", merge.done);
  visit("why", merge.why);
}

template <typename Visitor>
void describe(Visitor& visit, VoteDecision& vote) {
  visit("stream", vote.stream);
  visit("answer", vote.answer);
}

template <typename Visitor>
void describe(Visitor& visit, SearchDecision& search) {
  visit("stream", search.stream);
  visit("search", search.search);
  visit("trigger", search.trigger);
  visit("entropy", search.entropy);
  visit("value", search.value);
  visit("features", search.features);
}

template <typename Visitor>
void describe(Visitor& visit, SearchRefusal& refusal) {
  visit("stream", refusal.stream);
  visit("trigger", refusal.trigger);
  visit("why", refusal.why);
}

template <typename Visitor>
void describe(Visitor& visit, SearchEnding& ending) {
  visit("stream", ending.stream);
  visit("search", ending.search);
  visit("why", ending.why);
  visit("steps", ending.steps);
  visit("simulations", ending.simulations);
  visit("tokens", ending.tokens);
  visit("committed_tokens", ending.committed_tokens);
}

template <typename Visitor>
void describe(Visitor& visit, MemoryLoad& load) {
  visit("node", load.node);
  visit("stored", load.stored);
  visit("text", load.text);
}

template <typename Visitor>
void describe(Visitor& visit, MemoryConsideration& considered) {
  visit("stream", considered.stream);
  visit("text", considered.text);
  visit("p", considered.p);
  visit("features", considered.features);
  visit("threshold", considered.threshold);
  visit("written", considered.written);
}

template <typename Visitor>
void describe(Visitor& visit, MemoryWrite& write) {
  visit("source", write.source);
  visit("how", write.how);
  visit("text", write.text);
  visit.unless_default("node", write.node);
  visit.unless_default("evicted", write.evicted);
  visit.unless_default("too_long", write.too_long);
}

template <typename Visitor>
void describe(Visitor& visit, RecalledNode& node) {
  visit("node", node.node);
  visit("text", node.text);
  visit("score", node.score);
  visit("direct", node.direct);
  visit.unless_default("contradicts", node.contradicts);
}

template <typename Visitor>
void describe(Visitor& visit, MemoryRecall& recall) {
  visit("step", recall.step);
  visit("stream", recall.stream);
  visit("by", recall.by);
  visit("query", recall.query);
  visit("threshold", recall.threshold);
  visit("nodes", recall.nodes);
  visit("carried_out", recall.carried_out);
  visit("placed", recall.placed);
}

template <typename Visitor>
void describe(Visitor& visit, MemoryRefusal& refusal) {
  visit("node", refusal.node);
  visit("why", refusal.why);
}

template <typename Visitor>
void describe(Visitor& visit, MemoryWindow& window) {
  visit("stream", window.stream);
  visit("begin", window.begin);
  visit("end", window.end);
}

// Results.

template <typename Visitor>
void describe(Visitor& visit, StreamResult& stream) {
  visit("id", stream.id);
  visit("strategy", stream.strategy);
  visit("text", stream.text);
  visit("tokens", stream.tokens);
  visit("finish_reason", stream.finish_reason);
  visit("answer", stream.answer);
}

template <typename Visitor>
void describe(Visitor& visit, StreamReaction& reaction) {
  visit("id", reaction.id);
  visit("kl", reaction.kl);
  visit("next", reaction.next);
}

template <typename Visitor>
void describe(Visitor& visit, Broadcast& broadcast) {
  visit("promotion", broadcast.promotion);
  visit("step", broadcast.step);
  visit("source", broadcast.source);
  visit("text", broadcast.text);
  visit("p", broadcast.p);
  visit("features", broadcast.features);
  visit("carried_out", broadcast.carried_out);
  visit("lost", broadcast.lost);
  visit("streams", broadcast.streams);
}

template <typename Visitor>
void describe(Visitor& visit, RegisterCost& cost) {
  visit("name", cost.name);
  visit("notes", cost.notes);
  visit("rows", cost.rows);
  visit("tokens", cost.tokens);
  visit("ms", cost.ms);
}

template <typename Visitor>
void describe(Visitor& visit, SearchNode& node) {
  visit("id", node.id);
  visit("parent", node.parent);
  visit("depth", node.depth);
  visit("text", node.text);
  visit("tokens", node.tokens);
  visit("mean_logprob", node.mean_logprob);
  visit("visits", node.visits);
  visit("value", node.value);
  visit("mean_value", node.mean_value);
  visit.unless_default("prior", node.prior);
  visit.unless_default("terminal", node.terminal);
  visit.unless_default("features", node.features);
  visit.unless_default("answer", node.answer);
  visit.unless_default("same_as", node.same_as);
  visit.unless_default("pruned", node.pruned);
  visit.unless_default("playout", node.playout);
}

template <typename Visitor>
void describe(Visitor& visit, SearchResult& search) {
  visit("stream", search.stream);
  visit("search", search.search);
  visit("trigger", search.trigger);
  visit("step", search.step);
  visit("steps", search.steps);
  visit("why_ended", search.why_ended);
  visit("simulations", search.simulations);
  visit("tokens", search.tokens);
  visit("committed_tokens", search.committed_tokens);
  visit("leaves_per_step", search.leaves_per_step);
  visit("waste", search.waste);
  visit("ms", search.ms);
  visit("text", search.text);
  visit("from_byte", search.from_byte);
  visit("tree", search.tree);
  visit.unless_default("playout_tokens", search.playout_tokens);
}

template <typename Visitor>
void describe(Visitor& visit, SearchReport& report) {
  visit("mode", report.mode);
  visit("searches", report.searches);
  visit("simulations", report.simulations);
  visit("tokens", report.tokens);
  visit("committed_tokens", report.committed_tokens);
  visit("leaves_per_step", report.leaves_per_step);
  visit("waste", report.waste);
  visit("ms", report.ms);
}

template <typename Visitor>
void describe(Visitor& visit, NodeReport& node) {
  visit("node", node.node);
  visit("text", node.text);
  visit("source", node.source);
  visit("how", node.how);
  visit("step", node.step);
}

template <typename Visitor>
void describe(Visitor& visit, MemoryEdge& edge) {
  visit("from", edge.from);
  visit("to", edge.to);
  visit("kind", edge.kind);
}

template <typename Visitor>
void describe(Visitor& visit, MemoryReport& memory) {
  visit("nodes", memory.nodes);
  visit("edges", memory.edges);
  visit("recalls", memory.recalls);
  visit("rows", memory.rows);
}

template <typename Visitor>
void describe(Visitor& visit, Timings& timings) {
  visit("queue_ms", timings.queue_ms);
  visit("prompt_ms", timings.prompt_ms);
  visit("streams_ms", timings.streams_ms);
  visit("merge_ms", timings.merge_ms);
  visit("time_to_first_answer_token_ms", timings.time_to_first_answer_token_ms);
  visit("answer_ms", timings.answer_ms);
  visit("total_ms", timings.total_ms);
  visit("prompt_tokens", timings.prompt_tokens);
  visit("merge_prefill_tokens", timings.merge_prefill_tokens);
  visit("answer_tokens", timings.answer_tokens);
}

template <typename Visitor>
void describe(Visitor& visit, SessionResult& result) {
  visit("trace_id", result.trace_id);
  visit("version", result.version);
  visit("topology", result.topology);
  visit("merge", result.merge);
  visit("streams", result.streams);
  visit.since("workspace", result.workspace);
  visit.since("registers", result.registers);
  visit.since("search", result.search);
  visit.since("memory", result.memory);
  visit.unless_default("plan", result.plan);
  visit("timings", result.timings);
  visit.since("answer", result.answer);
}

// Outcomes.

template <typename Visitor>
void describe(Visitor& visit, Counterfactual& without) {
  visit("promotion", without.promotion);
  visit("same_before", without.same_before);
  visit("right", without.right);
}

template <typename Visitor>
void describe(Visitor& visit, AskedFact& asked) {
  visit("stream", asked.stream);
  visit("question", asked.question);
  visit("fact", asked.fact);
}

template <typename Visitor>
void describe(Visitor& visit, TreeOutcome& tree) {
  visit("stream", tree.stream);
  visit("search", tree.search);
  visit("nodes", tree.nodes);
  visit("right", tree.right);
}

template <typename Visitor>
void describe(Visitor& visit, Outcome& outcome) {
  visit("family", outcome.cell.family);
  visit("difficulty", outcome.cell.difficulty);
  visit("seed", outcome.seed);
  visit("right", outcome.right);
  visit.unless_default("proposed", outcome.proposed);
  visit.unless_default("counterfactuals", outcome.counterfactuals);
  visit.unless_default("asked", outcome.asked);
  visit.unless_default("trees", outcome.trees);
  visit.unless_default("answer_right", outcome.answer_right);
}

// The trace.

template <typename Visitor>
void describe(Visitor& visit, SpanOwner& owner) {
  visit("kind", owner.kind);
  if (has_stream(owner.kind)) visit("stream", owner.stream);
  if (has_search(owner.kind)) visit("search", owner.search);
  if (has_node(owner.kind)) visit("node", owner.node);
  if (has_name(owner.kind)) visit("name", owner.name);
  visit.unless("number", owner.number, -1);
}

template <typename Visitor>
void describe(Visitor& visit, TraceSpan& span) {
  visit("id", span.id);
  visit("sequence", span.sequence);
  visit("owner", span.owner);
  visit("strategy", span.strategy);
  visit("begin", span.begin);
  visit("tokens", span.tokens);
  visit("steps", span.steps);
  visit("logprobs", span.logprobs);
}

template <typename Visitor>
void describe(Visitor& visit, TraceEdit& edit) {
  visit("step", edit.step);
  visit("kind", edit.kind);
  visit("sequence", edit.sequence);
  visit("source", edit.source);
  visit("begin", edit.begin);
  visit("end", edit.end);
  visit.unless("promotion", edit.promotion, -1);
}

template <typename Visitor>
void describe(Visitor& visit, TraceDecision& decision) {
  visit("step", decision.step);
  visit.alternative("kind", "detail", decision.what);
}

template <typename Visitor>
void describe(Visitor& visit, Trace& trace) {
  visit("id", trace.id);
  visit("created", trace.created);
  visit("version", trace.version);
  visit("model_digest", trace.model_digest);
  visit("config_hash", trace.config_hash);
  visit("seed", trace.seed);
  visit("cached_prompt_tokens", trace.cached_prompt_tokens);
  visit("request", trace.request);
  visit("spans", trace.spans);
  visit("edits", trace.edits);
  visit("decisions", trace.decisions);
  visit("result", trace.result);
  visit.unless_default("outcome", trace.outcome);
}

}  // namespace polyphon
