#include "model/plain_llama.h"

#include <llama.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "model/llama_backend.h"
#include "model/openmp_team.h"

namespace polyphon {
namespace {

using PassClock = std::chrono::steady_clock;

double seconds_since(PassClock::time_point start) {
  return std::chrono::duration<double>(PassClock::now() - start).count();
}

using Chain = std::unique_ptr<llama_sampler, decltype(&llama_sampler_free)>;

// Leaves no OpenMP threads behind that would slow the other engine's barriers.
struct TeamGuard {
  ~TeamGuard() { release_openmp_team(); }
};

// llama.cpp's defaults that do anything: top-k 40, top-p 0.95, min-p 0.05, temperature 0.8.
Chain default_chain(uint32_t seed) {
  llama_sampler* const chain = llama_sampler_chain_init(llama_sampler_chain_default_params());
  llama_sampler_chain_add(chain, llama_sampler_init_top_k(40));
  llama_sampler_chain_add(chain, llama_sampler_init_top_p(0.95f, 1));
  llama_sampler_chain_add(chain, llama_sampler_init_min_p(0.05f, 1));
  llama_sampler_chain_add(chain, llama_sampler_init_temp(0.8f));
  llama_sampler_chain_add(chain, llama_sampler_init_dist(seed));
  return {chain, llama_sampler_free};
}

constexpr int kBatch = 512;

}  // namespace

struct PlainLlama::State {
  std::unique_ptr<llama_model, decltype(&llama_model_free)> model{nullptr, llama_model_free};
  std::unique_ptr<llama_context, decltype(&llama_free)> context{nullptr, llama_free};
  llama_batch batch = llama_batch_init(kBatch, 0, 1);
  ~State() { llama_batch_free(batch); }

