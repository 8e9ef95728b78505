// The settings table: one row a setting, whatever sets it. Config file, flags, requests, the client
// of self-play, docs/configuration.md and GET /api/v1/settings are made from these rows.
#pragma once

#include <string>
#include <vector>

#include "core/setting.h"
#include "deploy/config.h"
#include "engine/engine.h"

namespace polyphon {

// What a request's polyphon object says of the session's place and its answer, not of its thoughts.
struct AnswerWishes {
  Priority priority = Priority::kInteractive;
  bool cache_prompt = true;
  bool stream_thoughts = true;  // deltas of the streams' thoughts while streaming
  bool include_trace = false;   // the session's trace in the answer's polyphon object
};

// Rows of the config file and of flags. Those named "polyphon." are think_settings(), as defaults
// of requests.
const std::vector<Setting<Config>>& config_settings();
// Named as in the polyphon object, beside think_settings().
const std::vector<Setting<AnswerWishes>>& answer_settings();

// "polyphon.search.mode" -> "--search", "engine.ctx_size" -> "--ctx-size".
std::string flag_name(const std::string& setting);

// All rows, each once: {"name", "scopes", "type", "default", "help", "since", "flag", "minimum",
// "maximum", "values"}; members that do not apply are left out. `config`: what "value" tells of;
// null: no values.
Json settings_json(const Config* config = nullptr);

// docs/configuration.md.
std::string settings_page();

}  // namespace polyphon
