#include "deploy/config.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "base/digest.h"
#include "base/error.h"
#include "core/json.h"
#include "core/version.h"
#include "record/codec.h"

namespace polyphon {
namespace {

// One table of the file. Every key that is read is remembered; finish() refuses the others.
class Section {
 public:
  Section(const toml::table* table, std::string name, std::string file)
      : table_(table), name_(std::move(name)), file_(std::move(file)) {}

  void read(const char* key, std::string& value) {
    if (const toml::node* node = find(key)) value = typed<std::string>(*node, key, "a string");
  }
  void read(const char* key, bool& value) {
    if (const toml::node* node = find(key)) value = typed<bool>(*node, key, "true or false");
  }
  template <typename Int>
  void read(const char* key, Int& value, int64_t least, int64_t most) {
    const toml::node* node = find(key);
    if (!node) return;
    const auto number = typed<int64_t>(*node, key, "a whole number");
    if (number < least || number > most)
      refuse(key, fmt::format("is {}: must be {} to {}", number, least, most), node);
    value = static_cast<Int>(number);
  }
  void read(const char* key, double& value, double least, double most) {
    const toml::node* node = find(key);
    if (!node) return;
    const auto number = node->value<double>();
    if (!number) refuse(key, "must be a number", node);
    if (!(*number >= least && *number <= most))
      refuse(key, fmt::format("is {}: must be {} to {}", *number, least, most), node);
    value = *number;
  }
  template <typename Request>
  void read_table(std::span<const RequestField<Request>> table, Request& request) {
    for (const RequestField<Request>& field : table) {
      if (const auto* whole = std::get_if<int Request::*>(&field.member))
        read(field.name, request.**whole, static_cast<int64_t>(field.least),
             static_cast<int64_t>(field.most));
      else
        read(field.name, request.*std::get<double Request::*>(field.member), field.least,
             field.most);
    }
  }

  void read(const char* key, std::vector<std::string>& values) {
    const toml::node* node = find(key);
    if (!node) return;
    if (!node->is_array()) refuse(key, "must be an array of strings", node);
    values.clear();
    for (const toml::node& item : *node->as_array())
      values.push_back(typed<std::string>(item, key, "an array of strings"));
  }
  // Runs `parse` over a string; its error gets the key and the line.
  template <typename Parse>
  void parse(const char* key, Parse parse) {
    std::string text;
    read(key, text);
    if (text.empty()) return;
    try {
      parse(text);
    } catch (const Error& error) {
      refuse(key, error.what(), find(key));
    }
  }

  const toml::node* find(const char* key) {
    known_.insert(key);
    return table_ ? table_->get(key) : nullptr;
  }
  Section inner(const char* key) {
    const toml::node* node = find(key);
    if (node && !node->is_table()) refuse(key, "must be a table", node);
    return {node ? node->as_table() : nullptr, name_.empty() ? key : name_ + "." + key, file_};
  }
  // The tables of [[name.key]].
  std::vector<Section> items(const std::string& key) {
    const toml::node* node = find(key.c_str());
    if (!node) return {};
    const std::string name = name_.empty() ? key : name_ + "." + key;
    if (!node->is_array_of_tables()) refuse(key, "must be [[" + name + "]]", node);
    std::vector<Section> sections;
    for (const toml::node& item : *node->as_array())
      sections.emplace_back(item.as_table(), name, file_);
    return sections;
  }
  const toml::node* table() const { return table_; }
  [[noreturn]] void refuse(const std::string& key, const std::string& why,
                           const toml::node* at) const {
    const std::string full = name_.empty() ? key : name_ + "." + key;
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("{} line {}: {} {}", file_, at ? at->source().begin.line : 0, full, why), full);
  }
  void finish() const {
    if (!table_) return;
    for (const auto& [key, node] : *table_) {
      const std::string name(key.str());
      if (!known_.contains(name)) refuse(name, "is not a known key", &node);
    }
  }

 private:
  template <typename T>
  T typed(const toml::node& node, const char* key, const char* expected) const {
    const auto value = node.value_exact<T>();
    if (!value) refuse(key, std::string("must be ") + expected, &node);
    return *value;
  }

