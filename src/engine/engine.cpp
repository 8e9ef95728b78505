#include "engine/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/check.h"
#include "engine/heartbeat.h"
#include "engine/kv_cache.h"
#include "engine/live_session.h"
#include "engine/prefix_cache.h"
#include "engine/sample_rows.h"
#include "engine/step_pace.h"
#include "engine/step_plan.h"
#include "engine/waiting_queue.h"

namespace polyphon {
namespace {

// The cache may hold at most a quarter of the ids, so that sessions always find theirs.
int cache_entries(const Decoder& decoder, const EngineOptions& options) {
  return std::min(options.max_cached_prefixes, decoder.max_sequences() / 4);
}

// Why a session must end now, if it must.
std::optional<Error> verdict(const SessionTerms& terms, TimePoint now) {
  if (terms.cancelled && terms.cancelled->load(std::memory_order_relaxed))
    return Error(ErrorCode::kCancelled, "the client went away");
  if (terms.deadline && now >= *terms.deadline)
    return Error(ErrorCode::kDeadlineExceeded, "the request's time limit has passed");
  return std::nullopt;
}

}  // namespace

// The decode thread. Everything above the mutex belongs to that thread alone, but for the
// heartbeat, which any thread reads.
class Engine::Loop {
 public:
  Loop(std::unique_ptr<Decoder> decoder, const EngineOptions& options, const Clock& clock)
      : decoder_(std::move(decoder)),
        options_(options),
        clock_(clock),
        heartbeat_(clock),
        cache_(*decoder_),
        prefixes_(cache_, cache_entries(*decoder_, options)),
        session_sequences_(decoder_->max_sequences() - cache_entries(*decoder_, options)),
        thread_([this](const std::stop_token& stop) { run(stop); }) {}

  ~Loop() { stop(); }

