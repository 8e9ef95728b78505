// What all parts of a thinking session share: model, request, options, events, heads and views.
// Decode thread only.
#pragma once

#include <memory>
#include <string>

#include "engine/session.h"
#include "heads/heads.h"
#include "model/language_model.h"
#include "record/think_request.h"
#include "streams/events.h"
#include "streams/options.h"

namespace polyphon {

struct ThinkContext {
  const LanguageModel& model;
  const ThinkRequest request;
  const ReasonOptions options;
  const std::shared_ptr<EventChannel> events;
  const std::shared_ptr<const Heads> heads;  // never null
  SessionViews* views = nullptr;             // set from start() on

  const Vocabulary& vocabulary() const { return model.vocabulary(); }
  Tokens tokenize(const std::string& text) const {
    return vocabulary().tokenize(text, false, false);
  }
  // Records a decision and its evidence in the trace.
  void decide(Decision what) const {
    views->trace().decisions.push_back({views->step(), std::move(what)});
  }
};

}  // namespace polyphon
