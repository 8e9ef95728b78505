// A session's memory at work: writes nodes when a stream marks something, says something the write
// head keeps, or concludes, and when a note is promoted; brings nodes back when a stream asks or
// the read head finds one; and takes out of a stream's view what lies before its window. All of it
// by edits of views: a node's own cells are pinned under a sequence of their own and join the
// reader's view. Decode thread only.
//
// A node stays in a stream's view as long as the place where it was written or recalled is in the
// window, and until something else is recalled; without a window, for good.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "reason/candidate.h"
#include "reason/memory_graph.h"
#include "reason/memory_heads.h"
#include "reason/plan.h"
#include "reason/stream.h"
#include "reason/stream_listener.h"
#include "reason/think_context.h"

namespace polyphon {

// Read by a stream to which something came back, or nothing did.
std::string recall_cue();
std::string nothing_recalled_cue();

// What memory adds to one phase with `streams` streams; what it adds once is in every phase.
PlanNeeds memory_needs(const MemoryRequest& request, int streams, const Vocabulary& vocabulary);

class SessionMemory {
 public:
  // `context` must outlive this.
  explicit SessionMemory(const ThinkContext& context)
      : context_(context), wish_(context.request.memory), graph_(wish_.max_nodes) {}

  // `streams` must live until end_phase(). They have just been started at the end of `base`'s view,
  // at `base_end`.
  void begin_phase(std::vector<Stream>& streams, SequenceNumber base, Position base_end);
  // A note that has just joined every stream's view.
  void promoted(const Candidate& note);
  // Last of all that a session does after a step: no view may be joined after it.
  void after_step();
  // Before the streams' views are closed.
  void end_phase();

  // Nothing unless the request wants it kept.
  KeptMemory kept() const;
  // The answer's polyphon.memory: {"nodes", "edges", "recalls"}.
  Json to_json() const;
  const MemoryGraph& graph() const { return graph_; }

 private:
  // Whose view holds a node, and where.
  struct Cells {
    SequenceNumber sequence = -1;
    Position begin = 0, end = 0;
    bool ready = false;  // decoded
  };
  struct Writing {
    TokenRange tokens;
    std::string text;
    std::string how;
    std::vector<float> key;
  };
  struct Reader {
    StreamListener listener;
    std::vector<Writing> writing;         // until the last token is decoded
    double logprob_sum = 0;               // of the stream, at the last token heard
    std::map<NodeId, Position> attached;  // in the view, since where
    Position first_end = 0;               // own cells before it always stay
    Position window_begin = 0;            // own cells between the two are gone
    size_t next_read_tokens = 0;
    int recalls = 0;
    bool starting = false;  // what was loaded is there, and not offered yet
    bool concluded = false;
  };
  void load(SequenceNumber base, Position base_end);
  void finish_loading();
  void hear(Stream& stream, Reader& reader);
  void obey(Stream& stream, Reader& reader, Marker marker);
  void consider(const Stream& stream, Reader& reader, const HeardSentence& sentence);
  void write_pending(const Stream& stream, Reader& reader);
  void write_own(const Stream& stream, Reader& reader, const Writing& writing);
  void write_conclusion(const Stream& stream, Reader& reader);
  // Keeps the cells at `runs` of `source`'s view as a node. Its id.
  NodeId write(MemoryNode node, SequenceNumber source,
               const std::vector<std::pair<Position, Position>>& runs,
               const std::vector<NodeId>& from);
  void forget(NodeId node);
  void recall(Stream& stream, Reader& reader, const std::string& by, const std::string& query);
  void give_way(const Stream& stream, Reader& reader, const std::vector<Recall>& found);
  void evict(const Stream& stream, Reader& reader);

  const ThinkContext& context_;
  const MemoryRequest& wish_;
  MemoryGraph graph_;
  std::map<NodeId, Cells> cells_;
  std::vector<NodeId> loading_;
  bool loaded_ = false;
  std::vector<Stream>* streams_ = nullptr;
  std::vector<Reader> readers_;  // [streams]
  std::set<NodeId> merged_;      // in the view that this phase started from
  Json recalls_ = Json::array();
};

}  // namespace polyphon
