#include "server/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>

namespace polyphon {

using prometheus::Counter;
using prometheus::Histogram;

struct Metrics::Families {
  explicit Families(std::string version) : labels{{"version", std::move(version)}} {
    for (const char* outcome : {"finished", "failed", "cancelled"}) sessions(outcome);
    for (const char* mode : {"kv", "prefill", "compact", "vote"}) merges(mode);
  }

  Counter& counter(const char* name, const char* help, prometheus::Labels more = {}) {
    more.insert(labels.begin(), labels.end());
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add(more);
  }
  Counter& sessions(const char* outcome) {
    return counter("polyphon_sessions_total", "Sessions by outcome", {{"outcome", outcome}});
  }
  Counter& merges(const std::string& mode) {
    return counter("polyphon_merges_total", "Merges by mode", {{"mode", mode}});
  }
  // Sixteen buckets; each is twice as wide as the one before.
  Histogram& histogram(const char* name, const char* help, double first) {
    Histogram::BucketBoundaries bounds;
    for (double bound = first; bounds.size() < 16; bound *= 2) bounds.push_back(bound);
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add(labels,
                                                                                     bounds);
  }
  void set(const char* name, const char* help, double value) {
    prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(labels).Set(value);
  }
  // Raises a counter to the total that the engines keep.
  static void raise(Counter& known, double total) {
    known.Increment(std::max(0.0, total - known.Value()));
  }
  void total(const char* name, const char* help, double value) {
    raise(counter(name, help), value);
  }
  void update(const EngineStatus& status);

  const prometheus::Labels labels;
  prometheus::Registry registry{prometheus::Registry::InsertBehavior::Merge};
  Histogram& time_to_first_token = histogram("polyphon_time_to_first_token_seconds",
                                             "Submitted to the first answer token", 0.01);
  Histogram& time_per_output_token =
      histogram("polyphon_time_per_output_token_seconds", "Between the tokens of an answer", 0.001);
  Histogram& end_to_end = histogram("polyphon_request_seconds", "Submitted to the end", 0.05);
  Counter& collapses =
      counter("polyphon_collapse_events_total", "Streams re-seeded or ended as followers");
};

// Takes over the engines' counts; the rest comes from finished sessions.
void Metrics::Families::update(const EngineStatus& status) {
  const auto prompt = static_cast<double>(status.prompt_tokens);
  const auto generated = static_cast<double>(status.generated_tokens);
  total("llamacpp:prompt_tokens_total", "Prompt tokens processed", prompt);
  total("llamacpp:prompt_seconds_total", "Time in prompts", status.prefill_seconds);
  total("llamacpp:tokens_predicted_total", "Tokens generated", generated);
  total("llamacpp:tokens_predicted_seconds_total", "Time in generation", status.decode_seconds);
  total("llamacpp:n_decode_total", "Steps of the engine", static_cast<double>(status.steps));
  set("llamacpp:prompt_tokens_seconds", "Prompt tokens a second",
      status.prefill_seconds > 0 ? prompt / status.prefill_seconds : 0);
  set("llamacpp:predicted_tokens_seconds", "Generated tokens a second",
      status.decode_seconds > 0 ? generated / status.decode_seconds : 0);
  set("llamacpp:kv_cache_usage_ratio", "KV cells used",
      static_cast<double>(status.cells_used) / std::max(1, status.cells_capacity));
  set("llamacpp:kv_cache_tokens", "KV cells used", status.cells_used);
  set("llamacpp:requests_processing", "Requests decoding", status.sessions_live);
  set("llamacpp:requests_deferred", "Requests waiting", status.sessions_waiting);
  set("polyphon_streams_live", "Sequences with something to decode", status.sequences_decoding);
  set("polyphon_kv_cells_capacity", "KV cells there are", status.cells_capacity);
  set("polyphon_kv_cells_used", "KV cells in any view", status.cells_used);
  set("polyphon_kv_cells_cached", "KV cells that only the prefix cache holds", status.cells_cached);
  set("polyphon_prefixes_cached", "Entries of the prefix cache", status.prefixes_cached);
  total("polyphon_prompt_tokens_cached_total", "Prompt tokens spared by the prefix cache",
        static_cast<double>(status.prompt_tokens_cached));
  total("polyphon_sample_seconds_total", "Time in sampling", status.sample_seconds);
  raise(sessions("failed"), static_cast<double>(status.sessions_failed));
  raise(sessions("cancelled"), static_cast<double>(status.sessions_cancelled));
}

Metrics::Metrics() = default;
Metrics::~Metrics() = default;

std::shared_ptr<Metrics::Families> Metrics::families(const std::string& version) {
  auto& families = families_[version];
  if (!families) families = std::make_shared<Families>(version);
  return families;
}

void Metrics::observe(const Finished& finished) {
  std::unique_lock lock(mutex_);
  const auto families = this->families(finished.version);
  lock.unlock();
  Families& f = *families;
  f.sessions("finished").Increment();
  if (!finished.embedding.empty()) return;
  const Timings& timings = finished.timings;
  f.time_to_first_token.Observe(timings.time_to_first_answer_token_ms / 1000);
  if (timings.answer_tokens > 1)
    f.time_per_output_token.Observe(timings.answer_ms / 1000 / (timings.answer_tokens - 1));
  f.end_to_end.Observe(timings.total_ms / 1000);
  if (!finished.trace) return;
  f.merges(std::string(to_string(finished.trace->result.merge))).Increment();
  for (const TraceDecision& decision : finished.trace->decisions)
    if (std::holds_alternative<CollapseDecision>(decision.what)) f.collapses.Increment();
}

std::string Metrics::scrape(const std::vector<VersionStatus>& versions, int64_t dropped) {
  const std::lock_guard lock(mutex_);  // raise() reads and then increments
  std::erase_if(families_, [&](const auto& known) {
    return std::none_of(versions.begin(), versions.end(), [&](const VersionStatus& version) {
      return version.version == known.first;
    });
  });
  std::map<std::string, prometheus::MetricFamily> all;  // a family's name may occur only once
  for (const VersionStatus& version : versions) {
    const auto families = this->families(version.version);
    families->update(version.status);
    for (prometheus::MetricFamily& family : families->registry.Collect()) {
      const auto [known, fresh] = all.try_emplace(family.name, family);
      if (fresh) continue;
      auto& metrics = known->second.metric;
      metrics.insert(metrics.end(), family.metric.begin(), family.metric.end());
    }
  }
  prometheus::Registry server;
  prometheus::BuildCounter()
      .Name("polyphon_sessions_unrecorded_total")
      .Help("Finished sessions that were not recorded, since too many waited for it")
      .Register(server)
      .Add({})
      .Increment(static_cast<double>(dropped));
  for (prometheus::MetricFamily& family : server.Collect()) all.try_emplace(family.name, family);
  std::vector<prometheus::MetricFamily> listed;
  for (auto& [name, family] : all) listed.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(listed);
}

}  // namespace polyphon
