#include "reason/session_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/utf8.h"
#include "reason/conclusion.h"
#include "reason/stream_phase.h"

namespace polyphon {
namespace {

constexpr size_t kQueryBytes = 200;  // of a stream's latest text, for the read head

Json recalled_nodes(const std::vector<Recall>& recalls, const MemoryGraph& graph) {
  Json nodes = Json::array();
  for (const Recall& recall : recalls) {
    nodes.push_back({{"node", recall.node},
                     {"text", graph.find(recall.node)->text},
                     {"score", recall.score},
                     {"direct", recall.direct}});
    if (recall.contradicts > 0) nodes.back()["contradicts"] = recall.contradicts;
  }
  return nodes;
}

}  // namespace

std::string recall_cue() { return "\n(I recall this.) "; }

std::string nothing_recalled_cue() { return "\n(Nothing comes back.) "; }

PlanNeeds memory_needs(const MemoryRequest& request, int streams, const Vocabulary& vocabulary) {
  if (!request.enabled) return {};
  const int cues = request.max_recalls * std::max(vocabulary.count_tokens(recall_cue()),
                                                  vocabulary.count_tokens(nothing_recalled_cue()));
  const int explanation = vocabulary.count_tokens(marker_explanation());
  PlanNeeds needs;
  needs.sequences = request.max_nodes;
  needs.cells = streams * (explanation + cues);
  // A reader goes on after the cells that join it, which may be another's.
  needs.last_position = explanation + streams * cues;
  int longest = 0;
  for (const LoadedNode& node : request.loaded) {
    needs.cells += static_cast<int>(node.tokens.size());
    longest = std::max(longest, static_cast<int>(node.tokens.size()));
  }
  needs.last_position += longest;
  return needs;
}

void SessionMemory::begin_phase(std::vector<Stream>& streams, SequenceNumber base,
                                Position base_end) {
  streams_ = &streams;
  readers_.assign(streams.size(), {});
  for (size_t i = 0; i < streams.size(); ++i) {
    Reader& reader = readers_[i];
    reader.first_end = context_.views->next_position(streams[i].sequence) + wish_.keep_first_tokens;
    reader.window_begin = reader.first_end;
    reader.next_read_tokens = static_cast<size_t>(wish_.cadence_tokens);
  }
  if (!loaded_ && loading_.empty()) load(base, base_end);
}

// Each is decoded after the prompt, in a view of its own.
void SessionMemory::load(SequenceNumber base, Position base_end) {
  SessionViews& views = *context_.views;
  for (const LoadedNode& stored : wish_.loaded) {
    if (stored.tokens.empty()) continue;
    MemoryNode node;
    node.text = stored.text;
    node.tokens = stored.tokens;
    node.key = stored.key;
    node.source = node.how = "stored";
    node.stored_id = stored.id;
    const NodeId id = graph_.add(std::move(node), {}).first;
    if (cells_.contains(id)) continue;  // the same text twice
    const SequenceNumber own = views.open();
    views.join(base, own, 0, base_end);
    views.feed(own, stored.tokens, fmt::format("memory {}", stored.id));
    cells_[id] = {own, base_end, views.next_position(own), false};
    loading_.push_back(id);
    context_.decide("memory_load", {{"node", id}, {"stored", stored.id}, {"text", stored.text}});
  }
  loaded_ = loading_.empty();
}

// What is known of the problem comes back as soon as it is there.
void SessionMemory::finish_loading() {
  if (loaded_) return;
  for (NodeId id : loading_)
    if (cells_.contains(id) && !context_.views->idle(cells_[id].sequence)) return;
  for (NodeId id : loading_)
    if (cells_.contains(id)) cells_[id].ready = true;
  loading_.clear();
  loaded_ = true;
  for (Reader& reader : readers_) reader.starting = true;
}

void SessionMemory::promoted(const Candidate& note) {
  MemoryNode node;
  node.text = note.text;
  node.tokens = note.tokens;
  node.key = note.hidden;
  node.source = note.source;
  node.how = "promotion";
  const NodeId id = write(std::move(node), note.sequence, {{note.begin, note.end}}, {});
  for (size_t i = 0; i < readers_.size(); ++i)
    if (!(*streams_)[i].ended())
      readers_[i].attached[id] = context_.views->end_position((*streams_)[i].sequence);
}

void SessionMemory::after_step() {
  finish_loading();
  for (size_t i = 0; i < readers_.size(); ++i) {
    Stream& stream = (*streams_)[i];
    Reader& reader = readers_[i];
    // Nothing may join the view of a paused stream: its search knows where the view ends.
    if (stream.searching()) continue;
    write_pending(stream, reader);
    if (std::exchange(reader.starting, false) && !stream.ended())
      recall(stream, reader, "start", wish_.problem);
    hear(stream, reader);
    if (stream.ended()) {
      write_pending(stream, reader);
      write_conclusion(stream, reader);
    } else if (wish_.window_tokens > 0) {
      evict(stream, reader);
    }
  }
}

// One token after a step, or all that a search committed: those are decoded, without a gap, but for
// the last, which waits as one that was just sampled does.
void SessionMemory::hear(Stream& stream, Reader& reader) {
  const size_t fresh = stream.tokens.size() - reader.listener.heard();
  if (fresh == 0) return;
  const SessionViews& views = *context_.views;
  const bool waits = !views.idle(stream.sequence);
  const Position last = views.end_position(stream.sequence) - (waits ? 0 : 1);
  const double logprob = (stream.logprob_sum - reader.logprob_sum) / static_cast<double>(fresh);
  reader.logprob_sum = stream.logprob_sum;
  for (size_t left = fresh; left > 0; --left) {
    const Token token = stream.tokens[reader.listener.heard()];
    reader.listener.hear(context_.vocabulary().piece(token, false), logprob);
    if (const auto sentence = reader.listener.take_sentence()) consider(stream, reader, *sentence);
    if (auto marker = reader.listener.take_marker()) obey(stream, reader, std::move(*marker));
    if (!waits || left > 1) reader.listener.place(last - static_cast<Position>(left - 1));
  }
  if (wish_.cadence_tokens > 0 && stream.tokens.size() >= reader.next_read_tokens &&
      !stream.ended()) {
    reader.next_read_tokens += static_cast<size_t>(wish_.cadence_tokens);
    recall(stream, reader, "read_head", reader.listener.tail(kQueryBytes));
  }
  // What has joined the view may have moved it, and nothing more does before it is decoded.
  if (waits) reader.listener.place(views.end_position(stream.sequence));
}

void SessionMemory::obey(Stream& stream, Reader& reader, Marker marker) {
  std::string text = sanitize_utf8(marker.text);
  if (marker.kind == MarkerKind::kRemember)
    reader.writing.push_back(
        {{marker.first_piece, marker.last_piece + 1}, std::move(text), "marker", stream.hidden});
  else if (!stream.ended())
    recall(stream, reader, "marker", text);
}

void SessionMemory::consider(const Stream& stream, Reader& reader, const HeardSentence& sentence) {
  WriteFeatures features = features_of_sentence(sentence.text);
  features.confidence = sentence.confidence;
  features.novelty = 1 - graph_.familiarity(sentence.text);
  const double probability =
      write_probability(context_.heads->memory.write, features, stream.hidden);
  const bool written = probability > wish_.write_threshold;
  context_.decide("memory_consider", {{"stream", stream.id},
                                      {"text", sentence.text},
                                      {"p", probability},
                                      {"features", polyphon::to_json(features)},
                                      {"threshold", wish_.write_threshold},
                                      {"written", written}});
  if (written)
    reader.writing.push_back({sentence.tokens, sentence.text, "write_head", stream.hidden});
}

void SessionMemory::write_pending(const Stream& stream, Reader& reader) {
  const Position decoded = context_.views->end_position(stream.sequence);
  std::erase_if(reader.writing, [&](const Writing& writing) {
    const size_t last = writing.tokens.end - 1;
    if (last >= reader.listener.placed() || reader.listener.position(last) >= decoded) return false;
    write_own(stream, reader, writing);
    return true;
  });
}

void SessionMemory::write_conclusion(const Stream& stream, Reader& reader) {
  if (reader.concluded || !context_.views->idle(stream.sequence)) return;
  reader.concluded = true;
  const auto conclusion = conclusion_candidate(stream, context_);
  if (!conclusion) return;
  const size_t end = stream.tokens.size();
  write_own(
      stream, reader,
      {{end - conclusion->tokens.size(), end}, conclusion->text, "conclusion", conclusion->hidden});
}

void SessionMemory::write_own(const Stream& stream, Reader& reader, const Writing& writing) {
  MemoryNode node;
  node.text = writing.text;
  node.tokens.assign(stream.tokens.begin() + static_cast<std::ptrdiff_t>(writing.tokens.first),
                     stream.tokens.begin() + static_cast<std::ptrdiff_t>(writing.tokens.end));
  node.key = writing.key;
  node.source = fmt::format("stream {}", stream.id);
  node.how = writing.how;
  node.stream = stream.id;
  std::vector<NodeId> from;
  for (const auto& [id, since] : reader.attached)
    if (const MemoryNode* other = graph_.find(id); other && other->stream != stream.id)
      from.push_back(id);
  const NodeId id =
      write(std::move(node), stream.sequence, reader.listener.runs(writing.tokens), from);
  reader.attached[id] = reader.listener.position(writing.tokens.end - 1) + 1;
}

NodeId SessionMemory::write(MemoryNode node, SequenceNumber source,
                            const std::vector<std::pair<Position, Position>>& runs,
                            const std::vector<NodeId>& from) {
  SessionViews& views = *context_.views;
  node.step = views.step();
  Json detail = {{"source", node.source}, {"how", node.how}, {"text", node.text}};
  const auto [id, gone] = graph_.add(std::move(node), from);
  detail["node"] = id;
  if (gone > 0) {
    detail["evicted"] = gone;
    forget(gone);
  }
  if (!cells_.contains(id)) {
    const SequenceNumber own = views.open();
    for (const auto& [begin, end] : runs) views.join(source, own, begin, end);
    cells_[id] = {own, runs.front().first, runs.back().second, true};
  }
  context_.decide("memory_write", std::move(detail));
  return id;
}

void SessionMemory::forget(NodeId node) {
  const auto found = cells_.find(node);
  if (found != cells_.end()) {
    context_.views->close(found->second.sequence);
    cells_.erase(found);
  }
  for (Reader& reader : readers_) reader.attached.erase(node);
  std::erase(loading_, node);
}

// A marker is answered in any case: what is still in view is only kept there for longer.
void SessionMemory::recall(Stream& stream, Reader& reader, const std::string& by,
                           const std::string& query) {
  const bool asked = by == "marker";
  std::vector<NodeId> passed_over;
  for (const MemoryNode& node : graph_.nodes()) {
    const bool seen = reader.attached.contains(node.id) || merged_.contains(node.id);
    if (!cells_.at(node.id).ready || (seen && !asked)) passed_over.push_back(node.id);
  }
  if (passed_over.size() == graph_.nodes().size() && !asked) return;
  const ReadOptions options{wish_.top_k, wish_.read_threshold * (asked ? 0.5 : 1)};
  std::vector<Recall> found =
      graph_.read(context_.heads->memory.read, {query, stream.hidden}, options, passed_over);
  const bool spent = reader.recalls >= wish_.max_recalls;
  Json detail = {{"step", context_.views->step()},
                 {"stream", stream.id},
                 {"by", by},
                 {"query", query},
                 {"threshold", options.threshold},
                 {"nodes", recalled_nodes(found, graph_)},
                 {"carried_out", !spent && !found.empty()}};
  context_.decide("memory_recall", detail);
  if (spent || (found.empty() && !asked)) return;
  ++reader.recalls;
  give_way(stream, reader, found);
  for (const Recall& each : found) {
    const Cells& cells = cells_.at(each.node);
    context_.views->join(cells.sequence, stream.sequence, cells.begin, cells.end);
    graph_.used(each.node, context_.views->step());
  }
  const Position here = context_.views->end_position(stream.sequence);
  for (const Recall& each : found) reader.attached[each.node] = here;
  interject(context_, stream, found.empty() ? nothing_recalled_cue() : recall_cue());
  if (!found.empty()) recalls_.push_back(std::move(detail));
}

// What was recalled before gives way: of two answers in view a small model takes either. Only where
// it shares no positions with the stream's own cells, because a view loses cells by position.
void SessionMemory::give_way(const Stream& stream, Reader& reader,
                             const std::vector<Recall>& found) {
  if (found.empty()) return;
  const auto stays = [&](NodeId id) {
    const Cells& cells = cells_.at(id);
    return cells.begin < reader.first_end || cells.end > reader.window_begin ||
           std::any_of(found.begin(), found.end(), [&](const Recall& r) { return r.node == id; });
  };
  std::erase_if(reader.attached, [&](const auto& attached) {
    if (stays(attached.first)) return false;
    const Cells& cells = cells_.at(attached.first);
    context_.views->drop(stream.sequence, cells.begin, cells.end);
    return true;
  });
  for (const auto& [id, since] : reader.attached)
    if (const Cells& cells = cells_.at(id); cells.begin < reader.window_begin)
      context_.views->join(cells.sequence, stream.sequence, cells.begin, cells.end);
}

// In blocks of an eighth of the window, so that few edits are needed. Nodes whose place is still in
// the window come back whole; so do those that share positions with what always stays, because a
// view loses cells by position.
void SessionMemory::evict(const Stream& stream, Reader& reader) {
  SessionViews& views = *context_.views;
  const Position end = views.end_position(stream.sequence);
  if (end - reader.window_begin < wish_.window_tokens) return;  // the next token is one of them
  const Position cut = end - wish_.window_tokens + wish_.window_tokens / 8;
  views.drop(stream.sequence, reader.first_end, cut);
  reader.window_begin = cut;
  std::erase_if(reader.attached, [&](const auto& attached) {
    return attached.second < cut && cells_.at(attached.first).begin >= reader.first_end;
  });
  Json kept = Json::array();
  for (const auto& [id, since] : reader.attached) {
    const Cells& cells = cells_.at(id);
    kept.push_back(id);
    if (cells.begin < cut) views.join(cells.sequence, stream.sequence, cells.begin, cells.end);
  }
  context_.decide("memory_window", {{"stream", stream.id},
                                    {"begin", reader.first_end},
                                    {"end", cut},
                                    {"nodes_kept", std::move(kept)}});
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
    if (!recalled && node.how != "marker" && node.how != "conclusion") continue;
    kept.nodes.push_back(node);
    ids.insert(node.id);
  }
  for (const MemoryEdge& edge : graph_.edges())
    if (ids.contains(edge.from) && ids.contains(edge.to)) kept.edges.push_back(edge);
  return kept;
}

Json SessionMemory::to_json() const {
  Json nodes = Json::array(), edges = Json::array();
  for (const MemoryNode& node : graph_.nodes())
    nodes.push_back({{"node", node.id},
                     {"text", node.text},
                     {"source", node.source},
                     {"how", node.how},
                     {"step", node.step}});
  for (const MemoryEdge& edge : graph_.edges())
    edges.push_back({{"from", edge.from}, {"to", edge.to}, {"kind", to_string(edge.kind)}});
  return {{"nodes", std::move(nodes)}, {"edges", std::move(edges)}, {"recalls", recalls_}};
}

}  // namespace polyphon
