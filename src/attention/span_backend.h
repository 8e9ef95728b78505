// Our kernels as a backend of ggml: a device of type ACCEL, which the scheduler of a llama_context
// asks before the CPU whether it takes an operation. What it does not take is computed by ggml's
// own kernels. It works on tensors in the machine's memory, and offers models that are loaded a
// buffer type that packs the weights it can multiply (weights/weight_buffer.h).
#pragma once

#include <cstdint>

namespace polyphon {

// Registers the device with ggml, once a process; models and contexts made from then on use it.
void register_span_backend();

// Whether models loaded from now on let their weights be packed, and contexts made from now on let
// the device take operations, as both do by default. For comparison with ggml's own kernels; a
// model and a context keep what they were made with, and packed weights need a context that takes
// operations. Not for use while another thread makes either.
void enable_span_backend(bool enabled);

// Attention operations that the device has computed in this process, so that a test can tell which
// way one went.
uint64_t span_attention_count();

}  // namespace polyphon
