#include "sessions/reasoner.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <random>
#include <utility>

#include "memory/node_cells.h"
#include "memory/stored_memory.h"
#include "sessions/plan.h"
#include "streams/synthesis.h"

namespace polyphon {
namespace {

// A request that needs memory waits this long for earlier sessions' memory to be stored.
constexpr std::chrono::seconds kToStore{5};

std::string fresh_trace_id() {
  std::random_device device;
  return fmt::format("trace-{:08x}{:08x}", device(), device());
}

std::string version_with(const std::string& model_version, const Heads& heads) {
  return heads.version == Heads{}.version ? model_version : model_version + "+" + heads.version;
}

// Runs a write to the store. A failure is logged and does not fail the answer.
template <typename Body>
void or_log(Body body) {
  try {
    body();
  } catch (const Error& error) {
    spdlog::error("{}", error.what());
  }
}

// Makes searches end where the recorded session's clock ended them, whatever the clock says now.
void replay_clock(SearchRequest& search, const Trace& trace) {
  if (std::exchange(search.replays_clock, true)) return;
  for (const TraceDecision& decision : trace.decisions)
    if (const auto* ending = std::get_if<SearchEnding>(&decision.what);
        ending && ending->why == SearchEnd::kClock)
      search.clock_ends.push_back({ending->stream, ending->search, ending->steps});
}

}  // namespace

std::optional<SessionEvent> SessionTicket::next(std::chrono::milliseconds timeout) {
  auto event = events_->pop(timeout);
  if (!event && events_->finished())
    throw Error(ErrorCode::kInternal, "the session ended without a result");
  return event;
}

Reasoner::Reasoner(std::unique_ptr<LanguageModel> model, std::unique_ptr<Engine> engine,
                   const ReasonOptions& options, const Identity& identity)
    : model_(std::move(model)),
      options_(options),
      identity_(identity),
      served_(std::make_shared<Served>(Served{identity.version, identity.trained,
                                              engines_.add(identity.version, std::move(engine)),
                                              std::make_shared<Heads>()})) {}

// Destroy the engine first: it reads the model's weights.
Reasoner::~Reasoner() { served_.reset(); }

void Reasoner::use_memory_store(std::unique_ptr<MemoryStore> store) {
  store_ = std::move(store);
  sinks_.add([this](const FinishedSession& session) {
    if (!session.keeps_memory) return;
    keep_memory(session.finished.memory, *store_, session.tenant, session.finished.trace->id,
                session.computed_by);
  });
}

MemoryStore* Reasoner::memory_store() {
  if (store_) sinks_.wait(kToStore);
  return store_.get();
}

std::shared_ptr<const Reasoner::Served> Reasoner::served() const {
  const std::lock_guard lock(served_mutex_);
  return served_;
}

void Reasoner::swap(const std::function<void(Served&)>& change) {
  // Destroyed after the lock is released: destroying an engine waits for a step.
  std::shared_ptr<const Served> before;
  const std::lock_guard lock(served_mutex_);
  auto fresh = std::make_shared<Served>(*served_);
  change(*fresh);
  before = std::exchange(served_, std::move(fresh));
}

void Reasoner::swap_heads(Heads heads, const std::string& digest) {
  swap([&](Served& served) {
    served.heads = std::make_shared<const Heads>(std::move(heads));
    served.trained.heads = digest;
  });
}

void Reasoner::swap_version(const std::string& version, const TrainedDigests& trained,
                            std::unique_ptr<Engine> engine, Heads heads) {
  swap([&](Served& served) {
    served = {version, trained, engines_.add(version, std::move(engine)),
              std::make_shared<const Heads>(std::move(heads))};
  });
}

Reasoner::Identity Reasoner::identity() const {
  const auto served = this->served();
  return {version_with(served->version, *served->heads), identity_.model_digest,
          identity_.config_hash, served->trained};
}

std::shared_ptr<EventChannel> Reasoner::events_of(const Served& served, const SessionTerms& terms,
                                                  bool keeps_memory) {
  return std::make_shared<EventChannel>(
      [this, version = served.version,
       session = FinishedSession{terms.tenant, computed_by(served), keeps_memory, {}}](
          Finished& finished) mutable {
        finished.version = version;
        session.finished = finished;
        sinks_.push(std::move(session));
      });
}

// Submits the session; the ticket can cancel it.
SessionTicket Reasoner::submit(const Served& served, std::unique_ptr<Session> session,
                               std::shared_ptr<EventChannel> events, SessionTerms terms) {
  if (!terms.cancelled) terms.cancelled = std::make_shared<std::atomic<bool>>(false);
  served.engine->submit(std::move(session), terms);
  return SessionTicket(served.engine, std::move(events), terms.cancelled);
}

int Reasoner::positions(const Engine& engine) const {
  return std::min(engine.capacity_cells(), model_->info().trained_context);
}

Tokens Reasoner::tokenize_prompt(std::string_view text, bool parse_special,
                                 const std::string& field) const {
  const Vocabulary& vocabulary = model_->vocabulary();
  const auto most = static_cast<size_t>(positions(*engine()));
  const auto longest = static_cast<size_t>(vocabulary.longest_piece_bytes());
  if (text.size() / longest > most)
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("the prompt has {} bytes, more than {} tokens, but the context holds {}",
                    text.size(), text.size() / longest, most),
        field);
  return vocabulary.tokenize(text, parse_special, true);
}

