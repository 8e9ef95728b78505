#include "head_trainer/head_data_file.h"

#include <filesystem>

#include "tensors/named_tensors.h"

namespace polyphon {
namespace {

using torch::Tensor;

constexpr const char* kDataKey = "polyphon.head_data.key";
constexpr const char* kDataFound = "polyphon.head_data.found";

// Names every tensor and how many dimensions it has, once for writing and reading.
template <typename Visitor>
void visit_tensors(HeadData& data, Visitor&& visit) {
  for (const auto& [name, examples] :
       {std::pair("value.", &data.value), std::pair("gate.", &data.gate),
        std::pair("write.", &data.write), std::pair("topology.", &data.topology.each)}) {
    const std::string of = name;
    visit(of + "features", examples->features, 2);
    visit(of + "hidden", examples->hidden, 2);
    visit(of + "labels", examples->labels, 1);
    visit(of + "weights", examples->weights, 1);
    visit(of + "problems", examples->problems, 1);
    visit(of + "groups", examples->groups, 1);
    visit(of + "visits", examples->visits, 1);
    visit(of + "targets", examples->targets, 1);
    visit(of + "elsewhere", examples->elsewhere, 1);
  }
  visit("value.logprobs", data.logprobs, 2);
  visit("gate.effects", data.effects, 1);
  visit("topology.choices", data.topology.choices, 1);
  visit("topology.stated", data.topology.stated, 1);
  visit("read.keys", data.read.keys, 3);
  visit("read.states", data.read.states, 3);
  visit("read.lexical", data.read.lexical, 3);
  visit("read.there", data.read.there, 3);
  visit("read.wanted", data.read.wanted, 2);
  visit("read.weights", data.read.weights, 2);
}

}  // namespace

void write_head_data(const std::string& path, const HeadData& data, const std::string& key) {
  TensorFile file;
  file.strings = {{"general.architecture", "polyphon-head-data"},
                  {kDataKey, key},
                  {kDataFound, data.found.dump(-1, ' ', false, Json::error_handler_t::replace)}};
  HeadData copy = data;
  visit_tensors(copy, [&](const std::string& name, const Tensor& tensor, int) {
    if (tensor.numel() > 0) file.tensors[name] = to_named(tensor);
  });
  write_tensor_file(path, file);
}

std::optional<HeadData> read_head_data(const std::string& path, const std::string& key) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  TensorFile file = read_tensor_file(path);
  if (file.strings[kDataKey] != key) return std::nullopt;
  HeadData data;
  data.found = Json::parse(file.strings[kDataFound]);
  visit_tensors(data, [&](const std::string& name, Tensor& tensor, int dimensions) {
    const auto found = file.tensors.find(name);
    if (found == file.tensors.end()) return;
    tensor = torch::tensor(found->second.values).view(found->second.shape);
    while (tensor.dim() < dimensions) tensor = tensor.unsqueeze(0);  // GGUF drops those of one
  });
  for (Tensor* const numbers :
       {&data.value.problems, &data.value.groups, &data.gate.problems, &data.gate.groups,
        &data.write.problems, &data.write.groups, &data.topology.each.problems,
        &data.topology.each.groups, &data.topology.choices, &data.read.wanted})
    if (numbers->defined()) *numbers = numbers->to(torch::kLong);
  data.topology.names = data.found.value("topologies", std::vector<std::string>());
  return data;
}

}  // namespace polyphon
