// Process-wide state of libllama: backends loaded once, logs routed to ours. Any thread.
#pragma once

#include <string>

namespace polyphon {

// Loads ggml's backends from the folder that libggml itself lies in; the best CPU variant for this
// machine is chosen there. Later calls do nothing.
void init_llama_backend();

// The errors that libllama logged on this thread since the last call, joined by "; "; for the one
// line of a failed load.
std::string take_llama_errors();

// Whether weights and KV may lie outside the machine's own memory.
bool has_accelerator();

}  // namespace polyphon
