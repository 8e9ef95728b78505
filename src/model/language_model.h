// A loaded model: weights, vocabulary, template; makes decoders. The only way into libllama.
// Thread: load and make_decoder block for seconds; the rest is immutable after loading.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/sampling.h"
#include "model/chat_template.h"
#include "model/decoder.h"
#include "model/grammar.h"
#include "model/vocabulary.h"

namespace polyphon {

struct ModelOptions {
  std::string path = "";                          // a GGUF file
  int gpu_layers = -1;                            // layers to offload, -1 is all that fit
  std::string device = "";                        // ggml names, comma separated; empty: automatic
  std::string chat_template = "";                 // overrides the file's own
  std::function<void(float)> progress = nullptr;  // 0..1, while loading
};

struct DecoderOptions {
  int context_cells = 16384;  // size of the unified KV cache
  int max_sequences = 256;
  int max_rows = 512;           // of one decode
  int threads = 0;              // 0: all physical cores
  std::string kv_type = "f16";  // f32, f16, bf16, q8_0, q4_0, ...
  std::string adapter = "";     // a LoRA as GGUF, of this decoder alone; empty: none
};

struct ModelInfo {
  std::string name;  // general.name, or the file's stem
  std::string path;
  std::string architecture;
  std::string description;  // "llama 135M Q4_1"
  uint64_t size_bytes = 0;
  uint64_t parameters = 0;
  int trained_context = 0;  // positions
  int hidden_size = 0;
  int layers = 0;
  bool supports_views = true;  // false: served plainly, see views_reason
  std::string views_reason;    // why not, e.g. "recurrent memory cannot share cells"
};

class LanguageModel {
 public:
  virtual ~LanguageModel() = default;

  virtual const ModelInfo& info() const = 0;
  virtual const Vocabulary& vocabulary() const = 0;
  virtual const ChatTemplate& chat_template() const = 0;
  // Throws Error{kInvalidArgument} for a type or size that cannot be or an adapter of another
  // architecture or shape, Error{kNotFound} for no adapter, Error{kInternal} when memory does not
  // suffice.
  virtual std::unique_ptr<Decoder> make_decoder(const DecoderOptions& options) const = 0;
  // Throws Error{kInvalidArgument, field "grammar"} when the GBNF does not parse. Any thread.
  virtual std::unique_ptr<Grammar> make_grammar(const GrammarSpec& spec) const = 0;
};

// Throws Error{kNotFound} (no such file), Error{kInvalidArgument} (not a GGUF, truncated, an
// architecture libllama does not know) or Error{kInternal}, each with one line that says so.
std::unique_ptr<LanguageModel> load_language_model(const ModelOptions& options);

// SHA-256 of the model file that an adapter was trained on; empty when it does not say. Throws
// Error{kNotFound}, or Error{kInvalidArgument} for what is no adapter.
std::string adapter_base_digest(const std::string& path);

// What libllama found on this machine, for doctor and the start-up line.
struct ComputeDevice {
  std::string name;          // "CPU", "CUDA0"
  std::string description;   // "Intel(R) Xeon(R) Processor"
  uint64_t memory_free = 0;  // bytes
  uint64_t memory_total = 0;
  bool accelerator = false;
};
struct ComputeInfo {
  std::vector<ComputeDevice> devices;
  std::string cpu_variant;                // the ggml CPU library chosen, e.g. "sapphirerapids"
  std::vector<std::string> cpu_features;  // in use by it: "AVX512_VNNI", "AMX_INT8", ...
  std::string library_version;            // llama.cpp's build
};
ComputeInfo compute_info();

}  // namespace polyphon
