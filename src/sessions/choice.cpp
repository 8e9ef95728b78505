#include "sessions/choice.h"

namespace polyphon {

Choice::Choice(int index, const Vocabulary& vocabulary, ChoiceLimits limits,
               std::shared_ptr<EventChannel> events)
    : index_(index),
      vocabulary_(vocabulary),
      limits_(std::move(limits)),
      events_(std::move(events)),
      stream_(limits_.stop) {}

TextLogprob Choice::logprob_of(const SampledToken& token) const {
  TextLogprob result{vocabulary_.piece(token.token, true), token.token, token.logprob, {}};
  for (const TokenLogprob& other : token.top)
    result.top.push_back({vocabulary_.piece(other.token, true), other.token, other.logprob});
  return result;
}

bool Choice::add(const SampledToken& token) {
  if (token.token == kNoToken) {
    end(FinishReason::kStop);
    return true;
  }
  ++tokens_;
  if (!limits_.ignore_eos && vocabulary_.is_end_of_generation(token.token)) {
    end(FinishReason::kStop);
    return true;
  }
  if (limits_.logprobs) held_logprobs_.push_back(logprob_of(token));
  std::string text = stream_.push(vocabulary_.piece(token.token, false));
  if (!text.empty())
    events_->push(AnswerDelta{index_, std::move(text), std::exchange(held_logprobs_, {})});
  if (stream_.stopped()) {
    end(FinishReason::kStop);
    return true;
  }
  if (tokens_ < limits_.max_tokens) return false;
  end(FinishReason::kLength);
  return true;
}

void Choice::end(FinishReason reason) {
  std::string rest = stream_.flush();
  if (!rest.empty() || !held_logprobs_.empty())
    events_->push(AnswerDelta{index_, std::move(rest), std::exchange(held_logprobs_, {})});
  events_->push(ChoiceEnded{index_, reason});
}

}  // namespace polyphon
