#include "deploy/load.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "attention/span_backend.h"
#include "base/digest.h"
#include "base/error.h"
#include "core/version.h"
#include "deploy/model_catalogue.h"

namespace polyphon {
namespace {

const SteadyClock kClock;

void show_progress(float progress) {
  if (isatty(STDERR_FILENO) == 0) return;
  std::fprintf(stderr, "\rloading the model: %3.0f %%", 100.0 * progress);
  if (progress >= 1) std::fprintf(stderr, "\r\033[K");
}

// Untrained ones when none are configured.
Heads read_heads_of(const ConfiguredVersion& version, const Reasoner& reasoner) {
  if (version.heads_path.empty()) return {};
  return read_heads(version.heads_path, reasoner.identity().model_digest,
                    reasoner.model().info().hidden_size);
}

DecoderOptions decoder_of(const ConfiguredVersion& version, const Config& config) {
  DecoderOptions decoder = config.decoder;
  decoder.adapter = version.adapter_path;
  return decoder;
}

std::string digest_of(const std::string& path) { return path.empty() ? "" : sha256_file(path); }

std::unique_ptr<Engine> make_engine(const LanguageModel& model, const DecoderOptions& decoder,
                                    const Config& config) {
  EngineOptions options = config.engine;
  if (!model.info().supports_views) options.max_cached_prefixes = 0;
  return std::make_unique<Engine>(model.make_decoder(decoder), options, kClock);
}

// After the files were loaded: the digests are those of what was loaded.
void require_unchanged(const ConfiguredVersion& version, const Config& config,
                       const std::string& model_digest) {
  if (configured_version(config, model_digest).trained != version.trained)
    throw Error(ErrorCode::kUnavailable, "the files of version " + version.name +
                                             " changed while they were read: load them again");
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

ConfiguredVersion configured_version(const Config& config, const std::string& model_digest) {
  ConfiguredVersion version{
      untrained_version(model_digest), config.decoder.adapter, heads_path(config), {}};
  if (!config.version.empty()) {
    if (!version.adapter_path.empty())
      throw Error(ErrorCode::kInvalidArgument,
                  "a version has its own adapter: give [model] version or adapter, not both");
    const Version read = read_version(config.version);
    require_base("version " + read.name, read.base_digest, model_digest);
    version.name = read.name;
    version.adapter_path = version_adapter(config.version);
  } else if (!version.adapter_path.empty()) {
    const std::string base = adapter_base_digest(version.adapter_path);
    if (!base.empty()) require_base("adapter " + version.adapter_path, base, model_digest);
  }
  version.trained = {digest_of(version.adapter_path), digest_of(version.heads_path)};
  if (config.version.empty() && !version.adapter_path.empty())
    version.name += "+lora-" + version.trained.adapter.substr(0, 12);
  return version;
}

Reloaded Reloader::reload() {
  const std::lock_guard lock(mutex_);
  const Reasoner::Identity served = reasoner_.identity();
  const ConfiguredVersion next = configured_version(config_, served.model_digest);
  Reloaded reloaded{served.version, version_digest(served.model_digest, next.trained), {}};
  if (next.name != reasoner_.version()) reloaded.changed.push_back("version");
  const bool other_adapter = next.trained.adapter != served.trained.adapter;
  if (other_adapter) reloaded.changed.push_back("adapter");
  // An engine tells its figures under one name.
  const bool other_engine = !reloaded.changed.empty();
  if (next.trained.heads != served.trained.heads) reloaded.changed.push_back("heads");
  if (reloaded.changed.empty()) return reloaded;

  Heads heads = read_heads_of(next, reasoner_);
  auto engine =
      other_engine ? make_engine(reasoner_.model(), decoder_of(next, config_), config_) : nullptr;
  require_unchanged(next, config_, served.model_digest);
  if (engine)
    reasoner_.swap_version(next.name, next.trained, std::move(engine), std::move(heads));
  else
    reasoner_.swap_heads(std::move(heads), next.trained.heads);
  reloaded.version = reasoner_.identity().version;
  return reloaded;
}

std::unique_ptr<Reasoner> load_reasoner(const Config& config) {
  ModelOptions model_options = config.model_options;
  model_options.path = resolve_model(config.model);
  model_options.progress = show_progress;
  register_span_backend();
  enable_span_backend(config.kernels == "own");
  const std::string digest = model_digest(model_options.path);
  const ConfiguredVersion version = configured_version(config, digest);
  auto model = load_language_model(model_options);
  auto engine = make_engine(*model, decoder_of(version, config), config);
  const Reasoner::Identity identity{version.name, digest, config_hash(config), version.trained};
  auto reasoner =
      std::make_unique<Reasoner>(std::move(model), std::move(engine), config.reason, identity);
  reasoner->swap_heads(read_heads_of(version, *reasoner), version.trained.heads);
  require_unchanged(version, config, digest);
  const MemoryOptions& memory = config.reason.memory;
  if (!memory.path.empty())
    reasoner->use_memory_store(std::make_unique<MemoryStore>(
        memory.path,
        StoreLimits{memory.max_stored_nodes, int64_t{memory.max_stored_cells_mib} << 20}));
  return reasoner;
}

void write_untrained_heads(const Config& config, const std::string& version,
                           const std::string& path) {
  ModelOptions options = config.model_options;
  options.path = resolve_model(config.model);
  const auto model = load_language_model(options);
  Heads heads;
  heads.version = version;
  write_heads(path, heads, model_digest(options.path), model->info().hidden_size);
}

}  // namespace polyphon
