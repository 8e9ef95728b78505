// The global workspace (Baars 1988; the mission's seeds): registers' notes and streams' conclusions
// compete, and the best one that passes the gate is broadcast to all streams. Holds the ordered
// list of broadcasts of a session: what won, what it beat, and what each stream did next. Decode
// thread only.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "heads/gate.h"
#include "streams/stream_phase.h"
#include "workspace/promotion.h"
#include "workspace/register_bank.h"

namespace polyphon {

class GlobalWorkspace {
 public:
  // `context` must outlive this.
  explicit GlobalWorkspace(const ThinkContext& context) : context_(context) {}

  // `phase` must live until end_phase(). `base` is the view its streams started from.
  void begin_phase(StreamPhase& phase, SequenceNumber base);
  bool owns(SequenceNumber sequence) const;
  void on_token(SequenceNumber sequence, const SampledToken& token);
  void after_step();
  // Drops every view. Call before the streams' own are closed.
  void end_phase();

  const std::vector<Broadcast>& broadcasts() const { return broadcasts_; }
  // Broadcast and carried out since the last call.
  std::vector<Candidate> take_promoted() { return std::exchange(promoted_, {}); }
  // By name, over all phases.
  std::vector<RegisterCost> register_costs() const;

 private:
  struct Scored {
    Candidate candidate;
    GateFeatures features;
    double probability = 0;
  };
  void collect_conclusions();
  void keep(Candidate candidate);
  GateFeatures features_of(const Candidate& candidate) const;
  double disagreement() const;
  void compete();
  void broadcast(const Scored& winner, std::vector<GateCandidate> lost);
  int ticks() const;

  const ThinkContext& context_;
  StreamPhase* phase_ = nullptr;
  std::optional<RegisterBank> registers_;
  std::map<NoteSource, Candidate> waiting_;  // the latest of each source
  std::set<int> concluded_;                  // streams whose conclusion has been a candidate
  int waiting_since_ticks_ = -1;             // -1: nobody waits
  int next_broadcast_ticks_ = 0;
  struct Running {
    size_t broadcast;  // index in broadcasts_
    Promotion promotion;
    bool done = false;
  };
  std::vector<Running> running_;  // of the phase
  std::vector<Tokens> said_;      // what was broadcast
  std::vector<Candidate> promoted_;
  std::vector<Broadcast> broadcasts_;
  std::vector<RegisterCost> costs_;  // of the phases before
};

}  // namespace polyphon
