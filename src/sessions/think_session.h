// A thinking session: parallel streams think about one problem in the stages plan, streams, merge
// and answer. A state machine on the decode thread; its texts are rendered before, on the caller's
// thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/session.h"
#include "heads/heads.h"
#include "model/language_model.h"
#include "record/think_request.h"
#include "streams/events.h"
#include "streams/options.h"

namespace polyphon {

struct TraceHeader {
  std::string id;
  std::string version;
  std::string model_digest;
  std::string config_hash;
};

// `model` must outlive the session; `options` is copied; `heads` must not be null. Throws
// Error{kInvalidArgument} if the grammar cannot be parsed.
std::unique_ptr<Session> make_think_session(const LanguageModel& model, const ThinkRequest& request,
                                            const ReasonOptions& options,
                                            std::shared_ptr<const Heads> heads,
                                            const TraceHeader& header,
                                            std::shared_ptr<EventChannel> events);

}  // namespace polyphon
