#include "memory/node_cells.h"

#include <algorithm>
#include <future>

#include "base/check.h"

namespace polyphon {
namespace {

class CellsSession final : public Session {
 public:
  CellsSession(const Vocabulary& vocabulary, const std::vector<Tokens>& nodes)
      : vocabulary_(vocabulary), nodes_(nodes), cells_(nodes.size()) {}

  std::future<std::vector<CellsPtr>> result() { return result_.get_future(); }

  SessionNeeds needs() const override {
    return {NodeWriter::cells_needed(vocabulary_), NodeWriter::kAtOnce};
  }
  const Tokens& prompt() const override { return no_prompt_; }

  void start(SessionViews& views) override {
    writer_.emplace(views, vocabulary_);
    for (size_t i = 0; i < nodes_.size(); ++i) writer_->want(static_cast<int64_t>(i), nodes_[i]);
  }
  void on_token(SequenceNumber, const SampledToken&) override {}
  void after_step() override {
    for (NodeWriter::Written& written : writer_->after_step())
      cells_[static_cast<size_t>(written.node)] = std::move(written.cells);
    if (writer_->idle()) result_.set_value(std::move(cells_));
  }
  bool finished() const override { return writer_ && writer_->idle(); }
  void fail(const Error& error) override { result_.set_exception(std::make_exception_ptr(error)); }

 private:
  const Vocabulary& vocabulary_;
  const std::vector<Tokens> nodes_;
  std::vector<CellsPtr> cells_;
  const Tokens no_prompt_;
  std::optional<NodeWriter> writer_;
  std::promise<std::vector<CellsPtr>> result_;
};

}  // namespace

Tokens node_tokens(const std::string& text, const Vocabulary& vocabulary) {
  return vocabulary.tokenize("\n(I remember: " + text + ")\n", false, false);
}

int NodeWriter::cells_needed(const Vocabulary& vocabulary) {
  return kAtOnce * static_cast<int>(vocabulary.anchor().size() + kMostNodeTokens);
}

NodeWriter::NodeWriter(SessionViews& views, const Vocabulary& vocabulary)
    : views_(views), anchor_(vocabulary.anchor()) {}

void NodeWriter::want(int64_t node, Tokens tokens) {
  POLYPHON_CHECK(!tokens.empty() && tokens.size() <= kMostNodeTokens);
  waiting_.push_back({node, std::move(tokens)});
  open_waiting();
}

void NodeWriter::open_waiting() {
  while (!waiting_.empty() && open_.size() < kAtOnce) {
    Wish& wish = open_.emplace_back(std::move(waiting_.front()));
    waiting_.pop_front();
    wish.sequence = views_.open();
    Tokens tokens = anchor_;
    tokens.insert(tokens.end(), wish.tokens.begin(), wish.tokens.end());
    rows_ += static_cast<int>(tokens.size());
    views_.feed(wish.sequence, tokens, SpanOwner::of_node(SpanKind::kNode, wish.node));
  }
}

void NodeWriter::forget(int64_t node) {
  std::erase_if(waiting_, [&](const Wish& wish) { return wish.node == node; });
  std::erase_if(open_, [&](const Wish& wish) {
    if (wish.node == node) views_.close(wish.sequence);
    return wish.node == node;
  });
}

std::vector<NodeWriter::Written> NodeWriter::after_step() {
  std::vector<Written> written;
  std::erase_if(open_, [&](const Wish& wish) {
    if (!views_.idle(wish.sequence)) return false;
    views_.drop(wish.sequence, 0, static_cast<Position>(anchor_.size()));
    written.push_back({wish.node, std::make_shared<const SavedCells>(views_.save(wish.sequence))});
    views_.close(wish.sequence);
    return true;
  });
  open_waiting();
  return written;
}

std::vector<CellsPtr> compute_cells(Engine& engine, const Vocabulary& vocabulary,
                                    const std::vector<Tokens>& nodes, const SessionTerms& terms) {
  if (nodes.empty()) return {};
  auto session = std::make_unique<CellsSession>(vocabulary, nodes);
  auto result = session->result();
  engine.submit(std::move(session), terms);
  return result.get();
}

}  // namespace polyphon
