#include <fmt/format.h>
#include <llama.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/check.h"
#include "base/error.h"
#include "base/process.h"
#include "model/language_model.h"
#include "model/llama_backend.h"
#include "model/llama_chat_template.h"
#include "model/llama_decoder.h"
#include "model/llama_vocabulary.h"
#include "model/openmp_team.h"
#include "model/token_grammar.h"
#include "model/weightless_model.h"

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
  LlamaLanguageModel(ModelHandle model, const ModelOptions& options, bool has_weights)
      : model_(std::move(model)),
        has_weights_(has_weights),
        info_(describe(model_.get(), options.path)),
        vocabulary_(llama_model_get_vocab(model_.get())),
        chat_template_(make_llama_chat_template(model_.get(), options.chat_template)) {}

  const ModelInfo& info() const override { return info_; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  const ChatTemplate& chat_template() const override { return *chat_template_; }
  std::unique_ptr<Decoder> make_decoder(const DecoderOptions& options) const override {
    POLYPHON_CHECK(has_weights_);
    return make_llama_decoder(model_.get(), options);
  }
  std::unique_ptr<Grammar> make_grammar(const GrammarSpec& spec) const override {
    return grammars_.make(spec);
  }

 private:
  ModelHandle model_;
  bool has_weights_;
  ModelInfo info_;
  LlamaVocabulary vocabulary_;
  GrammarMaker grammars_{vocabulary_};
  std::unique_ptr<ChatTemplate> chat_template_;
};

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::kInvalidArgument, what);
}

void check_file(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored))
    throw Error(ErrorCode::kNotFound, "no model file at " + path);
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw Error(ErrorCode::kNotFound,
                fmt::format("cannot read model file {}: {}", path, std::strerror(errno)));
  char magic[4] = {};
  if (!file.read(magic, sizeof magic) || std::memcmp(magic, "GGUF", 4) != 0)
    refuse(path + " is not a GGUF file");
}

[[noreturn]] void refuse_for_memory(const std::string& path, const std::string& why) {
  throw Error(ErrorCode::kInternal,
              fmt::format("not enough memory for {} ({}): {}", path,
                          memory_text(std::filesystem::file_size(path)), why));
}

// One line for what libllama logged in many while it failed to load the file.
[[noreturn]] void fail_load(const std::string& path, const std::string& log) {
  const auto says = [&](const char* words) { return log.find(words) != std::string::npos; };
  // "...: error loading model: <the reason>; llama_model_load_from_file_impl: failed to load model"
  constexpr std::string_view kLead = "error loading model: ";
  const size_t lead = log.find(kLead);
  const size_t begin = lead == std::string::npos ? 0 : lead + kLead.size();
  const std::string reason = log.substr(begin, log.find("; ", begin) - begin);
  if (says("llocate") || says("insufficient memory")) refuse_for_memory(path, reason);
  if (says("not within the file bounds") || says("remaining file size") || says("failed to read"))
    refuse(path + " is truncated or damaged: download it again");
  refuse(fmt::format("cannot load {}: {}", path, reason.empty() ? "no reason given" : reason));
}

void check_generates_text(const llama_model* model, const std::string& path) {
  if (llama_model_is_diffusion(model))
    refuse(path + " is a diffusion model: it does not decode token by token");
  if (llama_model_has_encoder(model) || !llama_model_has_decoder(model))
    refuse(path + " is an encoder or encoder-decoder model: only decoders are served");
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

std::unique_ptr<LanguageModel> load(const ModelOptions& options, bool with_weights) {
  init_llama_backend();
  check_file(options.path);
  // Mapped pages could be read again from the disk, but the kernels' repacked copies could not.
  const auto available = static_cast<uint64_t>(available_memory());
  if (with_weights && !has_accelerator() && std::filesystem::file_size(options.path) > available)
    refuse_for_memory(options.path, "only " + memory_text(available) + " are free");
  llama_model_params params = llama_model_default_params();
  params.vocab_only = !with_weights;
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
  release_openmp_team();  // it has repacked the weights
  if (!model) fail_load(options.path, take_llama_errors());
  check_generates_text(model.get(), options.path);
  return std::make_unique<LlamaLanguageModel>(std::move(model), options, with_weights);
}

}  // namespace

std::unique_ptr<LanguageModel> load_language_model(const ModelOptions& options) {
  return load(options, true);
}

std::unique_ptr<LanguageModel> load_weightless_model(const ModelOptions& options) {
  return load(options, false);
}

}  // namespace polyphon
