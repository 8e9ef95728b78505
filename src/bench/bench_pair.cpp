#include "bench/bench_pair.h"

#include "attention/span_backend.h"
#include "deploy/load.h"
#include "deploy/model_catalogue.h"

namespace polyphon {

BenchPair load_bench_pair(const Config& config) {
  ModelOptions options = config.model_options;
  options.path = resolve_model(config.model);
  DecoderOptions decoder = config.decoder;
  decoder.adapter = configured_version(config, model_digest(options.path)).adapter_path;
  register_span_backend();
  const auto load = [&](bool ours) {
    enable_span_backend(ours);
    BenchEngine engine;
    engine.model = load_language_model(options);
    engine.decoder = engine.model->make_decoder(decoder);
    return engine;
  };
  BenchPair pair{load(true), load(false)};
  enable_span_backend(true);
  return pair;
}

}  // namespace polyphon
