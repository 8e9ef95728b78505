#include "train/adapter_file.h"

#include "train/named_tensors.h"

namespace polyphon {

void write_adapter(const std::string& path, const Lora& lora, const std::string& architecture,
                   const std::string& base_digest) {
  TensorFile file;
  file.strings = {{"general.type", "adapter"},
                  {"general.architecture", architecture},
                  {"general.name", "polyphon adapter"},
                  {"adapter.type", "lora"},
                  {"polyphon.base_sha256", base_digest}};
  // llama.cpp scales by alpha / rank, as we do.
  file.floats["adapter.lora.alpha"] = lora.config().alpha;
  for (const auto& [name, tensor] : lora.parameters()) file.tensors[name] = to_named(tensor);
  write_tensor_file(path, file);
}

}  // namespace polyphon
