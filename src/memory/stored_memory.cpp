#include "memory/stored_memory.h"

#include <algorithm>
#include <map>
#include <utility>

#include "memory/node_cells.h"
#include "text/term_similarity.h"

namespace polyphon {
namespace {

constexpr size_t kMostLoaded = 16;
constexpr double kLeastSimilarity = 0.1;

}  // namespace

std::string problem_of(const ChatInput& chat) {
  std::string text;
  for (const OrderedJson& message : chat.messages) {
    if (message.value("role", "") != "user") continue;
    const auto content = message.find("content");
    if (content != message.end() && content->is_string()) text = content->get<std::string>();
  }
  return text;
}

std::vector<StoredNode> most_similar(std::vector<StoredNode> nodes, const std::string& text,
                                     size_t most) {
  TermStatistics words;
  std::vector<Terms> terms;
  for (const StoredNode& node : nodes) words.add(terms.emplace_back(terms_of(node.text)));
  const Terms wanted = terms_of(text);
  std::vector<std::pair<double, size_t>> scored;
  for (size_t i = 0; i < nodes.size(); ++i)
    if (const double score = words.similarity(wanted, terms[i]); score >= kLeastSimilarity)
      scored.emplace_back(-score, i);
  std::sort(scored.begin(), scored.end());
  std::vector<StoredNode> best;
  for (size_t i = 0; i < std::min(most, scored.size()); ++i)
    best.push_back(std::move(nodes[scored[i].second]));
  return best;
}

void load_memory(MemoryRequest& request, MemoryStore& store, const std::string& tenant,
                 const ComputedBy& by, const Vocabulary& vocabulary) {
  const size_t most = std::min(kMostLoaded, static_cast<size_t>(request.max_nodes) / 2);
  for (StoredNode& node : most_similar(store.list(tenant), request.problem, most)) {
    Tokens tokens = node_tokens(node.text, vocabulary);
    if (tokens.size() > kMostNodeTokens) continue;
    if (node.model_digest != by.model_digest) node.key.clear();
    CellsPtr cells;
    if (auto stored = store.cells(tenant, node.id, by.cells); stored && stored->tokens == tokens)
      cells = std::make_shared<const SavedCells>(
          SavedCells{tokens, stored->begin, std::move(stored->bytes)});
    request.loaded.push_back(
        {node.id, std::move(node.text), std::move(tokens), std::move(node.key), std::move(cells)});
  }
}

void keep_cells(const SavedCells& cells, MemoryStore& store, const std::string& tenant,
                int64_t node, const ComputedBy& by) {
  store.keep_cells(tenant, node, {by.cells, cells.tokens, cells.begin, cells.bytes});
}

void keep_memory(const KeptMemory& kept, MemoryStore& store, const std::string& tenant,
                 const std::string& session, const ComputedBy& by) {
  std::map<NodeId, int64_t> stored;
  std::vector<int64_t> recalled;
  for (const MemoryNode& node : kept.nodes) {
    if (node.stored_id > 0) {
      stored[node.id] = node.stored_id;
      recalled.push_back(node.stored_id);
      continue;
    }
    StoredNode fresh;
    fresh.session = session;
    fresh.text = node.text;
    fresh.how = name_of(node.how);
    fresh.key = node.key;
    fresh.model_digest = by.model_digest;
    const int64_t id = stored[node.id] = store.add(tenant, fresh);
    if (node.cells) keep_cells(*node.cells, store, tenant, id, by);
  }
  if (!recalled.empty()) store.used(tenant, recalled);
  for (const MemoryEdge& edge : kept.edges)
    store.connect(tenant, {stored.at(edge.from), stored.at(edge.to), name_of(edge.kind)});
}

}  // namespace polyphon
