#include "engine/step_plan.h"

#include <algorithm>

namespace polyphon {
namespace {

struct WaitingPrompt {
  PlannedRun run;
  int waiting = 0;
  bool generating = false;
};

// The smallest share of a chunk: less would read the weights for next to nothing.
constexpr int kMinShareTokens = 32;

void share_out(std::vector<WaitingPrompt>& prompts, int budget, StepPlan& plan) {
  const int share =
      std::max(kMinShareTokens, prompts.empty() ? 0 : budget / static_cast<int>(prompts.size()));
  for (const bool leftovers : {false, true}) {
    for (WaitingPrompt& prompt : prompts) {
      const int more = std::min({prompt.waiting - prompt.run.count, budget,
                                 leftovers ? budget : share - prompt.run.count});
      prompt.run.count += std::max(0, more);
      budget -= std::max(0, more);
    }
  }
  for (WaitingPrompt& prompt : prompts) {
    if (prompt.run.count == 0) continue;
    prompt.run.samples = prompt.generating && prompt.run.count == prompt.waiting;
    plan.prefill.push_back(prompt.run);
  }
}

}  // namespace

StepPlan plan_step(const std::vector<std::unique_ptr<LiveSession>>& sessions,
                   int prefill_chunk_tokens, int max_rows, size_t turn) {
  for (const Priority priority : {Priority::kInteractive, Priority::kBackground}) {
    StepPlan plan;
    std::vector<WaitingPrompt> prompts;
    for (size_t i = 0; i < sessions.size(); ++i) {
      LiveSession& session = *sessions[(i + turn) % sessions.size()];
      if (session.terms().priority != priority) continue;
      for (const LiveSession::Pending& pending : session.pending()) {
        const PlannedRun run{&session, pending.sequence, pending.sampled ? 1 : 0,
                             pending.generating};
        if (pending.sampled)
          plan.decode.push_back(run);
        else
          prompts.push_back({run, pending.waiting, pending.generating});
      }
    }
    share_out(prompts, plan.decode.empty() ? max_rows : std::min(prefill_chunk_tokens, max_rows),
              plan);
    if (!plan.empty()) return plan;
  }
  return {};
}

}  // namespace polyphon
