#include "model/llama_decoder.h"

#include <fmt/format.h>
#include <ggml.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "base/check.h"
#include "base/error.h"
#include "base/process.h"
#include "base/spare_cores.h"
#include "model/key_turner.h"
#include "model/llama_adapter.h"
#include "model/llama_backend.h"
#include "model/openmp_team.h"

namespace polyphon {
namespace {

ggml_type parse_kv_type(const std::string& name) {
  static const std::map<std::string, ggml_type> kTypes = {
      {"f32", GGML_TYPE_F32},   {"f16", GGML_TYPE_F16},   {"bf16", GGML_TYPE_BF16},
      {"q8_0", GGML_TYPE_Q8_0}, {"q5_1", GGML_TYPE_Q5_1}, {"q5_0", GGML_TYPE_Q5_0},
      {"q4_1", GGML_TYPE_Q4_1}, {"q4_0", GGML_TYPE_Q4_0}};
  const auto found = kTypes.find(name);
  if (found != kTypes.end()) return found->second;
  throw Error(
      ErrorCode::kInvalidArgument,
      fmt::format("unknown KV type '{}': use f32, f16, bf16, q8_0, q5_1, q5_0, q4_1 or q4_0", name),
      "kv_type");
}

// Physical cores, as the kernel counts them: hyper-threads share the units that matter here.
int physical_cores() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  std::set<std::string> cores;
  std::string line, package;
  while (std::getline(cpuinfo, line)) {
    if (line.starts_with("physical id")) package = line;
    if (line.starts_with("core id")) cores.insert(package + line);
  }
  const int logical = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  return cores.empty() ? logical : std::min(logical, static_cast<int>(cores.size()));
}

int meta_int(const llama_model* model, const std::string& key, int otherwise) {
  char text[64];
  if (llama_model_meta_val_str(model, key.c_str(), text, sizeof text) < 0) return otherwise;
  return std::atoi(text);
}

int64_t kv_bytes_per_cell(const llama_model* model, ggml_type type) {
  char architecture[64] = "";
  llama_model_meta_val_str(model, "general.architecture", architecture, sizeof architecture);
  const std::string prefix = std::string(architecture) + ".attention.";
  const int head = llama_model_n_embd(model) / std::max(1, llama_model_n_head(model));
  const int key = meta_int(model, prefix + "key_length", head);
  const int value = meta_int(model, prefix + "value_length", head);
  const int64_t elements = static_cast<int64_t>(key + value) * llama_model_n_head_kv(model);
  return static_cast<int64_t>(llama_model_n_layer(model)) * elements *
         static_cast<int64_t>(ggml_type_size(type)) / ggml_blck_size(type);
}

llama_context_params to_params(const DecoderOptions& options) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<uint32_t>(options.context_cells);
  // libllama aborts when a batch cannot hold a row of every sequence, and a batch holds at most the
  // context; sequences beyond the cells could never be used.
  params.n_seq_max = static_cast<uint32_t>(std::min(options.max_sequences, options.context_cells));
  params.n_batch = std::max(static_cast<uint32_t>(options.max_rows), params.n_seq_max);
  params.n_ubatch = params.n_batch;
  params.n_threads = options.threads > 0 ? options.threads : physical_cores();
  params.n_threads_batch = params.n_threads;
  params.kv_unified = true;
  params.swa_full = true;  // a window's cells must stay for views that join them later
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  params.pooling_type = LLAMA_POOLING_TYPE_NONE;
  params.type_k = parse_kv_type(options.kv_type);
  params.type_v = params.type_k;
  params.no_perf = true;
  return params;
}

