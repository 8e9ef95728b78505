#include "memory/trace_memory.h"

#include <algorithm>

namespace polyphon {
namespace {

class TraceReader {
 public:
  void hear(const TraceDecision& decision) {
    if (const auto* considered = std::get_if<MemoryConsideration>(&decision.what))
      memory_.sentences.push_back(
          {{considered->stream, decision.step}, considered->text, considered->features});
    else if (const auto* written = std::get_if<MemoryWrite>(&decision.what))
      write(decision.step, *written);
    else if (const auto* recall = std::get_if<MemoryRecall>(&decision.what))
      read({recall->stream, decision.step}, recall->query);
  }
  TraceMemory take() { return std::move(memory_); }

 private:
  // A text that was there already did not become a second node.
  void write(Step step, const MemoryWrite& written) {
    if (!written.node) return;
    if (written.evicted)
      std::erase_if(there_,
                    [&](size_t node) { return memory_.nodes[node].id == *written.evicted; });
    if (written.source.kind != NoteSource::Kind::kStream) return;
    if (std::any_of(there_.begin(), there_.end(),
                    [&](size_t node) { return memory_.nodes[node].id == *written.node; }))
      return;
    there_.push_back(memory_.nodes.size());
    memory_.nodes.push_back({{written.source.stream, step}, *written.node, written.text});
  }

  void read(const TraceMoment& at, const std::string& query) {
    TermStatistics words;
    for (const size_t node : there_) words.add(terms_of(memory_.nodes[node].text));
    const Terms asked = terms_of(query);
    TraceRead read{at, query, {}, {}};
    for (const size_t node : there_) {
      if (memory_.nodes[node].at.stream == at.stream) continue;
      read.nodes.push_back(node);
      read.lexical.push_back(words.similarity(asked, terms_of(memory_.nodes[node].text)));
    }
    memory_.reads.push_back(std::move(read));
  }

  TraceMemory memory_;
  std::vector<size_t> there_;  // indices into memory_.nodes
};

}  // namespace

TraceMemory memory_of(const Trace& trace) {
  TraceReader reader;
  for (const TraceDecision& decision : trace.decisions) reader.hear(decision);
  return reader.take();
}

}  // namespace polyphon
