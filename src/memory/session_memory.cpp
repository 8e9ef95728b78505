#include "memory/session_memory.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/utf8.h"
#include "streams/conclusion.h"
#include "streams/stream_phase.h"

namespace polyphon {
namespace {

constexpr size_t kQueryBytes = 200;  // the read head's query: the last bytes of a stream's text

std::vector<RecalledNode> recalled_nodes(const std::vector<Recall>& recalls,
                                         const MemoryGraph& graph) {
  std::vector<RecalledNode> nodes;
  for (const Recall& recall : recalls)
    nodes.push_back({recall.node, graph.find(recall.node)->text, recall.score, recall.direct,
                     recall.contradicts > 0 ? std::optional(recall.contradicts) : std::nullopt});
  return nodes;
}

}  // namespace

std::string recall_cue() { return "\n(I recall this.) "; }

std::string nothing_recalled_cue() { return "\n(Nothing comes back.) "; }

SessionMemory::SessionMemory(const ThinkContext& context)
    : context_(context),
      wish_(context.request.memory),
      graph_(wish_.max_nodes),
      writer_(*context.views, context.vocabulary()),
      cue_tokens_(std::max(context.vocabulary().count_tokens(recall_cue()),
                           context.vocabulary().count_tokens(nothing_recalled_cue()))) {}

void SessionMemory::begin_phase(std::vector<Stream>& streams) {
  streams_ = &streams;
  readers_.assign(streams.size(), {});
  for (size_t i = 0; i < streams.size(); ++i) {
    Reader& reader = readers_[i];
    reader.first_end = context_.views->next_position(streams[i].sequence) + wish_.keep_first_tokens;
    reader.window_begin = reader.first_end;
    reader.next_read_tokens = static_cast<size_t>(wish_.cadence_tokens);
    reader.starting = !loaded_ && !wish_.loaded.empty();
  }
  if (!std::exchange(loaded_, true)) load();
}

void SessionMemory::load() {
  for (const LoadedNode& stored : wish_.loaded) {
    POLYPHON_CHECK(stored.cells != nullptr);
    MemoryNode node;
    node.text = stored.text;
    node.key = stored.key;
    node.source = NoteSource::of_store();
    node.how = NodeOrigin::kStored;
    node.stored_id = stored.id;
    node.cells = stored.cells;
    const NodeId id = graph_.add(std::move(node), {}).first;
    context_.decide(MemoryLoad{id, stored.id, stored.text});
  }
}

void SessionMemory::promoted(const Candidate& note) {
  MemoryNode node;
  node.text = note.text;
  node.key = note.hidden;
  node.source = note.source;
  node.how = NodeOrigin::kPromotion;
  const NodeId id = write(std::move(node), {});
  if (id == 0) return;
  for (size_t i = 0; i < readers_.size(); ++i)
    if (!(*streams_)[i].ended())
      readers_[i].attached[id] = context_.views->end_position((*streams_)[i].sequence);
}

void SessionMemory::after_step() {
  for (NodeWriter::Written& written : writer_.after_step())
    graph_.give_cells(written.node, std::move(written.cells));
  for (size_t i = 0; i < readers_.size(); ++i) {
    Stream& stream = (*streams_)[i];
    Reader& reader = readers_[i];
    // Nothing may join the view of a stream that searches: the search relies on the end of the
    // view.
    if (stream.searching()) continue;
    if (reader.starting && !stream.tokens.empty()) {
      reader.starting = false;
      if (!stream.ended()) recall(stream, reader, RecallCause::kStart, wish_.problem);
    }
    hear(stream, reader);
    if (stream.ended())
      write_conclusion(stream, reader);
    else if (wish_.window_tokens > 0)
      evict(stream, reader);
  }
}

// Takes the stream's new tokens: one after a step, or all that a search committed.
void SessionMemory::hear(Stream& stream, Reader& reader) {
  const size_t fresh = stream.tokens.size() - reader.listener.heard();
  if (fresh == 0) return;
  const double logprob = (stream.logprob_sum - reader.logprob_sum) / static_cast<double>(fresh);
  reader.logprob_sum = stream.logprob_sum;
  for (size_t left = fresh; left > 0; --left) {
    const Token token = stream.tokens[reader.listener.heard()];
    reader.listener.hear(context_.vocabulary().piece(token, false), logprob);
    if (const auto sentence = reader.listener.take_sentence()) consider(stream, reader, *sentence);
    if (const auto marker = reader.listener.take_marker()) obey(stream, reader, *marker);
  }
  if (wish_.cadence_tokens > 0 && stream.tokens.size() >= reader.next_read_tokens &&
      !stream.ended()) {
    reader.next_read_tokens += static_cast<size_t>(wish_.cadence_tokens);
    recall(stream, reader, RecallCause::kReadHead, reader.listener.tail(kQueryBytes));
  }
}

void SessionMemory::obey(Stream& stream, Reader& reader, const Marker& marker) {
  std::string text = sanitize_utf8(marker.text);
  if (marker.kind == MarkerKind::kRemember)
    write_said(stream, reader, std::move(text), NodeOrigin::kMarker);
  else if (!stream.ended())
    recall(stream, reader, RecallCause::kMarker, text);
}

void SessionMemory::consider(const Stream& stream, Reader& reader, const HeardSentence& sentence) {
  WriteFeatures features = features_of_sentence(sentence.text);
  features.confidence = sentence.confidence;
  features.novelty = 1 - graph_.familiarity(sentence.text);
  const double probability =
      write_probability(context_.heads->memory.write, features, stream.hidden);
  const bool written = probability > wish_.write_threshold;
  context_.decide(MemoryConsideration{stream.id, sentence.text, probability, features,
                                      wish_.write_threshold, written});
  if (written) write_said(stream, reader, sentence.text, NodeOrigin::kWriteHead);
}

void SessionMemory::write_conclusion(const Stream& stream, Reader& reader) {
  if (reader.concluded || !context_.views->idle(stream.sequence)) return;
  reader.concluded = true;
  if (const auto conclusion = conclusion_candidate(stream, context_))
    write_said(stream, reader, conclusion->text, NodeOrigin::kConclusion);
}

void SessionMemory::write_said(const Stream& stream, Reader& reader, std::string text,
                               NodeOrigin how) {
  MemoryNode node;
  node.text = std::move(text);
  node.key = stream.hidden;
  node.source = NoteSource::of_stream(stream.id);
  node.how = how;
  node.stream = stream.id;
  std::vector<NodeId> from;
  for (const auto& [id, since] : reader.attached)
    if (const MemoryNode* other = graph_.find(id); other && other->stream != stream.id)
      from.push_back(id);
  const NodeId id = write(std::move(node), from);
  if (id > 0) reader.attached[id] = context_.views->end_position(stream.sequence);
}

NodeId SessionMemory::write(MemoryNode node, const std::vector<NodeId>& from) {
  Tokens tokens = node_tokens(node.text, context_.vocabulary());
  MemoryWrite decision{node.source, node.how, node.text, {}, {}, {}};
  if (tokens.size() > kMostNodeTokens) {
    decision.too_long = static_cast<int>(tokens.size());
    context_.decide(std::move(decision));
    return 0;
  }
  node.step = context_.views->step();
  const size_t before = graph_.nodes().size();
  const auto [id, gone] = graph_.add(std::move(node), from);
  decision.node = id;
  if (gone > 0) {
    decision.evicted = gone;
    writer_.forget(gone);
    for (Reader& reader : readers_) reader.attached.erase(gone);
  }
  if (gone > 0 || graph_.nodes().size() > before) writer_.want(id, std::move(tokens));
  context_.decide(std::move(decision));
  return id;
}

// A recall by marker is always answered, even with nodes that are already in view.
void SessionMemory::recall(Stream& stream, Reader& reader, RecallCause by,
                           const std::string& query) {
  const bool asked = by == RecallCause::kMarker;
  std::vector<NodeId> passed_over;
  for (const MemoryNode& node : graph_.nodes()) {
    const bool seen = reader.attached.contains(node.id) || merged_.contains(node.id);
    if (!node.cells || (seen && !asked)) passed_over.push_back(node.id);
  }
  if (passed_over.size() == graph_.nodes().size() && !asked) return;
  const ReadOptions options{wish_.top_k, wish_.read_threshold * (asked ? 0.5 : 1)};
  std::vector<Recall> found =
      graph_.read(context_.heads->memory.read, {query, stream.hidden}, options, passed_over);
  MemoryRecall decision{context_.views->step(),        stream.id, by, query, options.threshold,
                        recalled_nodes(found, graph_), false,     {}};
  const bool nothing = found.empty();
  keep_affordable(reader, found);
  for (const Recall& each : found) decision.placed.push_back(each.node);
  decision.carried_out = !found.empty();
  context_.decide(decision);
  const bool no_budget = reader.recall_tokens + cue_tokens_ > wish_.max_recall_tokens;
  if (found.empty() && (!nothing || !asked || no_budget)) return;
  // Place the best node last, so that it is nearest to the reader.
  for (auto each = found.rbegin(); each != found.rend(); ++each) place(stream, reader, each->node);
  interject(context_, stream, found.empty() ? nothing_recalled_cue() : recall_cue());
  reader.recall_tokens += cue_tokens_;
  if (found.empty()) return;
  recalls_.push_back(std::move(decision));
  Recalled recalled{stream.id, by, {}};
  for (const Recall& each : found) recalled.texts.push_back(graph_.find(each.node)->text);
  context_.events->push(std::move(recalled));
}

void SessionMemory::keep_affordable(const Reader& reader, std::vector<Recall>& found) const {
  int left = wish_.max_recall_tokens - reader.recall_tokens - cue_tokens_;
  std::erase_if(found, [&](const Recall& recall) {
    const int size = static_cast<int>(graph_.find(recall.node)->cells->tokens.size());
    if (size > left) return true;
    left -= size;
    return false;
  });
}

void SessionMemory::place(Stream& stream, Reader& reader, NodeId id) {
  const MemoryNode& node = *graph_.find(id);
  SessionViews& views = *context_.views;
  reader.attached[id] = views.end_position(stream.sequence);
  reader.recall_tokens += static_cast<int>(node.cells->tokens.size());
  const SpanOwner owner = SpanOwner::of_node(SpanKind::kRecall, id);
  if (!views.place(stream.sequence, *node.cells, owner)) {
    context_.decide(MemoryRefusal{id, "its cells do not fit this model"});
    views.feed(stream.sequence, node.cells->tokens, owner);
  }
  graph_.used(id, views.step());
}

// Removes an eighth of the window at a time, so that few edits are needed.
void SessionMemory::evict(const Stream& stream, Reader& reader) {
  const Position end = context_.views->end_position(stream.sequence);
  if (end - reader.window_begin < wish_.window_tokens) return;  // the next token counts too
  const Position cut = end - wish_.window_tokens + wish_.window_tokens / 8;
  context_.views->drop(stream.sequence, reader.first_end, cut);
  reader.window_begin = cut;
  std::erase_if(reader.attached, [&](const auto& attached) { return attached.second < cut; });
  context_.decide(MemoryWindow{stream.id, reader.first_end, cut});
}

void SessionMemory::end_phase() {
  const MergeMode mode = context_.request.merge;
  merged_.clear();
  if (mode == MergeMode::kKv || mode == MergeMode::kVote)
    for (const Reader& reader : readers_)
      for (const auto& [id, since] : reader.attached) merged_.insert(id);
  readers_.clear();
  streams_ = nullptr;
}

KeptMemory SessionMemory::kept() const {
  KeptMemory kept;
  if (!wish_.keep) return kept;
  std::set<NodeId> ids;
  for (const MemoryNode& node : graph_.nodes()) {
    const bool recalled = node.stored_id > 0 && node.step > 0;
    if (!recalled && node.how != NodeOrigin::kMarker && node.how != NodeOrigin::kConclusion)
      continue;
    kept.nodes.push_back(node);
    ids.insert(node.id);
  }
  for (const MemoryEdge& edge : graph_.edges())
    if (ids.contains(edge.from) && ids.contains(edge.to)) kept.edges.push_back(edge);
  return kept;
}

MemoryReport SessionMemory::report() const {
  MemoryReport report{{}, graph_.edges(), recalls_, writer_.rows()};
  for (const MemoryNode& node : graph_.nodes())
    report.nodes.push_back({node.id, node.text, node.source, node.how, node.step});
  return report;
}

}  // namespace polyphon
