#include "app/bench_pair.h"

#include "app/load.h"
#include "app/model_catalogue.h"
#include "attention/span_backend.h"

namespace polyphon {

BenchPair load_bench_pair(const Config& config) {
  ModelOptions options = config.model_options;
  options.path = resolve_model(config.model);
  DecoderOptions decoder = config.decoder;
  apply_version(config, model_digest(options.path), decoder);
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
