#include "model/weight_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <ggml.h>
#include <gguf.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <utility>

#include "base/error.h"
#include "model/gguf_pointer.h"
#include "model/llama_backend.h"

namespace polyphon {
namespace {

// Typed access to the metadata; every refusal names the file.
class Metadata {
 public:
  Metadata(const gguf_context* gguf, const std::string& path) : gguf_(gguf), path_(path) {}

  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(ErrorCode::kInvalidArgument, path_ + ": " + why);
  }
  std::optional<std::string> text(const std::string& key) const {
    const int64_t id = gguf_find_key(gguf_, key.c_str());
    if (id < 0 || gguf_get_kv_type(gguf_, id) != GGUF_TYPE_STRING) return std::nullopt;
    return gguf_get_val_str(gguf_, id);
  }
  std::optional<double> number(const std::string& key) const {
    const int64_t id = gguf_find_key(gguf_, key.c_str());
    if (id < 0) return std::nullopt;
    switch (gguf_get_kv_type(gguf_, id)) {
      case GGUF_TYPE_UINT32:
        return gguf_get_val_u32(gguf_, id);
      case GGUF_TYPE_INT32:
        return gguf_get_val_i32(gguf_, id);
      case GGUF_TYPE_UINT64:
        return static_cast<double>(gguf_get_val_u64(gguf_, id));
      case GGUF_TYPE_FLOAT32:
        return gguf_get_val_f32(gguf_, id);
      default:
        refuse(key + " is not a single number: the trainer needs layers that are all alike");
    }
  }
  int size(const std::string& key) const {
    const auto value = number(key);
    if (!value || *value < 1 || *value > 1e9) refuse(key + " is missing or not a size");
    return static_cast<int>(*value);
  }
  int size_or(const std::string& key, int otherwise) const {
    return number(key) ? size(key) : otherwise;
  }

 private:
  const gguf_context* gguf_;
  const std::string path_;
};

RopePairs rope_pairs_of(const std::string& architecture, const Metadata& metadata) {
  if (architecture == "llama") return RopePairs::kNeighbours;
  if (architecture == "qwen2" || architecture == "qwen3") return RopePairs::kHalves;
  metadata.refuse("architecture " + architecture +
                  " cannot be trained yet: llama, qwen2 and qwen3 can");
}

void refuse_what_is_not_computed(const std::string& prefix, const Metadata& metadata) {
  const double experts = metadata.number(prefix + "expert_count").value_or(0);
  if (experts > 0)
    metadata.refuse(fmt::format("{} experts a layer cannot be trained yet", experts));
  const std::string scaling = metadata.text(prefix + "rope.scaling.type").value_or("none");
  if (scaling != "none" && scaling != "linear")
    metadata.refuse("RoPE scaling " + scaling + " cannot be trained yet: none and linear can");
  for (const char* key : {"attention.scale", "logit_scale", "embedding_scale", "residual_scale"})
    if (metadata.number(prefix + key).value_or(0) != 0)
      metadata.refuse(prefix + key + " cannot be trained yet");
}

ModelShape read_shape(const Metadata& metadata) {
  ModelShape shape;
  shape.architecture = metadata.text("general.architecture").value_or("without a name");
  shape.rope_pairs = rope_pairs_of(shape.architecture, metadata);
  const std::string prefix = shape.architecture + ".";
  refuse_what_is_not_computed(prefix, metadata);
  shape.layers = metadata.size(prefix + "block_count");
  shape.hidden_size = metadata.size(prefix + "embedding_length");
  shape.feed_forward_size = metadata.size(prefix + "feed_forward_length");
  shape.heads = metadata.size(prefix + "attention.head_count");
  shape.kv_heads = metadata.size_or(prefix + "attention.head_count_kv", shape.heads);
  shape.head_size =
      metadata.size_or(prefix + "attention.key_length", shape.hidden_size / shape.heads);
  if (metadata.size_or(prefix + "attention.value_length", shape.head_size) != shape.head_size)
    metadata.refuse("keys and values of different sizes cannot be trained yet");
  if (shape.heads % shape.kv_heads != 0)
    metadata.refuse(
        fmt::format("{} heads do not share {} KV heads evenly", shape.heads, shape.kv_heads));
  shape.trained_context = metadata.size(prefix + "context_length");
  const auto epsilon = metadata.number(prefix + "attention.layer_norm_rms_epsilon");
  if (!epsilon) metadata.refuse(prefix + "attention.layer_norm_rms_epsilon is missing");
  shape.norm_epsilon = static_cast<float>(*epsilon);
  shape.rope_size = metadata.size_or(prefix + "rope.dimension_count", shape.head_size);
  shape.rope_base =
      static_cast<float>(metadata.number(prefix + "rope.freq_base").value_or(10000.0));
  const double factor = metadata.number(prefix + "rope.scaling.factor").value_or(1.0);
  const bool linear = metadata.text(prefix + "rope.scaling.type").value_or("linear") == "linear";
  if (linear && factor > 0) shape.rope_scale = static_cast<float>(1.0 / factor);
  shape.qk_norms = shape.architecture == "qwen3";
  return shape;
}

}  // namespace

