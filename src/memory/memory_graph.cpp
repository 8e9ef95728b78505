#include "memory/memory_graph.h"

#include <algorithm>

namespace polyphon {
namespace {

constexpr double kSameSubject = 0.6;  // shared words / words of the smaller subject
constexpr size_t kFewestSharedWords = 2;

bool is_number(const std::string& term) { return term[0] >= '0' && term[0] <= '9'; }

bool is_negation(const std::string& term) {
  static const Terms kNegations = {"not", "no", "never", "cannot", "isn", "wrong", "false"};
  return kNegations.contains(term);
}

// A statement, split into the words of its subject, its numbers, and whether it is negated.
struct Statement {
  Terms subject, numbers;
  bool negated = false;
};

Statement statement_of(const std::string& text) {
  Statement statement;
  for (const std::string& term : terms_of(text)) {
    if (is_negation(term))
      statement.negated = true;
    else
      (is_number(term) ? statement.numbers : statement.subject).insert(term);
  }
  return statement;
}

size_t shared_terms(const Terms& a, const Terms& b) {
  return static_cast<size_t>(
      std::count_if(a.begin(), a.end(), [&](const std::string& term) { return b.contains(term); }));
}

bool holds(const std::vector<NodeId>& ids, NodeId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

std::optional<EdgeKind> relation(const std::string& statement, const std::string& other) {
  const Statement a = statement_of(statement), b = statement_of(other);
  const size_t shared = shared_terms(a.subject, b.subject);
  const size_t smaller = std::min(a.subject.size(), b.subject.size());
  if (shared < kFewestSharedWords ||
      static_cast<double>(shared) < kSameSubject * static_cast<double>(smaller))
    return std::nullopt;
  // Agreement and contradiction are judged only if the subject is the same word for word.
  const bool same = shared == a.subject.size() && shared == b.subject.size();
  if (!same) return EdgeKind::kSameSubject;
  return a.numbers == b.numbers && a.negated == b.negated ? EdgeKind::kSupports
                                                          : EdgeKind::kContradicts;
}

std::pair<NodeId, NodeId> MemoryGraph::add(MemoryNode node, const std::vector<NodeId>& from) {
  const auto same = std::find_if(nodes_.begin(), nodes_.end(),
                                 [&](const MemoryNode& n) { return n.text == node.text; });
  if (same != nodes_.end()) {
    same->step = std::max(same->step, node.step);
    return {same->id, 0};
  }
  NodeId gone = 0;
  if (full()) {
    gone = std::min_element(nodes_.begin(), nodes_.end(), [](const auto& a, const auto& b) {
             return std::pair(a.step, a.id) < std::pair(b.step, b.id);
           })->id;
    remove(gone);
  }
  node.id = ++last_id_;
  terms_[node.id] = terms_of(node.text);
  for (const MemoryNode& other : nodes_)
    if (const auto kind = relation(node.text, other.text)) connect(node.id, other.id, *kind);
  for (NodeId source : from)
    if (find(source)) connect(node.id, source, EdgeKind::kDerivedFrom);
  nodes_.push_back(std::move(node));
  return {last_id_, gone};
}

void MemoryGraph::connect(NodeId from, NodeId to, EdgeKind kind) {
  edges_.push_back({from, to, kind});
}

void MemoryGraph::remove(NodeId node) {
  terms_.erase(node);
  std::erase_if(nodes_, [&](const MemoryNode& n) { return n.id == node; });
  std::erase_if(edges_, [&](const MemoryEdge& e) { return e.from == node || e.to == node; });
}

void MemoryGraph::used(NodeId node, Step step) {
  for (MemoryNode& each : nodes_)
    if (each.id == node) each.step = std::max(each.step, step);
}

void MemoryGraph::give_cells(NodeId node, CellsPtr cells) {
  for (MemoryNode& each : nodes_)
    if (each.id == node) each.cells = std::move(cells);
}

const MemoryNode* MemoryGraph::find(NodeId node) const {
  const auto found = std::lower_bound(nodes_.begin(), nodes_.end(), node,
                                      [](const MemoryNode& n, NodeId id) { return n.id < id; });
  return found != nodes_.end() && found->id == node ? &*found : nullptr;
}

TermStatistics MemoryGraph::statistics() const {
  TermStatistics statistics;
  for (const auto& [node, terms] : terms_) statistics.add(terms);
  return statistics;
}

double MemoryGraph::familiarity(const std::string& text) const {
  const TermStatistics words = statistics();
  const Terms terms = terms_of(text);
  double most = 0;
  for (const auto& [node, its] : terms_) most = std::max(most, words.similarity(terms, its));
  return most;
}

// Repeats until nothing changes. Each round carries scores one edge further; scores only shrink on
// the way, so this ends.
void MemoryGraph::spread(std::vector<Recall>& scored, const ReadOptions& options) const {
  const auto at = [&](NodeId node) -> Recall& {
    return *std::lower_bound(scored.begin(), scored.end(), node,
                             [](const Recall& r, NodeId id) { return r.node < id; });
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (const MemoryEdge& edge : edges_) {
      if (edge.kind == EdgeKind::kContradicts) continue;
      const double damping =
          edge.kind == EdgeKind::kSameSubject ? options.subject_damping : options.damping;
      Recall &a = at(edge.from), &b = at(edge.to);
      for (auto [to, from] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
        if (damping * from->score <= to->score) continue;
        to->score = damping * from->score;
        changed = true;
      }
    }
  }
}

std::vector<Recall> MemoryGraph::read(const ReadHead& head, const MemoryQuery& query,
                                      const ReadOptions& options,
                                      const std::vector<NodeId>& passed_over) const {
  const TermStatistics words = statistics();
  const Terms terms = terms_of(query.text);
  const ReadScorer look(head, query.hidden);
  std::vector<Recall> scored;
  for (const MemoryNode& node : nodes_) {
    const double direct = look.score(words.similarity(terms, terms_.at(node.id)), node.key);
    scored.push_back({node.id, direct, direct, 0});
  }
  spread(scored, options);

  std::vector<Recall> chosen = scored;
  std::erase_if(chosen, [&](const Recall& r) {
    return r.score <= options.threshold || holds(passed_over, r.node);
  });
  std::stable_sort(chosen.begin(), chosen.end(),
                   [](const Recall& a, const Recall& b) { return a.score > b.score; });
  if (!chosen.empty()) {
    const double least = options.near_best * chosen.front().score;
    std::erase_if(chosen, [&](const Recall& r) { return r.score < least; });
  }
  if (chosen.size() > static_cast<size_t>(options.top_k))
    chosen.resize(static_cast<size_t>(options.top_k));
  const auto is_chosen = [&](NodeId node) {
    return std::any_of(chosen.begin(), chosen.end(),
                       [&](const Recall& r) { return r.node == node; });
  };
  for (size_t i = 0, best = chosen.size(); i < best; ++i) {
    for (const MemoryEdge& edge : edges_) {
      if (edge.kind != EdgeKind::kContradicts) continue;
      const NodeId node = chosen[i].node;
      if (edge.from != node && edge.to != node) continue;
      const NodeId other = edge.from == node ? edge.to : edge.from;
      if (is_chosen(other) || holds(passed_over, other)) continue;
      const auto direct = std::find_if(scored.begin(), scored.end(),
                                       [&](const Recall& r) { return r.node == other; });
      chosen.push_back({other, chosen[i].score, direct->direct, node});
    }
  }
  return chosen;
}

}  // namespace polyphon
