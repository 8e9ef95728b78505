// The entry point for sessions: holds a loaded model, its engines and options. The server, the
// command line and tests start sessions here. Thread-safe.
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
#include "sessions/think_input.h"
#include "sessions/think_session.h"
#include "store/memory_store.h"
#include "streams/events.h"
#include "streams/options.h"

namespace polyphon {

// A client's handle of a running session. Destroying it cancels the session.
class SessionTicket {
 public:
  SessionTicket(std::shared_ptr<Engine> engine, std::shared_ptr<EventChannel> events,
                std::shared_ptr<std::atomic<bool>> cancelled)
      : engine_(std::move(engine)), events_(std::move(events)), cancelled_(std::move(cancelled)) {}
  ~SessionTicket() { cancel(); }
  SessionTicket(SessionTicket&&) = default;
  SessionTicket& operator=(SessionTicket&&) = default;

  // Waits up to `timeout` for the next event; none if there is none yet. Throws Error{kInternal} if
  // the session ended without a last event.
  std::optional<SessionEvent> next(std::chrono::milliseconds timeout);
  void cancel() {
    if (cancelled_) cancelled_->store(true);
  }

 private:
  std::shared_ptr<Engine> engine_;  // keeps the engine alive while the session runs
  std::shared_ptr<EventChannel> events_;
  std::shared_ptr<std::atomic<bool>> cancelled_;
};

class Reasoner {
 public:
  // The first three members are written into traces and answers.
  struct Identity {
    std::string version;
    std::string model_digest;
    std::string config_hash;
    TrainedDigests trained = {};
  };
  Reasoner(std::unique_ptr<LanguageModel> model, std::unique_ptr<Engine> engine,
           const ReasonOptions& options, const Identity& identity);
  ~Reasoner();

  // Sets the store of the tenants' memory. Without one, memory ends with each session. Call before
  // any request.
  void use_memory_store(std::unique_ptr<MemoryStore> store);
  // The store, or null. Waits a few seconds until the memory of finished sessions is stored.
  MemoryStore* memory_store();
  // The sinks that get every finished session.
  SessionSinks& sinks() { return sinks_; }

  const LanguageModel& model() const { return *model_; }
  const ReasonOptions& options() const { return options_; }

  // What new sessions get:
  Identity identity() const;  // including the version of the heads
  std::string version() const { return served()->version; }
  std::shared_ptr<Engine> engine() const { return served()->engine; }
  std::shared_ptr<const Heads> heads() const { return served()->heads; }
  // All engines, past and present: sessions that began before a swap still run on earlier ones.
  std::vector<VersionStatus> engine_status() const { return engines_.status(); }

  // New sessions use these heads; running sessions keep theirs. `digest`: digest of the heads'
  // file.
  void swap_heads(Heads heads, const std::string& digest = "");
  // Switches new sessions to another version of the model: an engine with another adapter over the
  // same weights. The old engine is destroyed when its last session has ended.
  void swap_version(const std::string& version, const TrainedDigests& trained,
                    std::unique_ptr<Engine> engine, Heads heads);

  // Tokenizes a prompt, with the token for the beginning of text. Throws Error{kInvalidArgument,
  // `field`} before tokenizing if the text is so long that it cannot fit the context.
  Tokens tokenize_prompt(std::string_view text, bool parse_special, const std::string& field) const;

  // Start a session. They throw Error if the request is invalid or cannot fit. They do not wait for
  // decoding, except think() and replay() if loaded memory has no kept cells.
  SessionTicket think(const ThinkInput& input, SessionTerms terms);
  SessionTicket complete(CompletionRequest request, SessionTerms terms);
  SessionTicket embed(Tokens prompt, SessionTerms terms);
  // Why think() would refuse the input because it does not fit, with figures; empty if it fits.
  std::string misfit(const ThinkInput& input) const;
  // Runs the request of a trace again, with its seeds. If `without_promotion` >= 0, the promotion
  // with this number is decided but not carried out, to find out what it changed.
  SessionTicket replay(const Trace& trace, SessionTerms terms, int without_promotion = -1);

 private:
  // What a session runs with; replaced as a whole by a swap.
  struct Served {
    std::string version;
    TrainedDigests trained;
    std::shared_ptr<Engine> engine;
    std::shared_ptr<const Heads> heads;
  };
  std::shared_ptr<const Served> served() const;
  // The channel for a session's events.
  std::shared_ptr<EventChannel> events_of(const Served& served, const SessionTerms& terms,
                                          bool keeps_memory = false);
  static SessionTicket submit(const Served& served, std::unique_ptr<Session> session,
                              std::shared_ptr<EventChannel> events, SessionTerms terms);
  void swap(const std::function<void(Served&)>& change);
  int positions(const Engine& engine) const;  // the most positions of one sequence

  ThinkRequest request_of(const ThinkInput& input) const;
  // `keep`: whether the session's memory goes to the tenant's store.
  SessionTicket submit_thought(const Served& served, const ThinkRequest& request,
                               SessionTerms terms, bool keep);
  PlanLimits limits(const Engine& engine) const;
  ComputedBy computed_by(const Served& served) const;
  void load_memory(const Served& served, MemoryRequest& memory, const SessionTerms& terms);
  // Computes missing cells and returns the nodes that got them.
  std::vector<const LoadedNode*> complete_cells(Engine& engine, MemoryRequest& memory,
                                                const SessionTerms& terms) const;

  std::unique_ptr<LanguageModel> model_;
  ReasonOptions options_;
  const Identity identity_;  // as given to the constructor
  std::unique_ptr<MemoryStore> store_;
  // Destroyed before the store, which they use, and after the sessions, which use them.
  SessionSinks sinks_;
  EngineRoster engines_;
  mutable std::mutex served_mutex_;
  std::shared_ptr<const Served> served_;  // served_mutex_
};

// Reads the ticket's events until the session ends. Throws the error of a Failed event, and
// Error{kCancelled} soon after `gives_up` returns true. Both functions may be empty.
Finished wait_finished(SessionTicket& ticket,
                       const std::function<void(const SessionEvent&)>& on_event = {},
                       const std::function<bool()>& gives_up = {});

// Compares the tokens of two traces span by span, as far as they were decoded before step `until`.
struct TraceComparison {
  int tokens = 0;  // number of tokens compared
  int matching = 0;
  std::string first_difference;  // empty if all match
};
TraceComparison compare_traces(const Trace& recorded, const Trace& replayed,
                               Step until = std::numeric_limits<Step>::max());

}  // namespace polyphon
