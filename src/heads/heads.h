// The small learned functions that policy asks, as one versioned GGUF file beside the model whose
// hidden states they read. Plain state; loading and saving block on the file.
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

// Reads the heads that the file holds; the others keep their starting values. Tensors (F32):
//   gate.weights [6], gate.bias [1], gate.hidden_weights [hidden_size]
//   value.weights [7], value.bias [1], value.hidden_weights [hidden_size]
//   memory.write.weights [5], memory.write.bias [1], memory.write.hidden_weights [hidden_size],
//   memory.read.weights [2] (lexical, hidden), memory.read.bilinear [hidden_size, hidden_size]
//   topology.weights [7] (bias, features), topology.hidden_weights [4, hidden_size]
// The weights on hidden states may be left out, which leaves their term out. Without
// topology.weights that head is not trained, and what the model states of its topology stands.
// Throws Error{kNotFound} or {kInvalidArgument}: not such a file, of another model (naming both
// digests), a tensor of another size or of no head known here, a value that is not finite.
Heads read_heads(const std::string& path, const std::string& model_digest, int hidden_size);

// Throws Error{kInternal} when the file cannot be written whole.
void write_heads(const std::string& path, const Heads& heads, const std::string& model_digest,
                 int hidden_size);

}  // namespace polyphon
