// What a recorded session's memory was asked: each sentence that the write head was shown, and each
// look of the read head with the nodes that it could have chosen, made from the trace's decisions
// alone. Pure.
#pragma once

#include <string>
#include <vector>

#include "memory/memory_graph.h"
#include "record/trace.h"

namespace polyphon {

// A moment of a stream: the state that matters is the one which the stream's token that was sampled
// when `step` decodes were done came from; of its last token, once it has ended.
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
  TraceMoment at;  // when its key was taken
  NodeId id = 0;
  std::string text;
};

struct TraceRead {
  TraceMoment at;
  std::string query;
  std::vector<size_t> nodes;    // in TraceMemory::nodes
  std::vector<double> lexical;  // of each: its words' likeness to the query's
};

struct TraceMemory {
  std::vector<TraceSentence> sentences;
  std::vector<TraceNode> nodes;  // that streams wrote, with those that had to go later
  std::vector<TraceRead> reads;  // by markers and by the read head
};

// A look could have chosen the nodes that other streams had written. Left out are those of the
// reader itself, which are in its view unless its window has passed over them, and those that no
// stream wrote.
TraceMemory memory_of(const Trace& trace);

}  // namespace polyphon
