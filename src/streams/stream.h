// The state of one stream of thought. Plain data; StreamPhase and the session change it.
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
  int id = 0;  // number counted over all phases
  int phase = 0;
  Strategy strategy;
  SequenceNumber sequence = -1;
  int budget_tokens = 0;
  TextStream text{{}};
  Tokens tokens;  // sampled tokens, without the end-of-generation token
  double logprob_sum = 0;
  // Set while a search decides how the stream continues: the stream's last token, which its view
  // does not hold yet.
  std::optional<Token> unread;
  std::vector<float> hidden;  // hidden state from which the last token was sampled; may be empty
  int reseeds = 0;
  int urged = 0;        // how often it was urged to continue
  int urge_tokens = 0;  // tokens of the urge cues; they count against the budget
  std::optional<FinishReason> finish_reason;  // none while the stream thinks
  std::string answer;                         // extracted from its text when it ended

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
