#include "deploy/settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/shown.h"
#include "core/sampling.h"
#include "streams/think_settings.h"

namespace polyphon {
namespace {

constexpr unsigned kFile = kConfigScope, kBoth = kConfigScope | kFlagScope;

using Rows = std::vector<Setting<Config>>;

template <typename Member>
Setting<Config> row(std::string name, unsigned scopes, Member member, std::string help,
                    SettingRange range = {}) {
  return setting<Config>(std::move(name), scopes, member, range, std::move(help));
}
Setting<Config> hashed(Setting<Config> row) {
  row.hashed = true;
  return row;
}
template <typename Member>
Setting<Config> word(std::string name, Member member, std::vector<std::string> words,
                     std::string help) {
  Setting<Config> made = row(std::move(name), kBoth, member, std::move(help));
  made.words = std::move(words);
  made.hashed = true;
  return made;
}

void add_engine(Rows& rows) {
  rows.push_back(row(
      "engine.model", kBoth, [](Config& c) -> auto& { return c.model; },
      "Model: a name of `polyphon models`, or a GGUF file; empty: the catalogue's"));
  rows.push_back(row(
      "engine.adapter", kBoth, [](Config& c) -> auto& { return c.decoder.adapter; },
      "GGUF of a LoRA adapter of the model; not beside a version"));
  rows.push_back(row(
      "engine.version", kBoth, [](Config& c) -> auto& { return c.version; },
      "Folder of a trained version, its adapter and heads (docs/training.md)"));
  rows.push_back(row(
      "engine.heads", kBoth, [](Config& c) -> auto& { return c.heads; },
      "GGUF of the model's trained heads (`polyphon heads`); empty: the version's, else "
      "untrained"));
  rows.push_back(row("engine.gpu_layers", kBoth,
                     [](Config& c) -> auto& { return c.model_options.gpu_layers; },
                     "Layers on the GPU; -1: all that fit", {-1, 10000}));
  rows.push_back(row(
      "engine.device", kBoth, [](Config& c) -> auto& { return c.model_options.device; },
      "Devices to use, comma separated (`polyphon doctor`); empty: all that libllama finds"));
  rows.push_back(hashed(row(
      "engine.chat_template", kFile,
      [](Config& c) -> auto& { return c.model_options.chat_template; },
      "Chat template as Jinja text; empty: the model file's own")));
  rows.push_back(
      row("engine.ctx_size", kBoth, [](Config& c) -> auto& { return c.decoder.context_cells; },
          "Size of the KV cache in cells, one a token, shared by all sessions", {64, 1 << 24}));
  rows.push_back(row(
      "engine.max_sequences", kFile, [](Config& c) -> auto& { return c.decoder.max_sequences; },
      "Most views of the KV cache at a time; cached prefixes take a quarter at most", {4, 256}));
  rows.push_back(
      row("engine.max_waiting", kFile, [](Config& c) -> auto& { return c.engine.max_waiting; },
          "Most sessions that wait for room; one more is refused with 429", {0, 1000000}));
  rows.push_back(hashed(row(
      "engine.threads", kBoth, [](Config& c) -> auto& { return c.decoder.threads; },
      "Most CPU threads of decoding; 0: one a physical core. Fewer run while other programs keep "
      "cores busy",
      {0, 1024})));
  rows.push_back(word(
      "engine.kv_type", [](Config& c) -> auto& { return c.decoder.kv_type; },
      {"f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0"},
      "Number format of the KV cache"));
  rows.push_back(word(
      "engine.kernels", [](Config& c) -> auto& { return c.kernels; }, {"own", "stock"},
      "CPU kernels: Polyphon's own, or ggml's (stock) (docs/kernels.md)"));
}

// The rows of requests as defaults, and the bounds that requests cannot change.
void add_thinking(Rows& rows) {
  for (const Setting<ThinkSettings>& each : think_settings()) {
    if (!each.in(kConfigScope) && !each.in(kFlagScope)) continue;
    rows.push_back(setting_within<Config>(
        "polyphon.", [](Config& c) -> ThinkSettings& { return c.reason.defaults; }, each));
    // What the file switches off stays off, whatever a request says.
    Setting<Config>& made = rows.back();
    if (made.name == "polyphon.collapse_watch")
      made.set = [set = made.set](Config& c, const Json& value) {
        set(c, value);
        c.reason.collapse.enabled = value.get<bool>();
      };
    if (made.name == "polyphon.agreement")
      made.set = [set = made.set](Config& c, const Json& value) {
        set(c, value);
        c.reason.agreement.enabled = value.get<bool>();
      };
  }
  rows.push_back(hashed(row("polyphon.max_streams", kFile,
                            [](Config& c) -> auto& { return c.reason.caps.max_streams; },
                            "Most streams of a request", {1, Topology::kMaxStreams})));
  rows.push_back(hashed(row("polyphon.max_budget_tokens", kFile,
                            [](Config& c) -> auto& { return c.reason.caps.max_budget_tokens; },
                            "Most tokens of a request, over all its streams", {1, 1 << 24})));
  rows.push_back(hashed(row("polyphon.auto_budget_tokens", kFile,
                            [](Config& c) -> auto& { return c.reason.caps.auto_budget_tokens; },
                            "Tokens that the topology auto may spend", {32, 1 << 24})));
}

void add_server(Rows& rows) {
  rows.push_back(row(
      "server.host", kBoth, [](Config& c) -> auto& { return c.server.host; },
      "Address to listen on; beyond this machine only with keys, or allow_unauthenticated"));
  rows.push_back(row("server.port", kBoth, [](Config& c) -> auto& { return c.server.port; },
                     "TCP port; 0: any free one", {0, 65535}));
  Setting<Config> alias = row(
      "server.alias", kBoth, [](Config& c) -> auto& { return c.server.aliases; },
      "Names that clients may send as the model; none: the model's name");
  alias.get = [](const Config& c) {
    std::vector<std::string> names = c.server.aliases;
    if (!c.server.served_name.empty()) names.insert(names.begin(), c.server.served_name);
    return Json(names);
  };
  alias.set = [](Config& c, const Json& value) {
    auto names = value.get<std::vector<std::string>>();
    c.server.served_name = names.empty() ? "" : names.front();
    if (!names.empty()) names.erase(names.begin());
    c.server.aliases = std::move(names);
  };
  rows.push_back(std::move(alias));
  rows.push_back(row(
      "server.data_dir", kBoth, [](Config& c) -> auto& { return c.server.data_dir; },
      "Folder that keeps traces.jsonl and memory.db; empty: nothing is kept"));
  rows.push_back(row(
      "server.trace_file", kBoth, [](Config& c) -> auto& { return c.server.trace_path; },
      "JSON-lines file that traces are added to; empty: traces.jsonl of the data folder"));
  rows.push_back(row(
      "server.api_key_file", kBoth, [](Config& c) -> auto& { return c.server.api_key_file; },
      "File of the keys' SHA-256 hashes, one a line (`polyphon key new`); empty: no key is asked "
      "for"));
  rows.push_back(row(
      "server.allow_unauthenticated", kBoth,
      [](Config& c) -> auto& { return c.server.allow_unauthenticated; },
      "Other machines may connect without a key"));
  rows.push_back(row(
      "server.tls_cert", kBoth, [](Config& c) -> auto& { return c.server.tls_certificate; },
      "PEM file of the TLS certificate; empty: plain HTTP"));
  rows.push_back(row(
      "server.tls_key", kBoth, [](Config& c) -> auto& { return c.server.tls_key; },
      "PEM file of the certificate's private key"));
  rows.push_back(row("server.request_timeout_s", kFile,
                     [](Config& c) -> auto& { return c.server.request_timeout_s; },
                     "Longest time of a request, in seconds; then it fails with 504", {1, 604800}));
  rows.push_back(
      row("server.io_timeout_s", kFile, [](Config& c) -> auto& { return c.server.io_timeout_s; },
          "Longest time to send a body (more for large ones), and of a stuck write, in seconds",
          {1, 86400}));
  rows.push_back(row("server.threads", kFile, [](Config& c) -> auto& { return c.server.threads; },
                     "Most requests that are handled at a time; idle connections need none",
                     {4, 4096}));
  rows.push_back(row("server.default_max_tokens", kFile,
                     [](Config& c) -> auto& { return c.server.default_max_tokens; },
                     "Longest chat answer where a request sets no limit, in tokens", {1, 1 << 20}));
  rows.push_back(row(
      "server.think_by_default", kFile,
      [](Config& c) -> auto& { return c.server.think_by_default; },
      "Every chat request thinks in streams, also without a polyphon object"));
}

template <typename Member>
Setting<AnswerWishes> wish(const char* name, Member member, const char* help) {
  return setting<AnswerWishes>(name, kRequestScope, member, {}, help);
}

Priority parse_priority(const std::string& name) {
  if (name != "interactive" && name != "background")
    throw Error(ErrorCode::kInvalidArgument,
                "polyphon.priority must be interactive or background, not '" + shown(name) + "'",
                "polyphon.priority");
  return name == "background" ? Priority::kBackground : Priority::kInteractive;
}

const char* type_name(SettingType type) {
  switch (type) {
    case SettingType::kSwitch:
      return "boolean";
    case SettingType::kWhole:
      return "integer";
    case SettingType::kNumber:
      return "number";
    case SettingType::kText:
      return "string";
    case SettingType::kTexts:
      return "array of strings";
  }
  return "";
}

template <typename Target>
Json row_json(const Setting<Target>& row, const std::string& name) {
  Json json = {{"name", name},
               {"scopes", Json::array()},
               {"type", type_name(row.type)},
               {"default", row.default_value()},
               {"help", row.help},
               {"since", row.since}};
  if (row.in(kConfigScope)) json["scopes"].push_back("config");
  if (row.in(kRequestScope)) json["scopes"].push_back("request");
  if (row.in(kFlagScope)) {
    json["scopes"].push_back("flag");
    json["flag"] = flag_name(name);
  }
  if (row.least < row.most) {
    json["minimum"] = row.least;
    json["maximum"] = row.most;
  }
  if (!row.words.empty()) json["values"] = row.words;
  return json;
}

// "1 to 64", "kv, prefill, compact or vote"
std::string range_text(const Json& row) {
  if (row.contains("values")) {
    std::string text;
    for (const Json& value : row["values"])
      text += (text.empty() ? "" : ", ") + value.get<std::string>();
    return text;
  }
  const std::string type = row["type"];
  if (!row.contains("minimum")) return type == "boolean" ? "true, false" : type;
  const double least = row["minimum"], most = row["maximum"];
  return fmt::format("{} to {}", least, most);
}

std::string table_line(const Json& row) {
  const std::string name = row["name"];
  std::string scopes;
  for (const Json& scope : row["scopes"]) {
    const std::string text =
        scope == "flag" ? "`" + row["flag"].get<std::string>() + "`" : scope.get<std::string>();
    scopes += (scopes.empty() ? "" : ", ") + text;
  }
  const std::string otherwise =
      row["default"].is_null() ? "none" : "`" + row["default"].dump() + "`";
  return fmt::format("| `{}` | {} | {} | {} | {} |\n", name, range_text(row), otherwise, scopes,
                     row["help"].get<std::string>());
}

}  // namespace

const Rows& config_settings() {
  static const Rows table = [] {
    Rows rows;
    add_engine(rows);
    add_thinking(rows);
    add_server(rows);
    return rows;
  }();
  return table;
}

const std::vector<Setting<AnswerWishes>>& answer_settings() {
  static const std::vector<Setting<AnswerWishes>> rows = {
      text_setting<AnswerWishes>(
          "priority", kRequestScope, [](AnswerWishes& w) -> auto& { return w.priority; },
          parse_priority,
          [](Priority priority) {
            return std::string(priority == Priority::kBackground ? "background" : "interactive");
          },
          {"interactive", "background"},
          "Place in the queue: background begins only when no interactive request waits"),
      wish(
          "cache_prompt", [](AnswerWishes& w) -> auto& { return w.cache_prompt; },
          "Use of the prefix cache: looked at before the prompt is computed, and filled after"),
      wish(
          "stream_thoughts", [](AnswerWishes& w) -> auto& { return w.stream_thoughts; },
          "Deltas of the streams' thoughts in a streamed answer"),
      wish(
          "include_trace", [](AnswerWishes& w) -> auto& { return w.include_trace; },
          "The session's trace in the answer's polyphon object")};
  return rows;
}

std::string flag_name(const std::string& setting) {
  std::string name = setting.substr(setting.find('.') + 1);
  for (const char* const whole : {".mode", ".enabled"})
    if (name.ends_with(whole)) name.erase(name.rfind('.'));
  std::replace_if(name.begin(), name.end(), [](char c) { return c == '.' || c == '_'; }, '-');
  return "--" + name;
}

Json settings_json(const Config* config) {
  Json all = Json::array();
  for (const Setting<Config>& row : config_settings()) {
    all.push_back(row_json(row, row.name));
    if (config) all.back()["value"] = row.get(*config);
  }
  const auto add = [&](const auto& rows, const std::string& prefix) {
    for (const auto& row : rows) {
      const std::string name = prefix + row.name;
      const bool there = std::any_of(all.begin(), all.end(),
                                     [&](const Json& each) { return each["name"] == name; });
      if (!there) all.push_back(row_json(row, name));
    }
  };
  add(think_settings(), "polyphon.");
  add(answer_settings(), "polyphon.");
  add(sampling_settings(), "");
  return all;
}

std::string settings_page() {
  std::string page = R"(# Configuration

This page is made from the settings table (src/deploy/settings.cpp): `make docs` writes it anew.
`GET /api/v1/settings` gives the same rows as JSON, with the values that a server runs with.

- `polyphon COMMAND --config FILE` reads a TOML file; flags override it. A key that is not known, a wrong type or a value
  out of range is an error that names the key and the line.
- `polyphon.…` in the file is the default of requests. A request's `polyphon` object has the same names.
- `"search": "auto"` and `"memory": true` in a request are short for an object with that `mode` or `enabled`.

```toml
[engine]
ctx_size = 8192
threads = 4

[polyphon]
topology = "4x256"
search.mode = "auto"
memory.enabled = true

[server]
port = 8080
api_key_file = "keys"

[[registers]]              # added to consistency, hunch and pattern; the same name replaces
name = "units"
cue = "Note: the units that matter here are"

[[strategies]]             # added to the built-in ones; the same name replaces
name = "units"
preamble = "Let me keep track of the units.\n"
```
)";
  const std::vector<std::pair<std::string, std::string>> sections = {{"engine.", "Engine"},
                                                                     {"server.", "Server"},
                                                                     {"polyphon.", "Thinking"},
                                                                     {"", "Sampling of a request"}};
  const Json rows = settings_json();
  for (const auto& [prefix, title] : sections) {
    page += fmt::format(
        "\n## {}\n\n| setting | values | default | set by | what it is |\n"
        "| --- | --- | --- | --- | --- |\n",
        title);
    for (const Json& row : rows) {
      const std::string name = row["name"];
      const bool of_section =
          prefix.empty() ? name.find('.') == std::string::npos : name.starts_with(prefix);
      if (of_section) page += table_line(row);
    }
  }
  return page + R"(
Every KV cell that a request may use is set aside when it is admitted, so `max_tokens` decides how many requests run
side by side; requests that must wait are queued, tenants (API keys) taking turns.
)";
}

}  // namespace polyphon
