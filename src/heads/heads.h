// The heads: small learned functions that thinking sessions consult. They are stored in one
// versioned GGUF file beside the model whose hidden states they read. Plain data; reading and
// writing block on the file.
#pragma once

#include <string>

#include "heads/gate.h"
#include "heads/memory_heads.h"
#include "heads/topology_head.h"
#include "heads/value_head.h"

namespace polyphon {

struct Heads {
  std::string version = "untrained";
  GateHead gate;
  ValueHead value;
  MemoryHeads memory;
  TopologyHead topology;
};

// Reads the heads of a file; a head that is not in the file keeps its default weights. Tensors
// (F32):
//   gate.weights [6], gate.bias [1], gate.hidden_weights [hidden_size]
//   value.weights [7], value.bias [1], value.hidden_weights [hidden_size]
//   memory.write.weights [5], memory.write.bias [1], memory.write.hidden_weights [hidden_size],
//   memory.read.weights [2] (lexical, hidden), memory.read.bilinear [hidden_size, hidden_size]
//   topology.weights [7] (bias, features), topology.hidden_weights [4, hidden_size]
// Weights on hidden states may be missing; their term is then left out. If topology.weights is
// missing, the topology head is untrained and does not correct the model's plan. Throws
// Error{kNotFound} if there is no file. Throws Error{kInvalidArgument} if the file holds no heads,
// heads of another model (the message names both digests), a tensor with an unknown name or a wrong
// size, or a value that is not finite.
Heads read_heads(const std::string& path, const std::string& model_digest, int hidden_size);

// Throws Error{kInternal} if the file cannot be written completely.
void write_heads(const std::string& path, const Heads& heads, const std::string& model_digest,
                 int hidden_size);

}  // namespace polyphon
