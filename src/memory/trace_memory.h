// Recovers from a trace's decisions what a session's memory was asked: each sentence that the write
// head scored, and each recall with the nodes that could have been chosen. Used to train the memory
// heads. Pure.
#pragma once

#include <string>
#include <vector>

#include "memory/memory_graph.h"
#include "record/trace.h"

namespace polyphon {

// A moment of a stream. Its hidden state is the one from which the stream sampled the token of step
// `step`; the last token's if the stream had ended.
struct TraceMoment {
  int stream = 0;
  Step step = 0;
};

struct TraceSentence {
  TraceMoment at;
  std::string text;
  WriteFeatures features;
};

struct TraceNode {
  TraceMoment at;  // the moment whose state is the node's key
  NodeId id = 0;
  std::string text;
};

struct TraceRead {
  TraceMoment at;
  std::string query;
  std::vector<size_t> nodes;    // indices into TraceMemory::nodes
  std::vector<double> lexical;  // [nodes]: similarity of the node's words to the query's
};

struct TraceMemory {
  std::vector<TraceSentence> sentences;
  // Nodes that streams wrote, including those that were removed later.
  std::vector<TraceNode> nodes;
  std::vector<TraceRead> reads;  // recalls by markers and by the read head
};

// The candidates of a recall are the nodes that other streams had written. Left out are the
// reader's own nodes, which are normally still in its view, and nodes that no stream wrote.
TraceMemory memory_of(const Trace& trace);

}  // namespace polyphon
