// The library's front door: a loaded model, its engine and the options, behind calls that a server,
// the CLI and tests share. Thread-safe.
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/version.h"
#include "engine/engine.h"
#include "heads/heads.h"
#include "memory/stored_memory.h"
#include "model/language_model.h"
#include "record/trace.h"
#include "sessions/completion_session.h"
#include "sessions/engine_roster.h"
#include "sessions/plan.h"
#include "sessions/session_sinks.h"
#include "sessions/think_session.h"
#include "store/memory_store.h"
#include "streams/events.h"
#include "streams/options.h"

namespace polyphon {

// A problem as a user states it: chat messages and wishes; Reasoner renders and tokenizes.
struct ThinkInput : ThinkSettings {
  ChatInput chat;
  SamplingParams sampling;
  SamplingParams answer_sampling;
  std::vector<std::string> stop;
  std::vector<Tokens> scripts;  // of the streams in turn, for tests and benchmarks
  bool ignore_eos = false;
};

// A running session, as its client holds it. Dropping it cancels the session.
class SessionTicket {
 public:
  SessionTicket(std::shared_ptr<Engine> engine, std::shared_ptr<EventChannel> events,
                std::shared_ptr<std::atomic<bool>> cancelled)
      : engine_(std::move(engine)), events_(std::move(events)), cancelled_(std::move(cancelled)) {}
  ~SessionTicket() { cancel(); }
  SessionTicket(SessionTicket&&) = default;
  SessionTicket& operator=(SessionTicket&&) = default;

  // The next event, or nothing yet. Throws Error{kInternal} when the session ended without a word.
  std::optional<SessionEvent> next(std::chrono::milliseconds timeout);
  void cancel() {
    if (cancelled_) cancelled_->store(true);
  }

 private:
  std::shared_ptr<Engine> engine_;  // lives as long as what runs on it
  std::shared_ptr<EventChannel> events_;
  std::shared_ptr<std::atomic<bool>> cancelled_;
};

class Reasoner {
 public:
  // The first three go into traces and answers.
  struct Identity {
    std::string version;
    std::string model_digest;
    std::string config_hash;
    TrainedDigests trained = {};
  };
  Reasoner(std::unique_ptr<LanguageModel> model, std::unique_ptr<Engine> engine,
           const ReasonOptions& options, const Identity& identity);
  ~Reasoner();

  // Where tenants' memory is kept; without one it ends with each session. Before any request.
  void use_memory_store(std::unique_ptr<MemoryStore> store);
  // May be null. What finished sessions leave is in it, unless storing it takes very long.
  MemoryStore* memory_store();
  // Those who are told of every session that finishes.
  SessionSinks& sinks() { return sinks_; }

  const LanguageModel& model() const { return *model_; }
  const ReasonOptions& options() const { return options_; }

  // These are what new sessions get.
  Identity identity() const;  // with the version of the heads
  std::string version() const { return served()->version; }
  std::shared_ptr<Engine> engine() const { return served()->engine; }
  std::shared_ptr<const Heads> heads() const { return served()->heads; }
  // Of all engines there are and were: sessions that began before a swap run on earlier ones.
  std::vector<VersionStatus> engine_status() const { return engines_.status(); }

  // Sessions that are submitted from now on use these; running ones finish with theirs. `digest`:
  // of the heads' file.
  void swap_heads(Heads heads, const std::string& digest = "");
  // The same for another version of the model: an engine over the same weights with its adapter.
  // The engine before goes when its last session has ended.
  void swap_version(const std::string& version, const TrainedDigests& trained,
                    std::unique_ptr<Engine> engine, Heads heads);

  // The tokens of a prompt, the beginning of text included. Throws Error{kInvalidArgument, `field`}
  // for a text that is too long for the context whatever its tokens are, before they are computed.
  Tokens tokenize_prompt(std::string_view text, bool parse_special, const std::string& field) const;

  // All throw Error as their parts do. None blocks on decoding, but for think() and replay() when
  // they bring memory along whose cells are not kept.
  SessionTicket think(const ThinkInput& input, SessionTerms terms);
  SessionTicket complete(CompletionRequest request, SessionTerms terms);
  SessionTicket embed(Tokens prompt, SessionTerms terms);
  // Why think() would refuse the input as it is, with the figures; empty when it would not.
  std::string misfit(const ThinkInput& input) const;
  // Runs the request recorded in the trace again, with its seeds. With `without_promotion` >= 0
  // that broadcast, counted from 0, is decided but not carried out: other things equal, what if
  // not?
  SessionTicket replay(const Trace& trace, SessionTerms terms, int without_promotion = -1);

 private:
  // What a session is decoded with, replaced as a whole.
  struct Served {
    std::string version;
    TrainedDigests trained;
    std::shared_ptr<Engine> engine;
    std::shared_ptr<const Heads> heads;
  };
  std::shared_ptr<const Served> served() const;
  // Where a session of these terms says what it does.
  std::shared_ptr<EventChannel> events_of(const Served& served, const SessionTerms& terms,
                                          bool keeps_memory = false);
  static SessionTicket submit(const Served& served, std::unique_ptr<Session> session,
                              std::shared_ptr<EventChannel> events, SessionTerms terms);
  void swap(const std::function<void(Served&)>& change);
  int positions(const Engine& engine) const;  // that one sequence may have

  ThinkRequest request_of(const ThinkInput& input) const;
  // `keep`: what the session leaves goes to the tenant's store.
  SessionTicket submit_thought(const Served& served, const ThinkRequest& request,
                               SessionTerms terms, bool keep);
  PlanLimits limits(const Engine& engine) const;
  ComputedBy computed_by(const Served& served) const;
  void load_memory(const Served& served, MemoryRequest& memory, const SessionTerms& terms);
  // Computes the cells that are missing. The nodes that got some.
  std::vector<const LoadedNode*> complete_cells(Engine& engine, MemoryRequest& memory,
                                                const SessionTerms& terms) const;

  std::unique_ptr<LanguageModel> model_;
  ReasonOptions options_;
  const Identity identity_;  // as it was at first
  std::unique_ptr<MemoryStore> store_;
  SessionSinks sinks_;  // they use the store; sessions, which end before, use them
  EngineRoster engines_;
  mutable std::mutex served_mutex_;
  std::shared_ptr<const Served> served_;  // served_mutex_
};

// Drains the ticket's events until the end. Throws the error of Failed. `on_event` may be empty.
Finished wait_finished(SessionTicket& ticket,
                       const std::function<void(const SessionEvent&)>& on_event = {});

// Compares two traces span by span: the tokens that were decoded in steps before `until`.
struct TraceComparison {
  int tokens = 0;  // compared
  int matching = 0;
  std::string first_difference;  // empty when all match
};
TraceComparison compare_traces(const Trace& recorded, const Trace& replayed,
                               Step until = std::numeric_limits<Step>::max());

}  // namespace polyphon
