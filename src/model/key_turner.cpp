#include "model/key_turner.h"

#include "base/check.h"

namespace polyphon {
namespace {

constexpr int kContextCells = KeyTurner::kMostCells + 1;
constexpr llama_seq_id kTurned = 0;

llama_context_params small_params(llama_context_params params) {
  params.n_ctx = kContextCells;
  params.n_batch = kContextCells;
  params.n_ubatch = 1;  // nothing is ever computed but the shift
  params.n_seq_max = 1;
  return params;
}

}  // namespace

std::string save_sequence(llama_context* context, llama_seq_id sequence) {
  std::string bytes(llama_state_seq_get_size(context, sequence), '\0');
  const size_t written = llama_state_seq_get_data(context, reinterpret_cast<uint8_t*>(bytes.data()),
                                                  bytes.size(), sequence);
  bytes.resize(written);
  return bytes;
}

bool load_sequence(llama_context* context, llama_seq_id sequence, const std::string& bytes) {
  const bool loaded = !bytes.empty() && llama_state_seq_set_data(
                                            context, reinterpret_cast<const uint8_t*>(bytes.data()),
                                            bytes.size(), sequence) == bytes.size();
  if (!loaded) llama_memory_seq_rm(llama_get_memory(context), sequence, -1, -1);
  return loaded;
}

KeyTurner::KeyTurner(llama_model* model, const llama_context_params& serving)
    : context_(llama_init_from_model(model, small_params(serving)), llama_free) {
  if (context_ && !llama_memory_can_shift(llama_get_memory(context_.get()))) context_.reset();
}

std::optional<std::string> KeyTurner::turn(const std::string& bytes, Position by) {
  if (!context_ || !load_sequence(context_.get(), kTurned, bytes)) return std::nullopt;
  const llama_memory_t memory = llama_get_memory(context_.get());
  llama_memory_seq_add(memory, kTurned, -1, -1, by);
  apply_shift();
  std::string turned = save_sequence(context_.get(), kTurned);
  llama_memory_clear(memory, false);
  return turned;
}

// libllama shifts when it next decodes, and before it looks for room. A batch as large as the whole
// context finds none beside the cells that are there, so nothing else is computed.
void KeyTurner::apply_shift() {
  Tokens too_many(kContextCells, 0);
  POLYPHON_CHECK(
      llama_decode(context_.get(), llama_batch_get_one(too_many.data(), kContextCells)) == 1);
}

}  // namespace polyphon
