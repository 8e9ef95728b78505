// One stream of thought: its state, and how it reports itself. Plain; the session decides.
#pragma once

#include <optional>
#include <string>

#include "engine/session.h"
#include "record/session_result.h"
#include "streams/strategy.h"
#include "streams/synthesis.h"
#include "text/text_stream.h"

namespace polyphon {

struct Stream {
  int id = 0;  // over all phases
  int phase = 0;
  Strategy strategy;
  SequenceNumber sequence = -1;
  int budget_tokens = 0;
  TextStream text{{}};
  Tokens tokens;  // sampled, without the end of generation
  double logprob_sum = 0;
  // While a search decides how it goes on: its last token, which its view does not hold yet.
  std::optional<Token> unread;
  std::vector<float> hidden;  // that the last token was sampled from; may be empty
  int reseeds = 0;
  int urged = 0;                              // times it was told to go on
  int urge_tokens = 0;                        // what it was told, of its budget
  std::optional<FinishReason> finish_reason;  // none while it thinks
  std::string answer;                         // extracted when it ended

  bool searching() const { return unread.has_value(); }
  bool ended() const { return finish_reason.has_value(); }
  int tokens_left() const { return budget_tokens - static_cast<int>(tokens.size()) - urge_tokens; }
  double mean_logprob() const {
    return tokens.empty() ? 0 : logprob_sum / static_cast<double>(tokens.size());
  }
  Attempt attempt() const { return {strategy.name, tokens, text.text()}; }
  StreamResult result() const {
    return {id,    strategy.name, text.text(), static_cast<int>(tokens.size()), *finish_reason,
            answer};
  }
};

}  // namespace polyphon
