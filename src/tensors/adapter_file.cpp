#include "tensors/adapter_file.h"

#include <fmt/format.h>

#include "base/error.h"
#include "tensors/named_tensors.h"

namespace polyphon {
namespace {

constexpr const char* kBaseKey = "polyphon.base_sha256";
constexpr const char* kAlphaKey = "adapter.lora.alpha";

template <typename Values>
auto value_of(const Values& values, const char* key) {
  const auto found = values.find(key);
  return found == values.end() ? typename Values::mapped_type{} : found->second;
}

}  // namespace

void write_adapter(const std::string& path, const Lora& lora, const std::string& architecture,
                   const std::string& base_digest) {
  TensorFile file;
  file.strings = {{"general.type", "adapter"},
                  {"general.architecture", architecture},
                  {"general.name", "polyphon adapter"},
                  {"adapter.type", "lora"},
                  {kBaseKey, base_digest}};
  // llama.cpp scales by alpha / rank, as we do.
  file.floats[kAlphaKey] = lora.config().alpha;
  for (const auto& [name, tensor] : lora.parameters()) file.tensors[name] = to_named(tensor);
  write_tensor_file(path, file);
}

void read_adapter(const std::string& path, const Lora& lora, const std::string& base_digest) {
  const TensorFile file = read_tensor_file(path);
  const auto refuse = [&](const std::string& why) {
    throw Error(ErrorCode::kInvalidArgument, path + " " + why, "from");
  };
  if (const std::string base = value_of(file.strings, kBaseKey); base != base_digest)
    refuse("is an adapter of model " + base + ", this is " + base_digest);
  if (const float alpha = value_of(file.floats, kAlphaKey); alpha != lora.config().alpha)
    refuse(fmt::format("has alpha {}, this run has {}", alpha, lora.config().alpha));
  const auto parameters = lora.parameters();
  if (file.tensors.size() != parameters.size())
    refuse(fmt::format("has {} tensors, this run's projections have {}", file.tensors.size(),
                       parameters.size()));
  for (const auto& [name, tensor] : parameters) {
    const auto found = file.tensors.find(name);
    if (found == file.tensors.end()) refuse("has no " + name);
    copy_named(name, found->second, tensor);
  }
}

Lora load_adapter(const std::string& path, const ModelShape& shape,
                  const std::string& base_digest) {
  const TensorFile file = read_tensor_file(path);
  LoraConfig config;
  config.alpha = value_of(file.floats, kAlphaKey);
  config.projections.clear();
  for (int projection = 0; projection < kProjectionCount; ++projection) {
    const auto a =
        file.tensors.find(fmt::format("blk.0.{}.weight.lora_a", kProjections[projection]));
    if (a == file.tensors.end()) continue;
    config.projections.emplace_back(kProjections[projection]);
    config.rank = static_cast<int>(static_cast<int64_t>(a->second.values.size()) /
                                   projection_size(shape, projection).second);
  }
  if (config.projections.empty() || config.rank < 1 || !(config.alpha > 0))
    throw Error(ErrorCode::kInvalidArgument, path + " is no adapter of this model's shape");
  Lora lora(shape, config, 0);
  read_adapter(path, lora, base_digest);
  return lora;
}

}  // namespace polyphon
