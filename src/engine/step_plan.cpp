#include "engine/step_plan.h"

#include <algorithm>

namespace polyphon {
namespace {

// Prompt rows a step of a session that is alone, while some of its own streams go on.
constexpr int kOwnChunkRows = 256;
// Prompt rows a step however long they take: less would read the weights for next to nothing.
constexpr int kMinRows = 16;
// The smallest share of one sequence in its session's chunk, for the same reason.
constexpr int kMinShareRows = 32;
// The time of a chunk that no stream waits for, or only streams in the background: a client that
// comes meanwhile waits that long.
constexpr double kUnwatchedChunkMs = 1000;

struct Prompt {
  PlannedRun run;
  int waiting = 0;
  bool generating = false;
};

// A session with its prompts, and the rows of the chunk that it gets.
struct Reader {
  std::vector<Prompt> prompts;
  int waiting = 0;
  int rows = 0;
};

void share_out(Reader& reader, StepPlan& plan) {
  std::vector<Prompt>& prompts = reader.prompts;
  int budget = reader.rows;
  const int share = std::max(kMinShareRows, budget / static_cast<int>(prompts.size()));
  for (const bool leftovers : {false, true}) {
    for (Prompt& prompt : prompts) {
      const int more = std::min({prompt.waiting - prompt.run.count, budget,
                                 leftovers ? budget : share - prompt.run.count});
      prompt.run.count += std::max(0, more);
      budget -= std::max(0, more);
    }
  }
  for (Prompt& prompt : prompts) {
    if (prompt.run.count == 0) continue;
    prompt.run.samples = prompt.generating && prompt.run.count == prompt.waiting;
    plan.prefill.push_back(prompt.run);
  }
}

// Cuts a chunk that takes `chunk_ms`, at most `max_rows`, and shares it out among the readers.
void cut_by_time(std::vector<Reader>& readers, const StepPace& pace, double chunk_ms, int max_rows,
                 size_t turn) {
  int rows = 0;
  double share_used = 0;  // of the chunk's time
  // Up to `share` of the whole chunk for one more reader.
  const auto grant = [&](Reader& reader, double share, int at_least) {
    const int whole =
        std::clamp(pace.rows_within(chunk_ms, reader.prompts.front().run.begin), 1, max_rows);
    const int more = std::min({reader.waiting - reader.rows, max_rows - rows,
                               std::max(at_least, static_cast<int>(share * whole))});
    if (more <= 0) return;
    reader.rows += more;
    rows += more;
    share_used += static_cast<double>(more) / whole;
  };
  grant(readers[turn % readers.size()], 0.25, 0);
  std::vector<Reader*> shortest_first;
  for (Reader& reader : readers) shortest_first.push_back(&reader);
  std::stable_sort(shortest_first.begin(), shortest_first.end(),
                   [](const Reader* a, const Reader* b) { return a->waiting < b->waiting; });
  for (Reader* const reader : shortest_first) grant(*reader, 1 - share_used, kMinRows - rows);
}

}  // namespace

StepPlan plan_step(const std::vector<std::unique_ptr<LiveSession>>& sessions, const StepPace& pace,
                   int max_rows, size_t turn) {
  for (const Priority priority : {Priority::kInteractive, Priority::kBackground}) {
    StepPlan plan;
    std::vector<Reader> readers;
    int with_rows = 0;
    for (const auto& session : sessions) {
      if (session->terms().priority != priority) continue;
      Reader reader;
      const std::vector<LiveSession::Pending> pending = session->pending();
      with_rows += !pending.empty();
      for (const LiveSession::Pending& each : pending) {
        const PlannedRun run{session.get(), each.sequence, each.sampled ? 1 : 0, each.generating,
                             each.begin};
        if (each.sampled) {
          plan.decode.push_back(run);
        } else {
          reader.prompts.push_back({run, each.waiting, each.generating});
          reader.waiting += each.waiting;
        }
      }
      if (!reader.prompts.empty()) readers.push_back(std::move(reader));
    }
    if (with_rows == 1 && !readers.empty()) {
      readers[0].rows = plan.decode.empty() ? max_rows : std::min(kOwnChunkRows, max_rows);
    } else if (!readers.empty()) {
      const bool watched = priority == Priority::kInteractive && !plan.decode.empty();
      cut_by_time(readers, pace, watched ? pace.prompt_ms_beside_streams() : kUnwatchedChunkMs,
                  max_rows, turn);
    }
    for (Reader& reader : readers) share_out(reader, plan);
    if (!plan.empty()) return plan;
  }
  return {};
}

}  // namespace polyphon
