// Turns saved keys to other positions by RoPE, through libllama's own shift (which knows each
// model's frequencies and scaling). In a small context of its own: the shift runs over every cell
// of a context, so in the serving one it would cost as much as many decodes.
#pragma once

#include <llama.h>

#include <memory>
#include <optional>
#include <string>

#include "core/token.h"

namespace polyphon {

class KeyTurner {
 public:
  static constexpr int kMostCells = 255;

  // `model` must outlive this. `serving` is what the copies come from: its types count.
  KeyTurner(llama_model* model, const llama_context_params& serving);

  // `bytes` are libllama's of one sequence of at most kMostCells. Nothing when they are damaged, or
  // the model's keys cannot be turned.
  std::optional<std::string> turn(const std::string& bytes, Position by);

 private:
  void apply_shift();

  std::unique_ptr<llama_context, decltype(&llama_free)> context_;  // null: cannot
};

// All cells of the sequence, as libllama writes them.
std::string save_sequence(llama_context* context, llama_seq_id sequence);
// False when the bytes do not fit the context, which then holds nothing of them.
bool load_sequence(llama_context* context, llama_seq_id sequence, const std::string& bytes);

}  // namespace polyphon