struct WeightFile::State {
  std::string path;
  GgufPointer gguf;
  int file = -1;
  ModelShape shape;

  ~State() {
    if (file >= 0) ::close(file);
  }
  int64_t find(const std::string& tensor) const {
    const int64_t id = gguf_find_tensor(gguf.get(), tensor.c_str());
    if (id < 0) throw Error(ErrorCode::kNotFound, path + " has no tensor " + tensor);
    return id;
  }
};

WeightFile::WeightFile(const std::string& path) : state_(std::make_unique<State>()) {
  init_llama_backend();
  state_->path = path;
  state_->file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (state_->file < 0) throw Error(ErrorCode::kNotFound, "cannot read the file " + path);
  take_llama_errors();
  state_->gguf.reset(gguf_init_from_file(path.c_str(), {/*no_alloc=*/true, nullptr}));
  if (!state_->gguf)
    throw Error(ErrorCode::kInvalidArgument,
                path + " is not a GGUF file, or is damaged: " + take_llama_errors());
  const Metadata metadata(state_->gguf.get(), path);
  ModelShape& shape = state_->shape = read_shape(metadata);
  for (const char* name : {"token_embd.weight", "output_norm.weight", "blk.0.attn_q.weight"})
    if (!has(name)) metadata.refuse(std::string("has no tensor ") + name);
  shape.vocabulary_size = static_cast<int>(tensor_shape("token_embd.weight").front());
  shape.tied_head = !has("output.weight");
}

WeightFile::~WeightFile() = default;
WeightFile::WeightFile(WeightFile&&) noexcept = default;

const ModelShape& WeightFile::shape() const { return state_->shape; }

bool WeightFile::has(const std::string& tensor) const {
  return gguf_find_tensor(state_->gguf.get(), tensor.c_str()) >= 0;
}

std::vector<int64_t> WeightFile::tensor_shape(const std::string& tensor) const {
  const int64_t* const ne = gguf_get_tensor_ne(state_->gguf.get(), state_->find(tensor));
  int dimensions = GGML_MAX_DIMS;
  while (dimensions > 1 && ne[dimensions - 1] == 1) --dimensions;
  std::vector<int64_t> shape;
  for (int i = dimensions - 1; i >= 0; --i) shape.push_back(ne[i]);
  return shape;
}

std::vector<float> WeightFile::read(const std::string& tensor) const {
  const gguf_context* const gguf = state_->gguf.get();
  const int64_t id = state_->find(tensor);
  std::string bytes(gguf_get_tensor_size(gguf, id), '\0');
  const auto offset =
      static_cast<off_t>(gguf_get_data_offset(gguf) + gguf_get_tensor_offset(gguf, id));
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t got = ::pread(state_->file, bytes.data() + done, bytes.size() - done,
                                offset + static_cast<off_t>(done));
    if (got <= 0)
      throw Error(ErrorCode::kInvalidArgument,
                  state_->path + " ends inside tensor " + tensor + ": is the file whole?");
    done += static_cast<size_t>(got);
  }
  int64_t count = 1;
  for (int64_t size : tensor_shape(tensor)) count *= size;
  std::vector<float> values(static_cast<size_t>(count));
  const ggml_type type = gguf_get_tensor_type(gguf, id);
  if (type == GGML_TYPE_F32) {
    std::memcpy(values.data(), bytes.data(), bytes.size());
  } else if (const auto to_float = ggml_get_type_traits(type)->to_float) {
    to_float(bytes.data(), values.data(), count);
  } else {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}: tensor {} is {}, which cannot be turned into floats", state_->path,
                            tensor, ggml_type_name(type)));
  }
  return values;
}

}  // namespace polyphon
