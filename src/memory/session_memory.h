// The memory of a running session. It writes a node when a stream uses a marker, when a stream says
// a sentence that the write head keeps, when a stream concludes, and when a note is promoted. It
// recalls nodes when a stream asks or the read head finds one. If the request sets a window, it
// removes older cells from a stream's view. A recalled node's own cells are placed at the end of
// the reader's view, where the reader uses them best, without prefill. From then on they count as
// the stream's cells and leave with the window. Decode thread only.
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

// Cues for a stream after a recall: something was found, or nothing.
std::string recall_cue();
std::string nothing_recalled_cue();

class SessionMemory {
 public:
  // `context` must have its views set and must outlive this object.
  explicit SessionMemory(const ThinkContext& context);

  // Call when the streams have just started. `streams` must live until end_phase().
  void begin_phase(std::vector<Stream>& streams);
  // Call when a note has just joined every stream's view.
  void promoted(const Candidate& note);
  // Call as the last action of the session after a step: no view may be joined after it.
  void after_step();
  // Call before the streams' views are closed.
  void end_phase();

  // What the tenant's store should keep; empty unless the request asks for it.
  KeptMemory kept() const;
  MemoryReport report() const;
  const MemoryGraph& graph() const { return graph_; }

 private:
  struct Reader {
    StreamListener listener;
    double logprob_sum = 0;  // the stream's sum at the last token heard
    // Nodes in the stream's view, and the position since which.
    std::map<NodeId, Position> attached;
    Position first_end = 0;     // cells before this position never leave the view
    Position window_begin = 0;  // cells from first_end to here have left the view
    size_t next_read_tokens = 0;
    int recall_tokens = 0;  // tokens that recalls have added
    bool starting = false;  // loaded nodes have not been offered to the stream yet
    bool concluded = false;
  };
  void load();
  void hear(Stream& stream, Reader& reader);
  void obey(Stream& stream, Reader& reader, const Marker& marker);
  void consider(const Stream& stream, Reader& reader, const HeardSentence& sentence);
  void write_conclusion(const Stream& stream, Reader& reader);
  void write_said(const Stream& stream, Reader& reader, std::string text, NodeOrigin how);
  // Returns the node's id; 0 if its text is too long.
  NodeId write(MemoryNode node, const std::vector<NodeId>& from);
  void recall(Stream& stream, Reader& reader, RecallCause by, const std::string& query);
  // Removes from `found` what does not fit into the reader's recall budget.
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
  std::set<NodeId> merged_;      // nodes in the view that this phase started from
  std::vector<MemoryRecall> recalls_;
};

}  // namespace polyphon
