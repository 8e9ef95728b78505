#include "reason/heads.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "base/error.h"
#include "model/tensor_file.h"

namespace polyphon {
namespace {

constexpr const char* kArchitecture = "general.architecture";
constexpr const char* kOurs = "polyphon-heads";
constexpr const char* kVersion = "polyphon.heads.version";
constexpr const char* kModelDigest = "polyphon.heads.model_digest";

constexpr int64_t kAnyUnits = -1;

// Names every tensor of the heads, once for reading and writing.
template <typename Visitor>
void visit_tensors(Heads& heads, int64_t hidden_size, Visitor&& visit) {
  visit("gate.weights", std::span<double>(heads.gate.weights));
  visit("gate.bias", std::span<double>(&heads.gate.bias, 1));
  visit("gate.hidden_weights", heads.gate.hidden_weights, {hidden_size});
  visit("value.weights", std::span<double>(heads.value.weights));
  visit("value.bias", std::span<double>(&heads.value.bias, 1));
  visit("value.w1", heads.value.w1, {kAnyUnits, hidden_size});
  visit("value.b1", heads.value.b1, {kAnyUnits});
  visit("value.w2", heads.value.w2, {kAnyUnits});
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
}

void add_weight_of_newest_feature(TensorFile& file) {
  const auto found = file.tensors.find("value.weights");
  if (found == file.tensors.end()) return;
  std::vector<float>& weights = found->second.values;
  if (weights.size() == ValueFeatures::kCount - 1) weights.push_back(0);
}

class Reader {
 public:
  Reader(const TensorFile& file, const std::string& path) : file_(file), path_(path) {}

  void operator()(const char* name, std::span<double> into) const {
    const NamedTensor* const tensor = find(name, into.size());
    if (tensor) std::copy(tensor->values.begin(), tensor->values.end(), into.begin());
  }
  // A part that may be left out.
  void operator()(const char* name, std::vector<float>& into, std::vector<int64_t> shape) const {
    size_t size = 1;
    for (const int64_t dimension : shape)
      size *= static_cast<size_t>(std::max<int64_t>(1, dimension));
    const auto found = file_.tensors.find(name);
    if (found == file_.tensors.end()) return;
    if (shape.front() == kAnyUnits) size = found->second.values.size() / size * size;
    into = find(name, size)->values;
  }

 private:
  const NamedTensor* find(const char* name, size_t size) const {
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
};

class Writer {
 public:
  explicit Writer(TensorFile& file) : file_(file) {}

  void operator()(const char* name, std::span<double> from) const {
    file_.tensors[name] = {{static_cast<int64_t>(from.size())}, {from.begin(), from.end()}};
  }
  void operator()(const char* name, const std::vector<float>& from,
                  std::vector<int64_t> shape) const {
    if (from.empty()) return;
    int64_t rest = 1;
    for (size_t i = 1; i < shape.size(); ++i) rest *= shape[i];
    shape.front() = static_cast<int64_t>(from.size()) / rest;
    file_.tensors[name] = {shape, from};
  }

 private:
  TensorFile& file_;
};

}  // namespace

Heads read_heads(const std::string& path, const std::string& model_digest, int hidden_size) {
  TensorFile file = read_tensor_file(path);
  add_weight_of_newest_feature(file);
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
  visit_tensors(heads, hidden_size, Reader(file, path));
  const ValueHead& value = heads.value;
  if (value.b1.size() != value.w2.size() ||
      value.w1.size() != value.w2.size() * static_cast<size_t>(hidden_size))
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("{}: value.w1, value.b1 and value.w2 are of {}, {} and {} values, which "
                    "fit no layer over {} hidden ones",
                    path, value.w1.size(), value.b1.size(), value.w2.size(), hidden_size));
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
