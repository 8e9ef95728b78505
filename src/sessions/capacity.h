// What sessions need of the KV cache. It is estimated here and nowhere else: for admission, for
// plans that are made to fit, and for the size of the cache that a command makes. Pure functions.
#pragma once

#include "engine/session.h"
#include "model/vocabulary.h"
#include "record/think_request.h"
#include "sessions/think_input.h"
#include "streams/options.h"

namespace polyphon {

// An upper bound of what a session can use.
struct PlanNeeds {
  int cells = 0;          // decoded over the whole session
  int sequences = 0;      // open at the same time
  int last_position = 0;  // of the longest path
};

// Of a session that thinks; of "auto", whichever topology the model states.
PlanNeeds plan_needs(const ThinkRequest& request, const ReasonOptions& options,
                     const Vocabulary& vocabulary);

// Of a plain session with so many choices beside one prompt.
SessionNeeds completion_needs(int prompt_tokens, int choices, int max_tokens);
// The most tokens that each choice may have with so many cells; below 1: there is no room.
int most_completion_tokens(int prompt_tokens, int choices, int cells);

// Size of a cache that holds the session, known before a model is loaded: every byte of text counts
// as a token, and the chat template may add up to kMostTemplateTokens. `input` is valid.
inline constexpr int kMostTemplateTokens = 1024;
int context_cells(const ThinkInput& input, const ReasonOptions& options);

}  // namespace polyphon