  const toml::table* table_;
  std::string name_;
  std::string file_;
  std::set<std::string> known_;
};

void read_model(Section section, Config& config) {
  section.read("name", config.model);
  section.read("adapter", config.decoder.adapter);
  section.read("version", config.version);
  section.read("gpu_layers", config.model_options.gpu_layers, -1, 10000);
  section.read("device", config.model_options.device);
  section.read("chat_template", config.model_options.chat_template);
  section.finish();
}

void read_engine(Section section, Config& config) {
  section.read("context_cells", config.decoder.context_cells, 64, 1 << 24);
  section.read("max_sequences", config.decoder.max_sequences, 4, 256);
  section.read("max_rows", config.decoder.max_rows, 16, 8192);
  section.read("threads", config.decoder.threads, 0, 1024);
  section.read("kv_type", config.decoder.kv_type);
  section.parse("kernels", [&](const std::string& kernels) {
    if (kernels != "own" && kernels != "stock")
      throw Error(ErrorCode::kInvalidArgument, "is '" + kernels + "': must be own or stock");
    config.kernels = kernels;
  });
  section.read("max_waiting", config.engine.max_waiting, 0, 1000000);
  section.read("max_cached_prefixes", config.engine.max_cached_prefixes, 0, 64);
  section.finish();
}

// Adds to `items`, or replaces the one of that name.
template <typename Item>
void put(std::vector<Item>& items, Item item) {
  const auto same =
      std::find_if(items.begin(), items.end(), [&](const Item& i) { return i.name == item.name; });
  if (same != items.end())
    *same = std::move(item);
  else
    items.push_back(std::move(item));
}

void read_strategies(Section& section, ReasonOptions& reason) {
  for (Section& item : section.items("strategies")) {
    Strategy strategy;
    item.read("name", strategy.name);
    item.read("preamble", strategy.preamble);
    item.finish();
    if (strategy.name.empty() || strategy.preamble.empty())
      item.refuse("name", "and preamble must be given", item.table());
    put(reason.strategies, std::move(strategy));
  }
}

void read_registers(Section& section, WorkspaceOptions& workspace) {
  for (Section& item : section.items("registers")) {
    RegisterSpec spec;
    item.read("name", spec.name);
    item.read("cue", spec.cue);
    item.read("note_tokens", spec.note_tokens, 1, 256);
    item.read("cadence_tokens", spec.cadence_tokens, 0, 1 << 20);
    item.finish();
    if (spec.name.empty() || spec.cue.empty() || spec.cue.find('\n') != std::string::npos)
      item.refuse("name", "must be given, and a cue of one line", item.table());
    put(workspace.registers, std::move(spec));
  }
}

void read_reason(Section section, Config& config) {
  ReasonOptions& reason = config.reason;
  section.parse("topology", [&](const std::string& t) { reason.topology = parse_topology(t); });
  section.parse("merge", [&](const std::string& t) { reason.merge = parse_merge_mode(t); });
  section.read("heads", config.heads);
  section.read("temperature_ladder", reason.temperature_ladder, 0, 2);
  section.read("max_answer_tokens", reason.max_answer_tokens, 1, 1 << 20);
  section.read("max_repeated_request_tokens", reason.max_repeated_request_tokens, 0, 1 << 20);
  section.read("max_streams", reason.caps.max_streams, 1, Topology::kMaxStreams);
  section.read("max_budget_tokens", reason.caps.max_budget_tokens, 1, 1 << 24);
  section.read("auto_budget_tokens", reason.caps.auto_budget_tokens, 32, 1 << 24);
  read_strategies(section, reason);

  Section collapse = section.inner("collapse");
  collapse.read("enabled", reason.collapse.enabled);
  collapse.read("cadence_tokens", reason.collapse.cadence_tokens, 1, 1 << 20);
  collapse.read("window_tokens", reason.collapse.window_tokens, 1, 1 << 16);
  collapse.read("ngram", reason.collapse.ngram, 1, 64);
  collapse.read("ngram_overlap", reason.collapse.ngram_overlap, 0, 1);
  collapse.read("hidden_cosine", reason.collapse.hidden_cosine, -1, 1);
  collapse.read("reseeds", reason.collapse.reseeds, 0, 16);
  collapse.finish();
  read_registers(section, reason.workspace);
  Section workspace = section.inner("workspace");
  WorkspaceRequest& defaults = reason.workspace.defaults;
  const auto registers = static_cast<int64_t>(reason.workspace.registers.size());
  workspace.read("registers", defaults.registers, 0, registers);
  workspace.read("cadence_tokens", defaults.cadence_tokens, 1, 1 << 20);
  workspace.read("refractory_tokens", defaults.refractory_tokens, 1, 1 << 20);
  workspace.read("gate_threshold", defaults.gate_threshold, 0, 1);
  workspace.read("evidence_decay", reason.workspace.evidence_decay, 0, 1);
  workspace.read("measure_effect", reason.workspace.measure_effect);
  workspace.finish();
  Section search = section.inner("search");
  search.parse("mode",
               [&](const std::string& mode) { reason.search.mode = parse_search_mode(mode); });
  search.read_table(search_fields(), reason.search);
  search.finish();
  Section agreement = section.inner("agreement");
  agreement.read("enabled", reason.agreement.enabled);
  agreement.read("min_streams", reason.agreement.min_streams, 1, Topology::kMaxStreams);
  agreement.read("quorum", reason.agreement.quorum, 0, 1);
  agreement.finish();
  section.finish();
}

void read_memory(Section section, Config& config) {
  MemoryRequest& defaults = config.reason.memory.defaults;
  section.read("enabled", defaults.enabled);
  section.read_table(memory_fields(), defaults);
  section.read("keep", defaults.keep);
  section.read("path", config.reason.memory.path);
  section.read("max_stored_nodes", config.reason.memory.max_stored_nodes, 1, 1 << 24);
  section.read("max_stored_cells_mib", config.reason.memory.max_stored_cells_mib, 0, 1 << 20);
  section.finish();
  validate(defaults);
}

void read_server(Section section, Config& config) {
  ServerOptions& server = config.server;
  section.read("host", server.host);
  section.read("port", server.port, 0, 65535);
  section.read("served_name", server.served_name);
  section.read("aliases", server.aliases);
  section.read("api_key_hashes", server.api_key_hashes);
  section.read("allow_unauthenticated", server.allow_unauthenticated);
  section.read("tls_certificate", server.tls_certificate);
  section.read("tls_key", server.tls_key);
  section.read("max_body_bytes", server.max_body_bytes, 1024, int64_t{1} << 32);
  section.read("io_timeout_s", server.io_timeout_s, 1, 86400);
  section.read("request_timeout_s", server.request_timeout_s, 1, 604800);
  section.read("drain_timeout_s", server.drain_timeout_s, 0, 86400);
  section.read("threads", server.threads, 4, 4096);
  section.read("default_max_tokens", server.default_max_tokens, 1, 1 << 20);
  section.read("trace_path", server.trace_path);
  section.read("think_by_default", server.think_by_default);
  section.finish();
}

}  // namespace