class LlamaDecoder final : public Decoder {
 public:
  LlamaDecoder(llama_context* context, Adapter adapter, llama_model* model,
               const DecoderOptions& options)
      : adapter_(std::move(adapter)),
        context_(context, llama_free),
        memory_(llama_get_memory(context)),
        model_(model),
        options_(options),
        max_rows_(static_cast<int>(llama_n_batch(context))),  // at most the context's size
        batch_(llama_batch_init(max_rows_, 0, 1)),
        spare_cores_(llama_n_threads(context)),
        bytes_per_cell_(kv_bytes_per_cell(model_, parse_kv_type(options.kv_type))) {}
  ~LlamaDecoder() override { llama_batch_free(batch_); }
  LlamaDecoder(const LlamaDecoder&) = delete;
  LlamaDecoder& operator=(const LlamaDecoder&) = delete;

  int capacity_cells() const override { return static_cast<int>(llama_n_ctx(context_.get())); }
  int max_sequences() const override { return static_cast<int>(llama_n_seq_max(context_.get())); }
  int max_rows() const override { return max_rows_; }
  int threads() const override { return llama_n_threads(context_.get()); }
  int vocabulary_size() const override {
    return llama_vocab_n_tokens(llama_model_get_vocab(model_));
  }
  int hidden_size() const override { return llama_model_n_embd(model_); }
  int64_t bytes_per_cell() const override { return bytes_per_cell_; }

  DecodeStatus decode(std::span<const Row> rows, bool want_hidden) override {
    if (rows.empty()) return DecodeStatus::kOk;
    POLYPHON_CHECK(static_cast<int>(rows.size()) <= max_rows_);
    batch_.n_tokens = static_cast<int32_t>(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      batch_.token[i] = rows[i].token;
      batch_.pos[i] = rows[i].position;
      batch_.n_seq_id[i] = 1;
      batch_.seq_id[i][0] = rows[i].sequence;
      batch_.logits[i] = rows[i].output ? 1 : 0;
    }
    follow_spare_cores();
    // libllama outputs every row while embeddings are on, so only where every row is wanted.
    llama_set_embeddings(context_.get(), want_hidden);
    take_llama_errors();
    switch (compute()) {
      case 0:
        return DecodeStatus::kOk;
      case 1:
        return DecodeStatus::kNoSpace;
      default:
        spdlog::error("libllama could not decode {} rows: {}", rows.size(), take_llama_errors());
        return DecodeStatus::kFailed;
    }
  }

  void rest() override { release_openmp_team(); }

  std::span<float> logits(int row) override {
    float* const values = llama_get_logits_ith(context_.get(), row);
    POLYPHON_CHECK(values != nullptr);
    return {values, static_cast<size_t>(vocabulary_size())};
  }

  std::span<const float> hidden(int row) const override {
    const float* const values = llama_get_embeddings_ith(context_.get(), row);
    POLYPHON_CHECK(values != nullptr);
    return {values, static_cast<size_t>(hidden_size())};
  }

  void join(SequenceId source, SequenceId target, Position begin, Position end) override {
    llama_memory_seq_cp(memory_, source, target, begin, end);
  }
  void drop(SequenceId sequence, Position begin, Position end) override {
    llama_memory_seq_rm(memory_, sequence, begin, end);
  }
  void clear(SequenceId sequence) override { llama_memory_seq_rm(memory_, sequence, -1, -1); }
  Position last_position(SequenceId sequence) const override {
    return llama_memory_seq_pos_max(memory_, sequence);
  }

  std::string cells_format() const override {
    return fmt::format("{}, llama.cpp {}", options_.kv_type, llama_version());
  }

  std::string save(SequenceId sequence) override { return save_sequence(context_.get(), sequence); }

  bool restore(SequenceId sequence, const SavedCells& cells, Position begin) override {
    if (begin == cells.begin) return load_sequence(context_.get(), sequence, cells.bytes);
    if (!turner_) turner_.emplace(model_, to_params(options_));
    const auto turned = turner_->turn(cells.bytes, begin - cells.begin);
    return turned && load_sequence(context_.get(), sequence, *turned);
  }

