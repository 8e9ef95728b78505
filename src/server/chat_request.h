// How a chat, however it came in, is answered: sampling, limits, and whether it thinks in streams.
#pragma once

#include "server/request_reader.h"

namespace polyphon {

GenerationRequest read_chat_generation(const FieldReader& fields, ChatInput chat,
                                       const RequestContext& context);

}  // namespace polyphon
