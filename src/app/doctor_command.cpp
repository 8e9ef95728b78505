// polyphon doctor: what this machine has, what the model needs, what fits, what is wrong.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "app/command.h"
#include "app/load.h"
#include "app/model_catalogue.h"
#include "base/error.h"

namespace polyphon {
namespace {

constexpr double kGiB = 1 << 30;

uint64_t available_memory() {
  std::ifstream meminfo("/proc/meminfo");
  for (std::string key; meminfo >> key;) {
    uint64_t kib = 0;
    if (key == "MemAvailable:" && meminfo >> kib) return kib * 1024;
    meminfo.ignore(256, '\n');
  }
  return 0;
}

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

// How many streams of each length fit into the memory that is left beside the weights.
Json fits(uint64_t memory, int64_t bytes_per_cell) {
  Json table = Json::array();
  for (const int length : {256, 1024, 4096}) {
    const int64_t cells = static_cast<int64_t>(memory) / std::max<int64_t>(1, bytes_per_cell);
    table.push_back(
        {{"tokens", length}, {"streams", std::clamp<int64_t>((cells - 1024) / length, 0, 64)}});
  }
  return table;
}

int doctor(const ModelFlags& flags, bool json) {
  const Config config = flags.config();
  Json report = {{"machine", machine_report(compute_info())}};
  Json problems = Json::array();
  if (report["machine"]["cpu_variant"].get<std::string>().empty())
    problems.push_back(
        "libggml found no CPU backend beside its own library: build again (make build)");
  try {
    ModelOptions options = config.model_options;
    options.path = resolve_model(config.model.empty() ? default_model_name() : config.model);
    const auto model = load_language_model(options);
    DecoderOptions small = config.decoder;
    small.context_cells = 256;
    const int64_t per_cell = model->make_decoder(small)->bytes_per_cell();
    const uint64_t memory = report["machine"]["memory_available"];
    const ModelInfo& info = model->info();
    report["model"] = {{"name", info.name},
                       {"path", info.path},
                       {"description", info.description},
                       {"weights_bytes", info.size_bytes},
                       {"kv_bytes_per_cell", per_cell},
                       {"trained_context", info.trained_context},
                       {"thinks_in_streams", info.supports_views},
                       {"fits", fits(memory, per_cell)}};
    if (!info.supports_views)
      problems.push_back("streams, merging and the prefix cache are off: " + info.views_reason);
    const double cache = static_cast<double>(per_cell) * config.decoder.context_cells;
    if (cache > static_cast<double>(memory))
      problems.push_back(fmt::format("a context of {} cells takes {:.1f} GiB, but {:.1f} are free",
                                     config.decoder.context_cells, cache / kGiB,
                                     static_cast<double>(memory) / kGiB));
  } catch (const Error& error) {
    problems.push_back(error.what());
  }
  report["problems"] = problems;
  if (json) {
    print_out(report.dump(2) + "\n");
    return problems.empty() ? 0 : 1;
  }
  const Json& machine = report["machine"];
  std::string text = fmt::format(
      "llama.cpp  {}\nCPU        {} kernels, {} threads: {}\nmemory     {:.1f} GiB available\n"
      "disk       {:.1f} GiB available for models\n",
      machine["llama_cpp"].get<std::string>(), machine["cpu_variant"].get<std::string>(),
      machine["threads"].get<int>(), joined(machine["cpu_features"]),
      machine["memory_available"].get<double>() / kGiB,
      machine["disk_available"].get<double>() / kGiB);
  for (const Json& device : machine["devices"])
    text += fmt::format("device     {} ({}){}\n", device["name"].get<std::string>(),
                        device["description"].get<std::string>(),
                        device["accelerator"].get<bool>() ? ", accelerator" : "");
  if (report.contains("model")) {
    const Json& model = report["model"];
    text += fmt::format(
        "model      {} ({}), weights {:.2f} GiB, {} bytes of KV a token, trained for {}\n",
        model["name"].get<std::string>(), model["description"].get<std::string>(),
        model["weights_bytes"].get<double>() / kGiB, model["kv_bytes_per_cell"].get<int64_t>(),
        model["trained_context"].get<int>());
    for (const Json& fit : model["fits"])
      text += fmt::format("fits       {} streams of {} tokens\n", fit["streams"].get<int>(),
                          fit["tokens"].get<int>());
  }
  for (const Json& problem : problems) text += "problem    " + problem.get<std::string>() + "\n";
  if (problems.empty()) text += "no problem found\n";
  print_out(text);
  return problems.empty() ? 0 : 1;
}

}  // namespace

void add_doctor_command(CLI::App& app, Run& run) {
  auto flags = std::make_shared<ModelFlags>();
  auto json = std::make_shared<bool>(false);
  CLI::App& command = *app.add_subcommand("doctor", "what the machine has and what fits");
  flags->add_to(command);
  command.add_flag("--json", *json, "one JSON object");
  command.callback([flags, json, &run] { run = [flags, json] { return doctor(*flags, *json); }; });
}

}  // namespace polyphon