  void add(Token token, int position, int sequence, bool output) {
    const int i = batch.n_tokens++;
    batch.token[i] = token;
    batch.pos[i] = position;
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = sequence;
    batch.logits[i] = output ? 1 : 0;
  }
  void run() {
    if (llama_decode(context.get(), batch) != 0)
      throw Error(ErrorCode::kInternal, "plain libllama cannot decode: is the context too small?");
    batch.n_tokens = 0;
  }
  void prefill(const Tokens& tokens) {
    llama_memory_clear(llama_get_memory(context.get()), false);
    for (size_t i = 0; i < tokens.size(); ++i) {
      const bool last = i + 1 == tokens.size();
      add(tokens[i], static_cast<int>(i), 0, last);
      if (last || batch.n_tokens == kBatch) run();
    }
  }
};

PlainLlama::PlainLlama(const std::string& model_path, int context_cells, int threads, bool exact)
    : state_(std::make_unique<State>()) {
  init_llama_backend();
  const TeamGuard guard;
  state_->model.reset(llama_model_load_from_file(model_path.c_str(), llama_model_default_params()));
  if (!state_->model) throw Error(ErrorCode::kInvalidArgument, "cannot load " + model_path);
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<uint32_t>(context_cells);
  params.n_batch = params.n_ubatch = kBatch;
  params.n_seq_max = 64;
  params.kv_unified = true;
  params.flash_attn_type = exact ? LLAMA_FLASH_ATTN_TYPE_DISABLED : LLAMA_FLASH_ATTN_TYPE_ENABLED;
  if (exact) params.type_k = params.type_v = GGML_TYPE_F32;
  params.n_threads = params.n_threads_batch =
      threads > 0 ? threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  state_->context.reset(llama_init_from_model(state_->model.get(), params));
  if (!state_->context) throw Error(ErrorCode::kInternal, "no memory for the peer's context");
}

PlainLlama::~PlainLlama() = default;

PlainLlama::Run PlainLlama::decode(const Tokens& prompt, int sequences, int tokens) {
  const TeamGuard guard;
  Run result;
  auto start = PassClock::now();
  state_->prefill(prompt);
  std::vector<Chain> chains;
  std::vector<Token> last;
  for (int s = 0; s < sequences; ++s) {
    chains.push_back(default_chain(static_cast<uint32_t>(s)));
    last.push_back(llama_sampler_sample(chains.back().get(), state_->context.get(), -1));
    if (s > 0) llama_memory_seq_cp(llama_get_memory(state_->context.get()), 0, s, -1, -1);
  }
  result.prefill_seconds = seconds_since(start);
  start = PassClock::now();
  for (int i = 0; i < tokens; ++i) {
    for (int s = 0; s < sequences; ++s)
      state_->add(last[static_cast<size_t>(s)], static_cast<int>(prompt.size()) + i, s, true);
    state_->run();
    for (int s = 0; s < sequences; ++s)
      last[static_cast<size_t>(s)] =
          llama_sampler_sample(chains[static_cast<size_t>(s)].get(), state_->context.get(), s);
  }
  result.decode_seconds = seconds_since(start);
  result.tokens = sequences * tokens;
  return result;
}

void PlainLlama::use_adapter(const std::string& path) {
  take_llama_errors();
  llama_adapter_lora* adapter = llama_adapter_lora_init(state_->model.get(), path.c_str());
  float scale = 1;
  if (!adapter || llama_set_adapters_lora(state_->context.get(), &adapter, 1, &scale) != 0)
    throw Error(ErrorCode::kInvalidArgument,
                "libllama cannot use the adapter " + path + ": " + take_llama_errors());
}

std::vector<std::vector<float>> PlainLlama::logits(const Tokens& tokens) {
  const TeamGuard guard;
  const auto size =
      static_cast<size_t>(llama_vocab_n_tokens(llama_model_get_vocab(state_->model.get())));
  std::vector<std::vector<float>> result;
  llama_memory_clear(llama_get_memory(state_->context.get()), false);
  while (result.size() < tokens.size()) {
    const size_t begin = result.size(), end = std::min(tokens.size(), begin + kBatch);
    for (size_t i = begin; i < end; ++i) state_->add(tokens[i], static_cast<int>(i), 0, true);
    state_->run();
    for (size_t i = begin; i < end; ++i) {
      const float* const row =
          llama_get_logits_ith(state_->context.get(), static_cast<int>(i - begin));
      result.emplace_back(row, row + size);
    }
  }
  return result;
}

double PlainLlama::prefill(const Tokens& tokens) {
  const TeamGuard guard;
  const auto start = PassClock::now();
  state_->prefill(tokens);
  llama_sampler_sample(default_chain(1).get(), state_->context.get(), -1);
  return seconds_since(start);
}

double plain_sampler_ms(int rows, int vocabulary_size, int repeats) {
  Random random(1);
  std::vector<std::vector<float>> logits(static_cast<size_t>(rows));
  for (auto& row : logits)
    for (int i = 0; i < vocabulary_size; ++i)
      row.push_back(static_cast<float>(random.uniform() + random.uniform() + random.uniform()) * 6);
  std::vector<Chain> chains;
  for (int r = 0; r < rows; ++r) chains.push_back(default_chain(static_cast<uint32_t>(r)));
  std::vector<llama_token_data> candidates(static_cast<size_t>(vocabulary_size));
  std::vector<double> times;
  for (int i = 0; i < repeats; ++i) {
    const auto start = PassClock::now();
    for (size_t r = 0; r < logits.size(); ++r) {
      for (int t = 0; t < vocabulary_size; ++t)
        candidates[static_cast<size_t>(t)] = {t, logits[r][static_cast<size_t>(t)], 0};
      llama_token_data_array array{candidates.data(), candidates.size(), -1, false};
      llama_sampler_apply(chains[r].get(), &array);
    }
    times.push_back(seconds_since(start) * 1000);
  }
  std::nth_element(times.begin(), times.begin() + static_cast<long>(times.size() / 2), times.end());
  return times[times.size() / 2];
}

}  // namespace polyphon
