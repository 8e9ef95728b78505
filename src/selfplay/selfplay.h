// Self-play: the model attempts problems, generated ones and ones that it proposed. Checkers judge
// the attempts exactly, and the sessions are kept as traces with outcomes. Runs at background
// priority, in this process or on servers.
#pragma once

#include <atomic>
#include <set>
#include <string>
#include <vector>

#include "selfplay/selfplay_options.h"
#include "selfplay/selfplay_report.h"

namespace polyphon {

// Blocks until a limit is reached, every family rests, or `stop` is set and running sessions have
// ended. `players` must not be empty and must outlive the call. `held_out`: texts of problems that
// are never played. Throws Error{kInvalidArgument} if the players differ in model or version, the
// Error of the last player if no player is left, and the first Error of writing the folder. What
// was written stays, and a later run continues from there.
SelfPlayReport self_play(const std::vector<Player*>& players, const SelfPlayOptions& options,
                         const std::set<std::string>& held_out, const std::string& folder,
                         const std::atomic<bool>& stop, const SelfPlayEvents& events);

}  // namespace polyphon