ThinkRequest Reasoner::request_of(const ThinkInput& input) const {
  if (!model_->info().supports_views)
    throw Error(ErrorCode::kInvalidArgument,
                "this model cannot think in streams: " + model_->info().views_reason, "polyphon");
  const Vocabulary& vocabulary = model_->vocabulary();
  const ChatPrompt prompt = model_->chat_template().render(input.chat);
  ThinkRequest request;
  request.prompt = tokenize_prompt(prompt.text, true, "messages");
  request.topology = input.topology;
  request.merge = input.merge;
  request.sampling = input.sampling;
  request.answer_sampling = input.answer_sampling;
  request.answer_grammar = prompt.grammar;
  request.stop = input.stop;
  request.stop.insert(request.stop.end(), prompt.stops.begin(), prompt.stops.end());
  validate(input.workspace, options_.workspace);
  request.workspace = input.workspace;
  request.diversity = input.diversity;
  validate(input.search);
  request.search = input.search;
  validate(input.memory);
  request.memory = input.memory;
  if (request.memory.enabled && request.memory.problem.empty())
    request.memory.problem = problem_of(input.chat);
  request.scripts = input.scripts;
  request.max_answer_tokens = input.max_answer_tokens;
  request.auto_budget_tokens = options_.caps.auto_budget_tokens;
  request.ignore_eos = input.ignore_eos;
  const auto interject = [&](const std::string& text) {
    return vocabulary.tokenize(model_->chat_template().interjection(text), true, false);
  };
  std::string asked = problem_of(input.chat);
  if (vocabulary.count_tokens(asked) > options_.max_repeated_request_tokens) asked.clear();
  request.merge_instruction = interject(merge_instruction(request.topology, asked));
  if (request.topology.is_auto())
    request.plan_instruction =
        interject(plan_instruction(auto_topologies(request.auto_budget_tokens, options_.caps)));
  return request;
}

PlanLimits Reasoner::limits(const Engine& engine) const {
  return {engine.capacity_cells(), engine.max_sequences(), model_->info().trained_context,
          engine.bytes_per_cell()};
}

std::string Reasoner::misfit(const ThinkInput& input) const {
  return polyphon::misfit(request_of(input), options_, model_->vocabulary(), limits(*engine()));
}

SessionTicket Reasoner::think(const ThinkInput& input, SessionTerms terms) {
  ThinkRequest request = request_of(input);
  const auto served = this->served();
  fit_plan(request, options_, model_->vocabulary(), limits(*served->engine), input.narrow);
  if (request.memory.enabled) load_memory(*served, request.memory, terms);
  return submit_thought(*served, request, std::move(terms), true);
}

ComputedBy Reasoner::computed_by(const Served& served) const {
  return {identity_.model_digest,
          fmt::format("{} {} {}", identity_.model_digest, served.trained.adapter,
                      served.engine->cells_format())};
}

void Reasoner::load_memory(const Served& served, MemoryRequest& memory, const SessionTerms& terms) {
  const ComputedBy by = computed_by(served);
  MemoryStore* const store = memory_store();
  if (store) polyphon::load_memory(memory, *store, terms.tenant, by, model_->vocabulary());
  const auto fresh = complete_cells(*served.engine, memory, terms);
  if (!store) return;
  or_log([&] {
    for (const LoadedNode* node : fresh)
      keep_cells(*node->cells, *store, terms.tenant, node->id, by);
  });
}

