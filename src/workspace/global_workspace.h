// The global workspace (Baars 1988): registers' notes and streams' conclusions compete, and the
// best one that passes the gate is broadcast to all streams. Keeps the ordered list of a session's
// broadcasts: which candidate won, which lost, and what each stream did next. Decode thread only.
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
  // `context` must outlive this object.
  explicit GlobalWorkspace(const ThinkContext& context) : context_(context) {}

  // `phase` must live until end_phase(). Its streams started from the view of `base`.
  void begin_phase(StreamPhase& phase, SequenceNumber base);
  bool owns(SequenceNumber sequence) const;
  void on_token(SequenceNumber sequence, const SampledToken& token);
  void after_step();
  // Closes all views of registers and probes. Call before the streams' views are closed.
  void end_phase();

  const std::vector<Broadcast>& broadcasts() const { return broadcasts_; }
  // The candidates whose broadcast was carried out since the last call.
  std::vector<Candidate> take_promoted() { return std::exchange(promoted_, {}); }
  // Sums over all phases, by name.
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
  std::map<NoteSource, Candidate> waiting_;  // latest candidate of each source
  std::set<int> concluded_;       // streams that have ended and were asked for a conclusion
  int waiting_since_ticks_ = -1;  // -1: no candidate waits
  int next_broadcast_ticks_ = 0;
  struct Running {
    size_t broadcast;  // index in broadcasts_
    Promotion promotion;
    bool done = false;
  };
  std::vector<Running> running_;  // promotions of the current phase
  std::vector<Tokens> said_;      // texts that were broadcast
  std::vector<Candidate> promoted_;
  std::vector<Broadcast> broadcasts_;
  std::vector<RegisterCost> costs_;  // sums of earlier phases
};

}  // namespace polyphon
