#include "model/tensor_file.h"

#include <fmt/format.h>
#include <ggml.h>
#include <gguf.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/check.h"
#include "base/error.h"
#include "model/gguf_pointer.h"
#include "model/llama_backend.h"

namespace polyphon {
namespace {

struct FreeGgml {
  void operator()(ggml_context* context) const { ggml_free(context); }
};
using Gguf = GgufPointer;
using Ggml = std::unique_ptr<ggml_context, FreeGgml>;

// ggml's dimensions are in the reverse order and never fewer than four.
NamedTensor copy_of(const ggml_tensor& tensor) {
  NamedTensor copy;
  for (int i = ggml_n_dims(&tensor) - 1; i >= 0; --i) copy.shape.push_back(tensor.ne[i]);
  const auto* const values = static_cast<const float*>(tensor.data);
  copy.values.assign(values, values + ggml_nelements(&tensor));
  return copy;
}

ggml_tensor* make_tensor(ggml_context* context, const std::string& name,
                         const NamedTensor& tensor) {
  POLYPHON_CHECK(!tensor.shape.empty() && tensor.shape.size() <= GGML_MAX_DIMS);
  const std::vector<int64_t> reversed(tensor.shape.rbegin(), tensor.shape.rend());
  ggml_tensor* const made =
      ggml_new_tensor(context, GGML_TYPE_F32, static_cast<int>(reversed.size()), reversed.data());
  POLYPHON_CHECK(ggml_nelements(made) == static_cast<int64_t>(tensor.values.size()));
  std::copy(tensor.values.begin(), tensor.values.end(), static_cast<float*>(made->data));
  ggml_set_name(made, name.c_str());
  return made;
}

}  // namespace

TensorFile read_tensor_file(const std::string& path) {
  init_llama_backend();
  if (access(path.c_str(), R_OK) != 0)
    throw Error(ErrorCode::kNotFound, "cannot read the file " + path);
  take_llama_errors();
  ggml_context* raw = nullptr;
  const Gguf gguf(gguf_init_from_file(path.c_str(), {/*no_alloc=*/false, &raw}));
  const Ggml ggml(raw);
  if (!gguf)
    throw Error(ErrorCode::kInvalidArgument,
                path + " is not a GGUF file, or is damaged: " + take_llama_errors());
  TensorFile file;
  for (int64_t i = 0; i < gguf_get_n_kv(gguf.get()); ++i) {
    const char* const key = gguf_get_key(gguf.get(), i);
    const gguf_type type = gguf_get_kv_type(gguf.get(), i);
    if (type == GGUF_TYPE_STRING) file.strings[key] = gguf_get_val_str(gguf.get(), i);
    if (type == GGUF_TYPE_FLOAT32) file.floats[key] = gguf_get_val_f32(gguf.get(), i);
    if (type == GGUF_TYPE_UINT32) file.integers[key] = gguf_get_val_u32(gguf.get(), i);
  }
  for (int64_t i = 0; i < gguf_get_n_tensors(gguf.get()); ++i) {
    const char* const name = gguf_get_tensor_name(gguf.get(), i);
    const ggml_tensor* const tensor = ggml_get_tensor(ggml.get(), name);
    if (tensor->type != GGML_TYPE_F32)
      throw Error(ErrorCode::kInvalidArgument, fmt::format("{}: tensor {} is {}, must be F32", path,
                                                           name, ggml_type_name(tensor->type)));
    file.tensors[name] = copy_of(*tensor);
  }
  return file;
}

void write_tensor_file(const std::string& path, const TensorFile& file) {
  size_t bytes = ggml_tensor_overhead();
  for (const auto& [name, tensor] : file.tensors)
    bytes += ggml_tensor_overhead() + GGML_MEM_ALIGN + tensor.values.size() * sizeof(float);
  const Ggml ggml(ggml_init({bytes, nullptr, /*no_alloc=*/false}));
  const Gguf gguf(gguf_init_empty());
  for (const auto& [key, value] : file.strings)
    gguf_set_val_str(gguf.get(), key.c_str(), value.c_str());
  for (const auto& [key, value] : file.floats) gguf_set_val_f32(gguf.get(), key.c_str(), value);
  for (const auto& [key, value] : file.integers) gguf_set_val_u32(gguf.get(), key.c_str(), value);
  for (const auto& [name, tensor] : file.tensors)
    gguf_add_tensor(gguf.get(), make_tensor(ggml.get(), name, tensor));
  const std::string fresh = path + ".new";
  try {
    // libllama does not see a disk that is full when the file is closed: what arrived is read
    // again.
    if (!gguf_write_to_file(gguf.get(), fresh.c_str(), /*only_meta=*/false) ||
        read_tensor_file(fresh).tensors.size() != file.tensors.size() ||
        std::rename(fresh.c_str(), path.c_str()) != 0)
      throw Error(ErrorCode::kInternal, "cannot write " + path);
  } catch (const Error&) {
    std::remove(fresh.c_str());
    throw Error(ErrorCode::kInternal, "cannot write " + path + ": is the disk full?");
  }
}

}  // namespace polyphon
