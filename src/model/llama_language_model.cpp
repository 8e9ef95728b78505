#include <fmt/format.h>
#include <llama.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "model/language_model.h"
#include "model/llama_backend.h"
#include "model/llama_chat_template.h"
#include "model/llama_decoder.h"
#include "model/llama_grammar.h"
#include "model/llama_vocabulary.h"

namespace polyphon {
namespace {

using ModelHandle = std::unique_ptr<llama_model, decltype(&llama_model_free)>;

std::string metadata(const llama_model* model, const char* key) {
  char text[256];
  return llama_model_meta_val_str(model, key, text, sizeof text) < 0 ? "" : text;
}

// Why cells of this model's memory cannot be shared between views; empty when they can.
std::string no_views_reason(const llama_model* model) {
  if (llama_model_is_recurrent(model)) return "recurrent memory has no cells to share";
  if (llama_model_is_hybrid(model)) return "hybrid memory is partly recurrent";
  if (llama_model_is_diffusion(model)) return "diffusion models do not decode token by token";
  if (llama_model_has_encoder(model)) return "encoder-decoder models are not supported";
  const llama_rope_type rope = llama_model_rope_type(model);
  if (rope == LLAMA_ROPE_TYPE_MROPE || rope == LLAMA_ROPE_TYPE_IMROPE)
    return "M-RoPE gives a cell several positions";
  return "";
}

ModelInfo describe(const llama_model* model, const std::string& path) {
  ModelInfo info;
  info.path = path;
  info.name = metadata(model, "general.name");
  if (info.name.empty()) info.name = std::filesystem::path(path).stem().string();
  info.architecture = metadata(model, "general.architecture");
  char text[256];
  llama_model_desc(model, text, sizeof text);
  info.description = text;
  info.size_bytes = llama_model_size(model);
  info.parameters = llama_model_n_params(model);
  info.trained_context = llama_model_n_ctx_train(model);
  info.hidden_size = llama_model_n_embd(model);
  info.layers = llama_model_n_layer(model);
  info.views_reason = no_views_reason(model);
  info.supports_views = info.views_reason.empty();
  return info;
}

class LlamaLanguageModel final : public LanguageModel {
 public:
  LlamaLanguageModel(ModelHandle model, const ModelOptions& options)
      : model_(std::move(model)),
        info_(describe(model_.get(), options.path)),
        vocabulary_(llama_model_get_vocab(model_.get())),
        chat_template_(make_llama_chat_template(model_.get(), options.chat_template)) {}

  const ModelInfo& info() const override { return info_; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  const ChatTemplate& chat_template() const override { return *chat_template_; }
  std::unique_ptr<Decoder> make_decoder(const DecoderOptions& options) const override {
    return make_llama_decoder(model_.get(), options);
  }
  std::unique_ptr<Grammar> make_grammar(const GrammarSpec& spec) const override {
    return make_llama_grammar(llama_model_get_vocab(model_.get()), vocabulary_, spec);
  }

 private:
  ModelHandle model_;
  ModelInfo info_;
  LlamaVocabulary vocabulary_;
  std::unique_ptr<ChatTemplate> chat_template_;
};

// Says in one line what is wrong with a file before libllama says it in many.
void check_file(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored))
    throw Error(ErrorCode::kNotFound, "no model file at " + path);
  std::ifstream file(path, std::ios::binary);
  char magic[4] = {};
  if (!file.read(magic, sizeof magic) || std::memcmp(magic, "GGUF", 4) != 0)
    throw Error(ErrorCode::kInvalidArgument, path + " is not a GGUF file");
}

std::vector<ggml_backend_dev_t> devices_named(const std::string& names) {
  std::vector<ggml_backend_dev_t> devices;
  std::stringstream list(names);
  for (std::string name; std::getline(list, name, ',');) {
    devices.push_back(ggml_backend_dev_by_name(name.c_str()));
    if (!devices.back())
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("no device '{}': see `polyphon doctor`", name), "device");
  }
  devices.push_back(nullptr);
  return devices;
}

}  // namespace

std::unique_ptr<LanguageModel> load_language_model(const ModelOptions& options) {
  init_llama_backend();
  check_file(options.path);
  llama_model_params params = llama_model_default_params();
  params.n_gpu_layers = options.gpu_layers;
  std::vector<ggml_backend_dev_t> devices;
  if (!options.device.empty()) {
    devices = devices_named(options.device);
    params.devices = devices.data();
  }
  params.progress_callback = [](float progress, void* data) {
    const auto& report = *static_cast<const std::function<void(float)>*>(data);
    if (report) report(progress);
    return true;
  };
  params.progress_callback_user_data =
      const_cast<void*>(static_cast<const void*>(&options.progress));
  take_llama_errors();
  ModelHandle model(llama_model_load_from_file(options.path.c_str(), params), llama_model_free);
  if (!model) {
    const std::string why = take_llama_errors();
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("cannot load {}: {}", options.path,
                            why.empty() ? "libllama gives no reason" : why));
  }
  return std::make_unique<LlamaLanguageModel>(std::move(model), options);
}

}  // namespace polyphon
