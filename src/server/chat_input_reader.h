// The parts of a chat that more than one endpoint reads. Errors as in request_reader.h.
#pragma once

#include "model/chat_template.h"
#include "server/field_reader.h"

namespace polyphon {

// `role`, one that templates know.
std::string read_role(const FieldReader& message);
// `messages`, in the shape that templates take; content that is not text is refused.
OrderedJson read_messages(const FieldReader& fields);
// The schema that a response_format asks for: null, {} for any object, or the schema.
OrderedJson read_response_format(const FieldReader& fields, const char* key);
// tools, tool_choice, parallel_tool_calls. `flat`: a tool's name, description and parameters stand
// beside its type, as in /v1/responses, not under "function".
void read_tools(const FieldReader& fields, bool flat, ChatInput& chat);

}  // namespace polyphon
