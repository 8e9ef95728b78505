#include "heads/heads.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <span>

#include "base/error.h"
#include "model/tensor_file.h"

namespace polyphon {
namespace {

constexpr const char* kArchitecture = "general.architecture";
constexpr const char* kOurs = "polyphon-heads";
constexpr const char* kVersion = "polyphon.heads.version";
constexpr const char* kModelDigest = "polyphon.heads.model_digest";

// Lists all tensors of the heads, for both reading and writing.
template <typename Visitor>
void visit_tensors(Heads& heads, int64_t hidden_size, Visitor&& visit) {
  visit("gate.weights", std::span<double>(heads.gate.weights));
  visit("gate.bias", std::span<double>(&heads.gate.bias, 1));
  visit("gate.hidden_weights", heads.gate.hidden_weights, {hidden_size});
  visit("value.weights", std::span<double>(heads.value.weights));
  visit("value.bias", std::span<double>(&heads.value.bias, 1));
  visit("value.hidden_weights", heads.value.hidden_weights, {hidden_size});
  WriteHead& write = heads.memory.write;
  visit("memory.write.weights", std::span<double>(write.weights));
  visit("memory.write.bias", std::span<double>(&write.bias, 1));
  visit("memory.write.hidden_weights", write.hidden_weights, {hidden_size});
  ReadHead& read = heads.memory.read;
  std::array<double, 2> terms = {read.lexical_weight, read.hidden_weight};
  visit("memory.read.weights", std::span<double>(terms));
  read.lexical_weight = terms[0];
  read.hidden_weight = terms[1];
  visit("memory.read.bilinear", read.bilinear, {hidden_size, hidden_size});
  visit("topology.weights", heads.topology.weights, {1 + TopologyFeatures::kCount});
  visit("topology.hidden_weights", heads.topology.hidden_weights,
        {TopologyFeatures::kStateTerms, hidden_size});
}

int64_t elements_of(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t dimension : shape) count *= dimension;
  return count;
}

class Reader {
 public:
  Reader(const TensorFile& file, const std::string& path) : file_(file), path_(path) {}

  void operator()(const char* name, std::span<double> into) {
    const NamedTensor* const tensor = find(name, into.size());
    if (tensor) std::copy(tensor->values.begin(), tensor->values.end(), into.begin());
  }
  // A tensor that may be missing.
  void operator()(const char* name, std::vector<float>& into, const std::vector<int64_t>& shape) {
    const NamedTensor* const tensor = find(name, static_cast<size_t>(elements_of(shape)));
    if (tensor) into = tensor->values;
  }
  void refuse_others() const {
    for (const auto& [name, tensor] : file_.tensors)
      if (!known_.contains(name))
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("{}: no head has a tensor '{}': remove the file and train heads "
                                "again",
                                path_, name));
  }

 private:
  const NamedTensor* find(const char* name, size_t size) {
    known_.insert(name);
    const auto found = file_.tensors.find(name);
    if (found == file_.tensors.end()) return nullptr;
    const std::vector<float>& values = found->second.values;
    if (values.size() != size)
      throw Error(ErrorCode::kInvalidArgument, fmt::format("{}: {} has {} values, must have {}",
                                                           path_, name, values.size(), size));
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }))
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("{}: {} holds a value that is not finite", path_, name));
    return &found->second;
  }

  const TensorFile& file_;
  const std::string& path_;
  std::set<std::string> known_;
};

class Writer {
 public:
  explicit Writer(TensorFile& file) : file_(file) {}

  void operator()(const char* name, std::span<double> from) const {
    file_.tensors[name] = {{static_cast<int64_t>(from.size())}, {from.begin(), from.end()}};
  }
  void operator()(const char* name, const std::vector<float>& from,
                  const std::vector<int64_t>& shape) const {
    if (!from.empty()) file_.tensors[name] = {shape, from};
  }

 private:
  TensorFile& file_;
};

}  // namespace

Heads read_heads(const std::string& path, const std::string& model_digest, int hidden_size) {
  const TensorFile file = read_tensor_file(path);
  const auto text = [&](const char* key) {
    const auto found = file.strings.find(key);
    return found == file.strings.end() ? std::string() : found->second;
  };
  if (text(kArchitecture) != kOurs)
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} is a GGUF of '{}', not of heads", path, text(kArchitecture)));
  if (text(kModelDigest) != model_digest)
    throw Error(ErrorCode::kInvalidArgument, fmt::format("{} holds heads of model {}, this is {}",
                                                         path, text(kModelDigest), model_digest));
  Heads heads;
  heads.version = text(kVersion);
  Reader reader(file, path);
  visit_tensors(heads, hidden_size, reader);
  reader.refuse_others();
  if (!heads.topology.is_trained() && !heads.topology.hidden_weights.empty())
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("{}: topology.hidden_weights is there, but topology.weights is missing", path));
  return heads;
}

void write_heads(const std::string& path, const Heads& heads, const std::string& model_digest,
                 int hidden_size) {
  TensorFile file;
  file.strings = {{kArchitecture, kOurs}, {kVersion, heads.version}, {kModelDigest, model_digest}};
  Heads copy = heads;
  visit_tensors(copy, hidden_size, Writer(file));
  write_tensor_file(path, file);
}

}  // namespace polyphon
