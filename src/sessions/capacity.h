// Estimates how much of the KV cache a session needs. The only place for such estimates: admission,
// plans that must fit, and the size of a command's cache use them. Pure functions.
#pragma once

#include "engine/session.h"
#include "model/vocabulary.h"
#include "record/think_request.h"
#include "sessions/think_input.h"
#include "streams/options.h"

namespace polyphon {

// Upper bounds for one session.
struct PlanNeeds {
  int cells = 0;          // cells decoded over the whole session
  int sequences = 0;      // sequences open at the same time
  int last_position = 0;  // last position of the longest path
};

// Needs of a thinking session. For "auto": enough for every topology that the model may state.
PlanNeeds plan_needs(const ThinkRequest& request, const ReasonOptions& options,
                     const Vocabulary& vocabulary);

// Needs of a plain session with `choices` answers to one prompt.
SessionNeeds completion_needs(int prompt_tokens, int choices, int max_tokens);
// The most tokens that each choice may have in `cells` cells; below 1 if there is no room.
int most_completion_tokens(int prompt_tokens, int choices, int cells);

// Size in cells of a cache that holds the session, computed before a model is loaded: counts a
// token for every byte of text, and up to kMostTemplateTokens for the chat template. `input` must
// be valid.
inline constexpr int kMostTemplateTokens = 1024;
int context_cells(const ThinkInput& input, const ReasonOptions& options);

}  // namespace polyphon
