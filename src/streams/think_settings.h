// How a session thinks, as a request asks for it in its polyphon object and the config file in its
// table [polyphon]; and the rows of the settings table for it. Plain.
#pragma once

#include <vector>

#include "core/setting.h"
#include "core/topology.h"
#include "record/think_request.h"

namespace polyphon {

struct ThinkSettings {
  Topology topology{{{8, 256}}};
  MergeMode merge = MergeMode::kKv;
  int max_answer_tokens = 512;
  bool narrow = false;  // narrow a plan that does not fit instead of refusing it
  WorkspaceRequest workspace;
  DiversityRequest diversity;
  SearchRequest search;
  MemoryRequest memory;
};

// Hottest minus coldest stream, where nothing says otherwise.
inline constexpr double kTemperatureLadder = 0.3;

// The rows, named as in the polyphon object: "search.depth". Those of search and memory that have
// no row are constants.
const std::vector<Setting<ThinkSettings>>& think_settings();

}  // namespace polyphon
