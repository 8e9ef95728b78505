// Fields that every generating endpoint reads alike: sampling, limits, streaming.
#pragma once

#include "core/sampling.h"
#include "server/request_reader.h"

namespace polyphon {

inline constexpr int kMaxChoices = 32;
inline constexpr size_t kMaxStops = 16;

// Everything but logprobs, which the endpoints spell differently. Without a seed a random one.
SamplingParams read_sampling(const FieldReader& fields, int vocabulary_size);
// max_completion_tokens, max_output_tokens or max_tokens.
int read_max_tokens(const FieldReader& fields, int otherwise);
std::vector<std::string> read_stop(const FieldReader& fields);
int read_choices(const FieldReader& fields);
// model, stream, stream_options.
GenerationRequest read_frame(const FieldReader& fields, const ServerOptions& options);

}  // namespace polyphon