std::vector<const LoadedNode*> Reasoner::complete_cells(Engine& engine, MemoryRequest& memory,
                                                        const SessionTerms& terms) const {
  std::vector<LoadedNode*> without;
  std::vector<Tokens> tokens;
  for (LoadedNode& node : memory.loaded) {
    if (node.cells) continue;
    without.push_back(&node);
    tokens.push_back(node.tokens);
  }
  auto cells = compute_cells(engine, model_->vocabulary(), tokens, terms);
  for (size_t i = 0; i < without.size(); ++i) without[i]->cells = std::move(cells[i]);
  return {without.begin(), without.end()};
}

SessionTicket Reasoner::submit_thought(const Served& served, const ThinkRequest& request,
                                       SessionTerms terms, bool keep) {
  auto events = events_of(served, terms, keep && store_);
  const TraceHeader header{fresh_trace_id(), version_with(served.version, *served.heads),
                           identity_.model_digest, identity_.config_hash};
  return submit(served,
                make_think_session(*model_, request, options_, served.heads, header, events),
                events, std::move(terms));
}

SessionTicket Reasoner::complete(CompletionRequest request, SessionTerms terms) {
  const auto served = this->served();
  const Engine& engine = *served->engine;
  const int positions = this->positions(engine);
  const auto prompt = static_cast<int>(request.prompt.size());
  if (prompt + 1 > positions)
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("the prompt has {} tokens, but the context holds {}", prompt, positions),
        "messages");
  // The limit of each choice is what is left beside the prompt.
  const int room = std::min(
      positions - prompt, most_completion_tokens(prompt, request.choices, engine.capacity_cells()));
  if (room < 1)
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} choices beside a prompt of {} tokens do not fit {} KV cells",
                            request.choices, prompt, engine.capacity_cells()),
                "n");
  request.max_tokens = std::min(request.max_tokens, room);
  auto events = events_of(*served, terms);
  return submit(*served, make_completion_session(*model_, std::move(request), events), events,
                std::move(terms));
}

SessionTicket Reasoner::embed(Tokens prompt, SessionTerms terms) {
  const auto served = this->served();
  auto events = events_of(*served, terms);
  return submit(*served, make_embedding_session(*model_, std::move(prompt), events), events,
                std::move(terms));
}

SessionTicket Reasoner::replay(const Trace& trace, SessionTerms terms, int without_promotion) {
  ThinkRequest request = trace.request;
  validate(request.workspace, options_.workspace);
  validate(request.search);
  replay_clock(request.search, trace);
  validate(request.memory);
  const auto served = this->served();
  complete_cells(*served->engine, request.memory, terms);
  if (without_promotion >= 0) request.workspace.without_promotion = without_promotion;
  return submit_thought(*served, request, std::move(terms), false);
}

Finished wait_finished(SessionTicket& ticket,
                       const std::function<void(const SessionEvent&)>& on_event,
                       const std::function<bool()>& gives_up) {
  constexpr std::chrono::milliseconds kPatience{100};
  while (true) {
    if (gives_up && gives_up()) throw Error(ErrorCode::kCancelled, "stopped");
    auto event = ticket.next(kPatience);
    if (!event) continue;
    if (on_event) on_event(*event);
    if (auto* failed = std::get_if<Failed>(&*event)) throw failed->error;
    if (auto* finished = std::get_if<Finished>(&*event)) return std::move(*finished);
  }
}

TraceComparison compare_traces(const Trace& recorded, const Trace& replayed, Step until) {
  TraceComparison result;
  const auto compared = [&](const TraceSpan& span) {
    return static_cast<size_t>(std::lower_bound(span.steps.begin(), span.steps.end(), until) -
                               span.steps.begin());
  };
  const size_t spans = std::max(recorded.spans.size(), replayed.spans.size());
  static const TraceSpan kNone;
  for (size_t i = 0; i < spans; ++i) {
    const TraceSpan& a = i < recorded.spans.size() ? recorded.spans[i] : kNone;
    const TraceSpan& b = i < replayed.spans.size() ? replayed.spans[i] : kNone;
    const size_t in_a = compared(a), in_b = compared(b);
    for (size_t j = 0; j < std::max(in_a, in_b); ++j) {
      ++result.tokens;
      const bool same = j < in_a && j < in_b && a.tokens[j] == b.tokens[j];
      if (same) {
        ++result.matching;
      } else if (result.first_difference.empty()) {
        result.first_difference =
            fmt::format("span {} ({}), token {}", i,
                        to_string(i < recorded.spans.size() ? a.owner : b.owner), j);
      }
    }
  }
  return result;
}

}  // namespace polyphon
