// A chat template for models that were taught ChatML but whose own template knows no tools
// (SmolLM2): the tools are described in the system turn, and calls are JSON between <tool_call>
// marks, as most ChatML models that do know tools write them.
#pragma once

namespace polyphon {

extern const char kChatMlToolsTemplate[];

}  // namespace polyphon
