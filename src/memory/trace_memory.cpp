#include "memory/trace_memory.h"

#include <algorithm>

namespace polyphon {
namespace {

class TraceReader {
 public:
  void hear(const TraceDecision& decision) {
    const Json& detail = decision.detail;
    if (decision.kind == "memory_consider") {
      memory_.sentences.push_back({{detail.at("stream").get<int>(), decision.step},
                                   detail.at("text").get<std::string>(),
                                   write_features_from_json(detail.at("features"))});
    } else if (decision.kind == "memory_write" && detail.contains("node")) {
      write(decision.step, detail);
    } else if (decision.kind == "memory_recall") {
      read({detail.at("stream").get<int>(), decision.step}, detail.at("query").get<std::string>());
    }
  }
  TraceMemory take() { return std::move(memory_); }

 private:
  // A text that is there already has got no second node.
  void write(Step step, const Json& detail) {
    const auto id = detail.at("node").get<NodeId>();
    const NodeId gone = detail.value("evicted", NodeId{0});
    std::erase_if(there_, [&](size_t node) { return memory_.nodes[node].id == gone; });
    const auto source = detail.at("source").get<std::string>();
    if (!source.starts_with(kStream)) return;
    if (std::any_of(there_.begin(), there_.end(),
                    [&](size_t node) { return memory_.nodes[node].id == id; }))
      return;
    there_.push_back(memory_.nodes.size());
    memory_.nodes.push_back({{std::stoi(source.substr(kStream.size())), step},
                             id,
                             detail.at("text").get<std::string>()});
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

  static constexpr std::string_view kStream = "stream ";
  TraceMemory memory_;
  std::vector<size_t> there_;  // of memory_.nodes
};

}  // namespace

TraceMemory memory_of(const Trace& trace) {
  TraceReader reader;
  for (const TraceDecision& decision : trace.decisions) reader.hear(decision);
  return reader.take();
}

}  // namespace polyphon
