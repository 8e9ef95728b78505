// Self-play: the model's own attempts at problems, generated ones and those it proposed, checked
// exactly, kept as traces with outcomes. Played at background priority, here or by servers.
#pragma once

#include <atomic>
#include <set>
#include <string>
#include <vector>

#include "selfplay/selfplay_options.h"
#include "selfplay/selfplay_report.h"

namespace polyphon {

// Blocks until the limits are reached, every family rests, or `stop` is set and what runs has
// ended. `players` is not empty and outlives the call. Throws Error{kInvalidArgument} when they do
// not all have the same model and version, the last one's Error when none is left, and the first
// Error of writing the folder; what was written stays, and a later run goes on from there.
SelfPlayReport self_play(const std::vector<Player*>& players, const SelfPlayOptions& options,
                         const std::set<std::string>& held_out, const std::string& folder,
                         const std::atomic<bool>& stop, const SelfPlayEvents& events);

}  // namespace polyphon
