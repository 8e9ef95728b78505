#include "app/load.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "app/model_catalogue.h"
#include "attention/span_backend.h"
#include "base/digest.h"
#include "base/error.h"
#include "core/version.h"

namespace polyphon {
namespace {

const SteadyClock kClock;

void show_progress(float progress) {
  if (isatty(STDERR_FILENO) == 0) return;
  std::fprintf(stderr, "\rloading the model: %3.0f %%", 100.0 * progress);
  if (progress >= 1) std::fprintf(stderr, "\r\033[K");
}

// Untrained ones when none are configured.
Heads configured_heads(const Reasoner& reasoner, const Config& config) {
  const std::string path = heads_path(config);
  if (path.empty()) return {};
  return read_heads(path, reasoner.identity().model_digest, reasoner.model().info().hidden_size);
}

std::unique_ptr<Engine> make_engine(const LanguageModel& model, const DecoderOptions& decoder,
                                    const Config& config) {
  EngineOptions options = config.engine;
  if (!model.info().supports_views) options.max_cached_prefixes = 0;
  return std::make_unique<Engine>(model.make_decoder(decoder), options, kClock);
}

}  // namespace

std::string model_digest(const std::string& path) {
  struct stat state{};
  if (stat(path.c_str(), &state) != 0)
    throw Error(ErrorCode::kNotFound, "no model file at " + path);
  const std::string key =
      sha256(fmt::format("{} {} {}.{}", std::filesystem::absolute(path).string(), state.st_size,
                         state.st_mtim.tv_sec, state.st_mtim.tv_nsec));
  const std::filesystem::path folder =
      std::filesystem::path(models_folder()).parent_path() / "digests";
  const std::filesystem::path memo = folder / key.substr(0, 32);
  std::string digest;
  std::ifstream remembered(memo);
  if (remembered >> digest && digest.size() == 64) return digest;
  digest = sha256_file(path);
  std::error_code ignored;  // a digest that cannot be remembered is only computed again
  std::filesystem::create_directories(folder, ignored);
  std::ofstream(memo) << digest << '\n';
  return digest;
}

std::string apply_version(const Config& config, const std::string& digest,
                          DecoderOptions& decoder) {
  std::string name = untrained_version(digest);
  if (!config.version.empty()) {
    if (!decoder.adapter.empty())
      throw Error(ErrorCode::kInvalidArgument,
                  "a version has its own adapter: give [model] version or adapter, not both");
    const Version version = read_version(config.version);
    require_base("version " + version.name, version.base_digest, digest);
    decoder.adapter = version_adapter(config.version);
    name = version.name;
  } else if (!decoder.adapter.empty()) {
    const std::string adapter = decoder.adapter;
    if (const std::string base = adapter_base_digest(adapter); !base.empty())
      require_base("adapter " + adapter, base, digest);
    name += "+lora-" + sha256_file(adapter).substr(0, 12);
  }
  return name;
}

void reload_version(Reasoner& reasoner, const Config& config) {
  DecoderOptions decoder = config.decoder;
  const std::string version = apply_version(config, reasoner.identity().model_digest, decoder);
  Heads heads = configured_heads(reasoner, config);
  if (version == reasoner.version())
    reasoner.swap_heads(std::move(heads));
  else
    reasoner.swap_version(version, make_engine(reasoner.model(), decoder, config),
                          std::move(heads));
}

std::unique_ptr<Reasoner> load_reasoner(const Config& config) {
  ModelOptions model_options = config.model_options;
  model_options.path = resolve_model(config.model);
  model_options.progress = show_progress;
  register_span_backend();
  enable_span_backend(config.kernels == "own");
  const std::string digest = model_digest(model_options.path);
  DecoderOptions decoder_options = config.decoder;
  const std::string version = apply_version(config, digest, decoder_options);
  auto model = load_language_model(model_options);
  auto engine = make_engine(*model, decoder_options, config);
  Reasoner::Identity identity{version, digest, config_hash(config)};
  auto reasoner =
      std::make_unique<Reasoner>(std::move(model), std::move(engine), config.reason, identity);
  reasoner->swap_heads(configured_heads(*reasoner, config));
  const MemoryOptions& memory = config.reason.memory;
  if (!memory.path.empty())
    reasoner->use_memory_store(std::make_unique<MemoryStore>(
        memory.path,
        StoreLimits{memory.max_stored_nodes, int64_t{memory.max_stored_cells_mib} << 20}));
  return reasoner;
}

}  // namespace polyphon
