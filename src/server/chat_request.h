// Reads how to answer a chat, for every endpoint that takes one: sampling, limits, and whether to
// think in streams.
#pragma once

#include "server/request_reader.h"

namespace polyphon {

GenerationRequest read_chat_generation(const FieldReader& fields, ChatInput chat,
                                       const RequestContext& context);

}  // namespace polyphon