  void stop() {
    thread_.request_stop();
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  void submit(WaitingSession waiting);
  EngineStatus status() const;
  double stuck_ms() const { return heartbeat_.step_ms(); }
  bool drain(std::chrono::milliseconds timeout);
  int session_sequences() const { return session_sequences_; }

 private:
  void run(const std::stop_token& stop);
  void remove_gone();
  void admit();
  bool make_room(const WaitingSession& waiting);
  // The main path: what to decode, the forward pass, the choices, and who hears of them.
  bool step();
  bool decode(const std::vector<PlannedRun>& runs, bool hidden_wanted, double& seconds);
  void sample(std::span<const PlannedRun> runs, bool hidden_wanted, double row_ms);
  void deliver();
  void keep_pace(const StepPlan& plan, double step_ms, double prefill_ms);
  std::set<LiveSession*> count_step(const StepPlan& plan);
  void end_step(const std::set<LiveSession*>& decoded);
  void fail_all(const Error& error);
  void publish_status();

  std::unique_ptr<Decoder> decoder_;
  const EngineOptions options_;
  const Clock& clock_;
  Heartbeat heartbeat_;
  KvCache cache_;
  PrefixCache prefixes_;
  const int session_sequences_;
  std::vector<std::unique_ptr<LiveSession>> live_;
  struct Choice {
    LiveSession* session;
    SequenceNumber sequence;
    SampledToken token;
    std::vector<float> hidden;  // the decoder's own is gone after its next decode
  };
  std::vector<Row> rows_;        // scratch
  std::vector<Choice> choices_;  // of this step, in the order of the batch
  size_t turn_ = 0;
  StepPace pace_;
  EngineStatus counts_;

  mutable std::mutex mutex_;
  std::condition_variable_any wake_;  // something was submitted, or draining is over
  WaitingQueue waiting_;              // guarded by mutex_
  int64_t submitted_ = 0;             // guarded by mutex_
  bool draining_ = false;             // guarded by mutex_
  EngineStatus published_;            // guarded by mutex_

  std::jthread thread_;  // last: it uses all of the above
};

void Engine::Loop::submit(WaitingSession waiting) {
  {
    std::lock_guard lock(mutex_);
    if (draining_) throw Error(ErrorCode::kUnavailable, "the server is stopping");
    if (waiting_.size() >= options_.max_waiting)
      throw Error(ErrorCode::kOverloaded,
                  fmt::format("{} requests are waiting already; try again later", waiting_.size()));
    waiting.number = ++submitted_;
    waiting.submitted = clock_.now();
    waiting_.push(std::move(waiting));
    ++published_.sessions_waiting;
  }
  wake_.notify_all();
}

EngineStatus Engine::Loop::status() const {
  std::unique_lock lock(mutex_);
  EngineStatus status = published_;
  waiting_.for_each([&](const WaitingSession& waiting) {
    SessionStatus& session = status.sessions.emplace_back();
    session.number = waiting.number;
    session.waiting = true;
    session.submitted = waiting.submitted;
    session.prompt_tokens = static_cast<int>(waiting.session->prompt().size());
    session.cells_reserved = waiting.session->needs().cells;
  });
  lock.unlock();
  status.activity = heartbeat_.activity();
  status.step_ms = heartbeat_.step_ms();
  const TimePoint now = clock_.now();
  for (SessionStatus& session : status.sessions)
    session.age_ms = milliseconds_between(session.submitted, now);
  return status;
}

bool Engine::Loop::drain(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  draining_ = true;
  return wake_.wait_for(lock, timeout, [&] {
    return published_.sessions_live == 0 && published_.sessions_waiting == 0;
  });
}

void Engine::Loop::run(const std::stop_token& stop) {
  publish_status();
  while (!stop.stop_requested()) {
    heartbeat_.begin_step();
    remove_gone();
    admit();
    const bool busy = step();
    publish_status();
    if (busy) continue;
    decoder_->rest();
    heartbeat_.enter(Activity::kIdle);
    std::unique_lock lock(mutex_);
    wake_.wait(lock, stop, [&] { return waiting_.size() > 0; });
  }
  fail_all(Error(ErrorCode::kUnavailable, "the server stopped before the request was done"));
  publish_status();
  heartbeat_.enter(Activity::kIdle);
}

void Engine::Loop::remove_gone() {
  const TimePoint now = clock_.now();
  std::erase_if(live_, [&](std::unique_ptr<LiveSession>& live) {
    const auto error = verdict(live->terms(), now);
    if (error) {
      live->session().fail(*error);
      ++counts_.sessions_cancelled;
    }
    return error.has_value();
  });

  std::vector<WaitingSession> gone;
  {
    std::lock_guard lock(mutex_);
    gone = waiting_.remove_if(
        [&](const WaitingSession& w) { return verdict(w.terms, now).has_value(); });
  }
  for (WaitingSession& waiting : gone) {
    waiting.session->fail(*verdict(waiting.terms, now));
    ++counts_.sessions_cancelled;
  }
}

// Gives up cached prefixes until the session fits beside what is set aside for the others.
bool Engine::Loop::make_room(const WaitingSession& waiting) {
  int cells_set_aside = 0, sequences_set_aside = 0;
  for (const auto& live : live_) {
    cells_set_aside += live->cells_outstanding();
    sequences_set_aside += live->sequences_outstanding();
  }
  const SessionNeeds needs = waiting.session->needs();
  const int free_for_sessions = cache_.free_sequences() - sequences_set_aside -
                                (cache_entries(*decoder_, options_) - prefixes_.size());
  if (needs.sequences > free_for_sessions) return false;
  while (true) {
    const int cached = waiting.terms.cache_prompt
                           ? prefixes_.find(waiting.terms.tenant, waiting.session->prompt())
                           : 0;
    if (needs.cells - cached <= cache_.free_cells() - cells_set_aside) return true;
    if (!prefixes_.evict_one()) return false;
  }
}

void Engine::Loop::admit() {
  while (true) {
    WaitingSession next;
    {
      std::lock_guard lock(mutex_);
      WaitingSession* const front = waiting_.front();
      if (!front || !make_room(*front)) return;
      next = waiting_.pop_front();
    }
    auto live = std::make_unique<LiveSession>(std::move(next), cache_, prefixes_, clock_);
    live->session().start(*live);
    counts_.prompt_tokens_cached += live->cached_prompt_tokens();
    live_.push_back(std::move(live));
    publish_status();  // before its first step, which may be long
  }
}

bool Engine::Loop::step() {
  std::erase_if(live_, [](const auto& live) { return live->session().finished(); });
  if (live_.empty()) return false;
  const TimePoint started = clock_.now();
  const double prefill_before = counts_.prefill_seconds;
  const StepPlan plan = plan_step(live_, pace_, decoder_->max_rows(), turn_++);
  const bool hidden_wanted =
      std::any_of(plan.decode.begin(), plan.decode.end(),
                  [](const auto& run) { return run.session->session().wants_hidden(); });
  choices_.clear();
  if (!decode(plan.decode, hidden_wanted, counts_.decode_seconds) ||
      !decode(plan.prefill, false, counts_.prefill_seconds))
    return true;
  const std::set<LiveSession*> decoded = count_step(plan);
  deliver();
  end_step(decoded);
  keep_pace(plan, milliseconds_between(started, clock_.now()),
            (counts_.prefill_seconds - prefill_before) * 1000);
  return true;
}

// What the step took, in all and for its prompts, decides how much prompt the next one may take.
void Engine::Loop::keep_pace(const StepPlan& plan, double step_ms, double prefill_ms) {
  std::vector<StepPace::Chunk> chunks;
  for (const PlannedRun& run : plan.prefill) chunks.push_back({run.count, run.begin});
  pace_.prompts_took(chunks, prefill_ms);
  if (!plan.decode.empty()) pace_.sampled_rows_took(step_ms - prefill_ms);
}

// The sessions that had rows in this step: their clocks tick.
std::set<LiveSession*> Engine::Loop::count_step(const StepPlan& plan) {
  ++counts_.steps;
  for (const PlannedRun& run : plan.prefill) counts_.prompt_tokens += run.count;
  std::set<LiveSession*> decoded;
  for (const auto* runs : {&plan.decode, &plan.prefill})
    for (const PlannedRun& run : *runs) decoded.insert(run.session);
  for (LiveSession* session : decoded) session->count_step();
  return decoded;
}

// One forward pass for each max_rows() rows, and the choices it allows. Sessions hear of them only
// when the whole plan is decoded, so that what they do cannot change it.
bool Engine::Loop::decode(const std::vector<PlannedRun>& runs, bool hidden_wanted,
                          double& seconds) {
  size_t begin = 0;
  while (begin < runs.size()) {
    rows_.clear();
    size_t end = begin;
    while (end < runs.size() &&
           static_cast<int>(rows_.size()) + runs[end].count <= decoder_->max_rows()) {
      const PlannedRun& run = runs[end++];
      for (int i = 0; i < run.count; ++i) rows_.push_back(run.session->row(run.sequence, i));
      if (hidden_wanted) rows_.back().output = true;
    }
    heartbeat_.enter(Activity::kDecoding);
    const TimePoint started = clock_.now();
    const DecodeStatus status = cache_.decode(rows_, hidden_wanted);
    const double pass_ms = milliseconds_between(started, clock_.now());
    seconds += pass_ms / 1000;
    if (status != DecodeStatus::kOk) {
      fail_all(Error(ErrorCode::kInternal, status == DecodeStatus::kNoSpace
                                               ? "the KV cache is full"
                                               : "the model's backend failed"));
      return false;
    }
    sample({runs.begin() + begin, runs.begin() + end}, hidden_wanted,
           pass_ms / static_cast<double>(rows_.size()));
    begin = end;
  }
  return true;
}

void Engine::Loop::sample(std::span<const PlannedRun> runs, bool hidden_wanted, double row_ms) {
  heartbeat_.enter(Activity::kSampling);
  const TimePoint started = clock_.now();
  std::vector<SampleJob> jobs;
  const size_t first = choices_.size();
  int row = -1;
  for (const PlannedRun& run : runs) {
    row += run.count;
    run.session->decoded(run.sequence, run.count, row_ms);
    if (!run.samples) continue;
    jobs.push_back({run.session->sampler(run.sequence), decoder_->logits(row), {}});
    Choice& choice = choices_.emplace_back(Choice{run.session, run.sequence, {}, {}});
    if (!hidden_wanted) continue;
    const auto hidden = decoder_->hidden(row);
    choice.hidden.assign(hidden.begin(), hidden.end());
  }
  sample_rows(jobs, decoder_->threads());
  for (size_t i = 0; i < jobs.size(); ++i) choices_[first + i].token = std::move(jobs[i].result);
  counts_.sample_seconds += milliseconds_between(started, clock_.now()) / 1000;
}

void Engine::Loop::deliver() {
  heartbeat_.enter(Activity::kSessions);
  for (const Choice& choice : choices_)
    choice.session->deliver(choice.sequence, choice.token, choice.hidden);
  counts_.generated_tokens += static_cast<int64_t>(choices_.size());
}

void Engine::Loop::end_step(const std::set<LiveSession*>& decoded) {
  std::erase_if(live_, [&](std::unique_ptr<LiveSession>& live) {
    if (decoded.contains(live.get())) live->session().after_step();
    const std::optional<Error> fault = live->fault();
    if (!fault) return false;
    live->session().fail(*fault);
    ++counts_.sessions_failed;
    return true;
  });
}

void Engine::Loop::fail_all(const Error& error) {
  for (auto& live : live_) live->session().fail(error);
  counts_.sessions_failed += static_cast<int64_t>(live_.size());
  live_.clear();
  if (error.code() != ErrorCode::kUnavailable) return;
  std::vector<WaitingSession> waiting;
  {
    std::lock_guard lock(mutex_);
    waiting = waiting_.remove_if([](const WaitingSession&) { return true; });
  }
  for (WaitingSession& session : waiting) session.session->fail(error);
}

void Engine::Loop::publish_status() {
  std::erase_if(live_, [](const auto& live) { return live->session().finished(); });
  counts_.sessions_live = static_cast<int>(live_.size());
  counts_.sequences_decoding = 0;
  counts_.sessions.clear();
  for (const auto& live : live_) {
    counts_.sequences_decoding += static_cast<int>(live->pending().size());
    counts_.sessions.push_back(live->status());
  }
  counts_.cells_capacity = decoder_->capacity_cells();
  counts_.cells_used = cache_.used_cells();
  counts_.prefixes_cached = prefixes_.size();
  if (live_.empty())
    counts_.cells_cached = cache_.used_cells();
  else if (counts_.steps % 64 == 0)
    counts_.cells_cached = prefixes_.cells_held_alone();
  {
    std::lock_guard lock(mutex_);
    published_ = counts_;
    published_.sessions_waiting = waiting_.size();
  }
  wake_.notify_all();
}

Engine::Engine(std::unique_ptr<Decoder> decoder, const EngineOptions& options, const Clock& clock)
    : capacity_cells_(decoder->capacity_cells()),
      bytes_per_cell_(decoder->bytes_per_cell()),
      cells_format_(decoder->cells_format()),
      loop_(std::make_unique<Loop>(std::move(decoder), options, clock)) {
  max_sequences_ = loop_->session_sequences();
}

Engine::~Engine() = default;

void Engine::submit(std::unique_ptr<Session> session, const SessionTerms& terms) {
  const SessionNeeds needs = session->needs();
  if (needs.cells > capacity_cells_ || needs.sequences > max_sequences_)
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("the request needs {} KV cells and {} sequences, but there are {} and {}",
                    needs.cells, needs.sequences, capacity_cells_, max_sequences_));
  loop_->submit({std::move(session), terms});
}

EngineStatus Engine::status() const { return loop_->status(); }

double Engine::stuck_ms() const { return loop_->stuck_ms(); }

bool Engine::drain(std::chrono::milliseconds timeout) { return loop_->drain(timeout); }

EngineCounts Engine::stop() {
  loop_->stop();
  return loop_->status();
}

}  // namespace polyphon
