// One problem thought through by parallel streams: plan, streams, merge, answer (design.md
// sections 1 and 2). Runs on the decode thread as a state machine; texts are rendered before, on
// the caller's thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/sampling.h"
#include "core/topology.h"
#include "engine/session.h"
#include "model/language_model.h"
#include "reason/events.h"
#include "reason/heads.h"
#include "reason/options.h"

namespace polyphon {

struct ThinkRequest {
  Tokens prompt;  // the rendered chat, the assistant's turn opened; not empty
  // Rendered by ChatTemplate::interjection: the turn that asks for a topology, and the turn that
  // asks for the synthesis (tokens; the answer is generated right after).
  Tokens plan_instruction;
  Tokens merge_instruction;
  Topology topology;  // no phases: auto
  MergeMode merge = MergeMode::kKv;
  SamplingParams sampling;  // of the streams, the ladder applied; seed of the whole session
  SamplingParams answer_sampling;
  GrammarSpec answer_grammar;     // response_format or tools
  std::vector<std::string> stop;  // of the answer
  int max_answer_tokens = 512;
  int auto_budget_tokens = 2048;  // what a planned topology spends (auto only)
  WorkspaceRequest workspace;
  DiversityRequest diversity;
  SearchRequest search;
  MemoryRequest memory;
  // What streams say first, in turn, see reason/script.h; none but in tests and benchmarks.
  std::vector<Tokens> scripts;
  bool ignore_eos =
      false;  // streams run to their budget (benchmarks); also switches off early stops
};

// The whole request as JSON, for the trace, and back. from_json throws Error{kInvalidArgument}.
Json to_json(const ThinkRequest& request);
ThinkRequest think_request_from_json(const Json& json);

struct TraceHeader {
  std::string id;
  std::string version;
  std::string model_digest;
  std::string config_hash;
};

// `model` must outlive the session; `options` is copied; `heads` must not be null. Throws
// Error{kInvalidArgument} for a grammar that does not parse.
std::unique_ptr<Session> make_think_session(const LanguageModel& model, const ThinkRequest& request,
                                            const ReasonOptions& options,
                                            std::shared_ptr<const Heads> heads,
                                            const TraceHeader& header,
                                            std::shared_ptr<EventChannel> events);

}  // namespace polyphon
