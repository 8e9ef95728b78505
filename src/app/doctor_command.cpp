// polyphon doctor: what this machine has, what the model needs, what fits, what is wrong.
#include <fmt/format.h>

#include <filesystem>
#include <thread>

#include "app/command.h"
#include "base/error.h"
#include "base/process.h"
#include "deploy/load.h"
#include "deploy/model_catalogue.h"

namespace polyphon {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

Json machine_report(const ComputeInfo& compute) {
  Json devices = Json::array();
  for (const ComputeDevice& device : compute.devices)
    devices.push_back({{"name", device.name},
                       {"description", device.description},
                       {"memory_free", device.memory_free},
                       {"memory_total", device.memory_total},
                       {"accelerator", device.accelerator}});
  std::error_code unknown;
  std::filesystem::create_directories(models_folder(), unknown);
  const auto disk = std::filesystem::space(models_folder(), unknown);
  return {
      {"llama_cpp", compute.library_version},   {"cpu_variant", compute.cpu_variant},
      {"cpu_features", compute.cpu_features},   {"threads", std::thread::hardware_concurrency()},
      {"memory_available", available_memory()}, {"disk_available", unknown ? 0 : disk.available},
      {"devices", std::move(devices)}};
}

// How many streams of each length one request may have, beside a short prompt and an answer, and
// why not one more.
Json fits(const Reasoner& reasoner) {
  Json table = Json::array();
  for (const int length : {256, 1024, 4096}) {
    ThinkInput input;
    input.chat.messages = {{{"role", "user"}, {"content", "How many streams fit?"}}};
    static_cast<ThinkSettings&>(input) = reasoner.options().defaults;
    input.memory.enabled = false;
    int streams = 0;
    std::string limit;
    while (limit.empty()) {
      input.topology = {{{streams + 1, length}}};
      limit = reasoner.misfit(input);
      if (limit.empty()) ++streams;
    }
    table.push_back({{"tokens", length}, {"streams", streams}, {"limit", limit}});
  }
  return table;
}

Json model_report(Reasoner& reasoner) {
  const ModelInfo& info = reasoner.model().info();
  const auto engine = reasoner.engine();
  return {{"name", model_title(info)},
          {"path", info.path},
          {"description", info.description},
          {"weights_bytes", info.size_bytes},
          {"trained_context", info.trained_context},
          {"context_cells", engine->capacity_cells()},
          {"kv_bytes_per_cell", engine->bytes_per_cell()},
          {"memory_left", available_memory()},
          {"thinks_in_streams", info.supports_views},
          {"fits", info.supports_views ? fits(reasoner) : Json::array()}};
}

std::string text_of(const Json& report) {
  const Json& machine = report["machine"];
  std::string text = fmt::format(
      "llama.cpp  {}\nCPU        {} kernels, {} threads: {}\nmemory     {} available\n"
      "disk       {} available for models\n",
      machine["llama_cpp"].get<std::string>(), machine["cpu_variant"].get<std::string>(),
      machine["threads"].get<int>(), joined(machine["cpu_features"]),
      memory_text(machine["memory_available"]), memory_text(machine["disk_available"]));
  for (const Json& device : machine["devices"])
    text += fmt::format("device     {} ({}){}\n", device["name"].get<std::string>(),
                        device["description"].get<std::string>(),
                        device["accelerator"].get<bool>() ? ", accelerator" : "");
  if (report.contains("model")) {
    const Json& model = report["model"];
    const auto cells = model["context_cells"].get<uint64_t>();
    text += fmt::format(
        "model      {}; weights {}, trained for {} tokens\n"
        "context    {} KV cells of {} bytes: {}; beside it {} are left\n",
        model["name"].get<std::string>(), memory_text(model["weights_bytes"]),
        model["trained_context"].get<int>(), cells, model["kv_bytes_per_cell"].get<int64_t>(),
        memory_text(cells * model["kv_bytes_per_cell"].get<uint64_t>()),
        memory_text(model["memory_left"]));
    for (const Json& fit : model["fits"])
      text += fmt::format("fits       {} streams of {} tokens (one more: {})\n",
                          fit["streams"].get<int>(), fit["tokens"].get<int>(),
                          fit["limit"].get<std::string>());
  }
  for (const Json& problem : report["problems"])
    text += "problem    " + problem.get<std::string>() + "\n";
  return report["problems"].empty() ? text + "no problem found\n" : text;
}

int doctor(const ModelFlags& flags, bool json) {
  const Config config = flags.config();
  Json report = {{"machine", machine_report(compute_info())}};
  Json problems = Json::array();
  if (report["machine"]["cpu_variant"].get<std::string>().empty())
    problems.push_back(
        "libggml found no CPU backend beside its own library: build again (make build)");
  try {
    const auto reasoner = load_reasoner(config);
    report["model"] = model_report(*reasoner);
    const ModelInfo& info = reasoner->model().info();
    if (!info.supports_views)
      problems.push_back("streams, merging and the prefix cache are off: " + info.views_reason);
  } catch (const Error& error) {
    problems.push_back(error.what());
  }
  report["problems"] = problems;
  print_out(json ? report.dump(2) + "\n" : text_of(report));
  return problems.empty() ? 0 : 1;
}

}  // namespace

void add_doctor_command(CLI::App& app, Run& run) {
  auto flags = std::make_shared<ModelFlags>();
  auto json = std::make_shared<bool>(false);
  CLI::App& command =
      *app.add_subcommand("doctor", "Show what the machine has, what fits and what is wrong");
  flags->add_to(command);
  command.add_flag("--json", *json, "One JSON object instead of text");
  command.callback([flags, json, &run] { run = [flags, json] { return doctor(*flags, *json); }; });
}

}  // namespace polyphon