Config parse_config(const std::string& text, const std::string& name) {
  toml::table root;
  try {
    root = toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} line {}: {}", name, error.source().begin.line,
                            std::string(error.description())));
  }
  Config config;
  Section top(&root, "", name);
  read_model(top.inner("model"), config);
  read_engine(top.inner("engine"), config);
  read_reason(top.inner("reason"), config);
  read_memory(top.inner("memory"), config);
  read_server(top.inner("server"), config);
  top.finish();
  return config;
}

Config read_config(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Error(ErrorCode::kNotFound, "cannot read the config file " + path);
  std::stringstream text;
  text << file.rdbuf();
  return parse_config(text.str(), path);
}

std::string heads_path(const Config& config) {
  return config.heads.empty() && !config.version.empty() ? version_heads(config.version)
                                                         : config.heads;
}

std::string config_hash(const Config& config) {
  const ReasonOptions& reason = config.reason;
  Json strategies = Json::array();
  for (const Strategy& strategy : reason.strategies)
    strategies.push_back({strategy.name, strategy.preamble});
  Json registers = Json::array();
  for (const RegisterSpec& spec : reason.workspace.registers)
    registers.push_back({spec.name, spec.cue, spec.note_tokens, spec.cadence_tokens});
  const Json json = {
      {"registers", std::move(registers)},
      {"workspace", {reason.workspace.evidence_decay, reason.workspace.measure_effect}},
      {"kv_type", config.decoder.kv_type},
      {"max_rows", config.decoder.max_rows},
      {"threads", config.decoder.threads},
      {"kernels", config.kernels},
      {"prefill_chunk_tokens", 256},  // a setting once: traces of that time keep their hash
      {"chat_template", config.model_options.chat_template},
      {"strategies", std::move(strategies)},
      {"temperature_ladder", reason.temperature_ladder},
      {"max_repeated_request_tokens", reason.max_repeated_request_tokens},
      {"collapse",
       {reason.collapse.enabled, reason.collapse.cadence_tokens, reason.collapse.window_tokens,
        reason.collapse.ngram, reason.collapse.ngram_overlap, reason.collapse.hidden_cosine,
        reason.collapse.reseeds}},
      {"agreement",
       {reason.agreement.enabled, reason.agreement.min_streams, reason.agreement.quorum}},
      {"caps",
       {reason.caps.max_streams, reason.caps.max_budget_tokens, reason.caps.auto_budget_tokens}}};
  return sha256(json.dump());
}

}  // namespace polyphon
