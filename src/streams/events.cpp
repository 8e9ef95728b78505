#include "streams/events.h"

namespace polyphon {

Json to_json(const Timings& timings) {
  return {{"queue_ms", timings.queue_ms},
          {"prompt_ms", timings.prompt_ms},
          {"streams_ms", timings.streams_ms},
          {"merge_ms", timings.merge_ms},
          {"time_to_first_answer_token_ms", timings.time_to_first_answer_token_ms},
          {"answer_ms", timings.answer_ms},
          {"total_ms", timings.total_ms},
          {"prompt_tokens", timings.prompt_tokens},
          {"merge_prefill_tokens", timings.merge_prefill_tokens},
          {"answer_tokens", timings.answer_tokens}};
}

}  // namespace polyphon
