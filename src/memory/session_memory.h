// A session's memory at work: writes nodes when a stream marks something, says something the write
// head keeps, or concludes, and when a note is promoted; brings nodes back when a stream asks or
// the read head finds one; and takes out of a stream's view what lies before its window. A recalled
// node's own cells are placed at the reader's end, where it reads them best, with no prefill; from
// there they are the stream's like any other and leave with the window. Decode thread only.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "heads/memory_heads.h"
#include "memory/memory_graph.h"
#include "memory/node_cells.h"
#include "streams/candidate.h"
#include "streams/stream.h"
#include "streams/think_context.h"
#include "text/stream_listener.h"

namespace polyphon {

// Read by a stream to which something came back, or nothing did.
std::string recall_cue();
std::string nothing_recalled_cue();

class SessionMemory {
 public:
  // `context`, whose views are there, must outlive this.
  explicit SessionMemory(const ThinkContext& context);

  // `streams` must live until end_phase(). They have just been started.
  void begin_phase(std::vector<Stream>& streams);
  // A note that has just joined every stream's view.
  void promoted(const Candidate& note);
  // Last of all that a session does after a step: no view may be joined after it.
  void after_step();
  // Before the streams' views are closed.
  void end_phase();

  // Nothing unless the request wants it kept.
  KeptMemory kept() const;
  MemoryReport report() const;
  const MemoryGraph& graph() const { return graph_; }

 private:
  struct Reader {
    StreamListener listener;
    double logprob_sum = 0;               // of the stream, at the last token heard
    std::map<NodeId, Position> attached;  // in the view, since where
    Position first_end = 0;               // own cells before it always stay
    Position window_begin = 0;            // own cells between the two are gone
    size_t next_read_tokens = 0;
    int recall_tokens = 0;  // that recalls have added
    bool starting = false;  // what was loaded is not offered yet
    bool concluded = false;
  };
  void load();
  void hear(Stream& stream, Reader& reader);
  void obey(Stream& stream, Reader& reader, const Marker& marker);
  void consider(const Stream& stream, Reader& reader, const HeardSentence& sentence);
  void write_conclusion(const Stream& stream, Reader& reader);
  void write_said(const Stream& stream, Reader& reader, std::string text, NodeOrigin how);
  // The node's id; 0 when its text is too long.
  NodeId write(MemoryNode node, const std::vector<NodeId>& from);
  void recall(Stream& stream, Reader& reader, RecallCause by, const std::string& query);
  // Keeps what the reader's budget has room for.
  void keep_affordable(const Reader& reader, std::vector<Recall>& found) const;
  void place(Stream& stream, Reader& reader, NodeId node);
  void evict(const Stream& stream, Reader& reader);

  const ThinkContext& context_;
  const MemoryRequest& wish_;
  MemoryGraph graph_;
  NodeWriter writer_;
  const int cue_tokens_;
  bool loaded_ = false;
  std::vector<Stream>* streams_ = nullptr;
  std::vector<Reader> readers_;  // [streams]
  std::set<NodeId> merged_;      // in the view that this phase started from
  std::vector<MemoryRecall> recalls_;
};

}  // namespace polyphon