 private:
  // llama_decode's result, as a failure where a backend throws.
  int compute() {
    try {
      return llama_decode(context_.get(), batch_);
    } catch (const std::exception& error) {
      spdlog::error("libllama: {}", error.what());
      return -3;
    }
  }

  // The results do not depend on it: each row's sums are cut in the same way.
  void follow_spare_cores() {
    const TimePoint now = std::chrono::steady_clock::now();
    if (!spare_cores_.due(now)) return;
    spare_cores_.look(cpu_use(), now);
    const int threads = spare_cores_.threads();
    if (threads != this->threads()) llama_set_n_threads(context_.get(), threads, threads);
  }

  const Adapter adapter_;  // the context computes with it; may be null
  std::unique_ptr<llama_context, decltype(&llama_free)> context_;
  llama_memory_t memory_;
  llama_model* model_;
  const DecoderOptions options_;
  std::optional<KeyTurner> turner_;  // from the first use on
  int max_rows_;
  llama_batch batch_;
  SpareCores spare_cores_;
  int64_t bytes_per_cell_;
};

void require(bool holds, const char* field, int64_t value, const std::string& expected) {
  if (holds) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{} is {}: must be {}", field, value, expected), field);
}

void validate(const llama_model* model, const DecoderOptions& options) {
  constexpr int kMostCells = 1 << 24;
  require(options.context_cells >= 64 && options.context_cells <= kMostCells, "ctx_size",
          options.context_cells, fmt::format("64 to {}", kMostCells));
  const auto most_sequences = static_cast<int>(llama_max_parallel_sequences());
  require(options.max_sequences >= 1 && options.max_sequences <= most_sequences, "max_sequences",
          options.max_sequences, fmt::format("1 to {}", most_sequences));
  require(options.max_rows >= 1 && options.max_rows <= 1 << 16, "max_rows", options.max_rows,
          fmt::format("1 to {}", 1 << 16));
  require(options.threads >= 0 && options.threads <= 1024, "threads", options.threads,
          "0 (all physical cores) to 1024");
  const ggml_type type = parse_kv_type(options.kv_type);
  const int head = llama_model_n_embd(model) / std::max(1, llama_model_n_head(model));
  if (head % ggml_blck_size(type) != 0)
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("KV type {} needs heads in blocks of {}, but this model's have {}: use "
                            "f16",
                            options.kv_type, ggml_blck_size(type), head),
                "kv_type");
}

[[noreturn]] void refuse_context(const DecoderOptions& options, uint64_t bytes,
                                 const std::string& why) {
  throw Error(ErrorCode::kInternal,
              fmt::format("cannot set up a context of {} cells, whose KV takes {}: {}",
                          options.context_cells, memory_text(bytes), why));
}

}  // namespace

std::unique_ptr<Decoder> make_llama_decoder(llama_model* model, const DecoderOptions& options) {
  validate(model, options);
  const llama_context_params params = to_params(options);
  const auto bytes = static_cast<uint64_t>(kv_bytes_per_cell(model, params.type_k)) *
                     static_cast<uint64_t>(options.context_cells);
  const auto available = static_cast<uint64_t>(available_memory());
  if (!has_accelerator() && bytes > available)
    refuse_context(options, bytes, "only " + memory_text(available) + " are free");
  take_llama_errors();
  llama_context* const context = llama_init_from_model(model, params);
  if (!context) refuse_context(options, bytes, take_llama_errors());
  if (!llama_get_memory(context)) {
    llama_free(context);
    throw Error(ErrorCode::kInvalidArgument,
                "this model has no KV cache: it makes embeddings, not text");
  }
  Adapter adapter;
  try {
    if (!options.adapter.empty()) adapter = set_adapter(context, model, options.adapter);
  } catch (const Error&) {
    llama_free(context);
    throw;
  }
  return std::make_unique<LlamaDecoder>(context, std::move(adapter), model, options);
}

}  // namespace polyphon
