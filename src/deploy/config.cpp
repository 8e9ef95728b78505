#include "deploy/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/digest.h"
#include "base/error.h"
#include "core/json.h"
#include "core/version.h"
#include "deploy/model_catalogue.h"
#include "deploy/settings.h"

namespace polyphon {
namespace {

// A TOML document, read by dotted names. What is read is remembered; the rest is refused.
class Document {
 public:
  Document(const toml::table& root, std::string file) : root_(root), file_(std::move(file)) {}

  // Null when absent.
  const toml::node* find(const std::string& name) {
    known_.insert(name);
    const toml::table* table = &root_;
    for (size_t begin = 0, dot = 0;; begin = dot + 1) {
      dot = name.find('.', begin);
      const toml::node* const node = table->get(name.substr(begin, dot - begin));
      if (!node || dot == std::string::npos) return node;
      tables_.insert(name.substr(0, dot));
      table = node->as_table();
      if (!table) refuse(name.substr(0, dot), "must be a table", *node);
    }
  }
  template <typename T>
  T typed(const toml::node& node, const std::string& name, const char* expected) const {
    const auto value = node.value_exact<T>();
    if (!value) refuse(name, std::string("must be ") + expected, node);
    return *value;
  }
  [[noreturn]] void refuse(const std::string& name, const std::string& why,
                           const toml::node& at) const {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} line {}: {} {}", file_, at.source().begin.line, name, why), name);
  }
  // Refuses what was not asked for.
  void finish() const { finish(root_, ""); }

 private:
  void finish(const toml::table& table, const std::string& prefix) const {
    for (const auto& [key, node] : table) {
      const std::string name = prefix + std::string(key.str());
      if (known_.contains(name)) continue;
      if (!tables_.contains(name)) refuse(name, "is not a known key", node);
      finish(*node.as_table(), name + ".");
    }
  }

  const toml::table& root_;
  const std::string file_;
  std::set<std::string> known_, tables_;
};

Json value_of(const Document& file, const Setting<Config>& row, const toml::node& node) {
  const auto within = [&](auto number) {
    if (!(static_cast<double>(number) >= row.least && static_cast<double>(number) <= row.most))
      file.refuse(row.name, fmt::format("is {}: must be {} to {}", number, row.least, row.most),
                  node);
    return Json(number);
  };
  switch (row.type) {
    case SettingType::kSwitch:
      return file.typed<bool>(node, row.name, "true or false");
    case SettingType::kWhole:
      return within(file.typed<int64_t>(node, row.name, "a whole number"));
    case SettingType::kNumber:
      if (const auto number = node.value<double>()) return within(*number);
      file.refuse(row.name, "must be a number", node);
    case SettingType::kText: {
      std::string text = file.typed<std::string>(node, row.name, "a string");
      if (!row.words.empty() &&
          std::find(row.words.begin(), row.words.end(), text) == row.words.end())
        file.refuse(row.name,
                    fmt::format("is '{}': must be one of {}", text, fmt::join(row.words, ", ")),
                    node);
      return text;
    }
    case SettingType::kTexts: {
      Json texts = Json::array();
      if (!node.is_array()) file.refuse(row.name, "must be an array of strings", node);
      for (const toml::node& item : *node.as_array())
        texts.push_back(file.typed<std::string>(item, row.name, "an array of strings"));
      return texts;
    }
  }
  return {};
}

void read_settings(Document& file, Config& config) {
  for (const Setting<Config>& row : config_settings()) {
    if (!row.in(kConfigScope)) continue;
    const toml::node* const node = file.find(row.name);
    if (!node) continue;
    const Json value = value_of(file, row, *node);
    try {
      row.set(config, value);
    } catch (const Error& error) {
      file.refuse(row.name, error.what(), *node);
    }
  }
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

// The tables of [[list]], each with a name and a `text_key`.
template <typename Item>
void read_items(Document& file, const std::string& list, const char* text_key,
                std::string Item::* text, std::vector<Item>& items) {
  const toml::node* const node = file.find(list);
  if (!node) return;
  if (!node->is_array_of_tables()) file.refuse(list, "must be [[" + list + "]]", *node);
  for (const toml::node& each : *node->as_array()) {
    Item item;
    for (const auto& [key, value] : *each.as_table()) {
      const std::string name(key.str()), full = list + "." + name;
      if (name != "name" && name != text_key) file.refuse(full, "is not a known key", value);
      (name == "name" ? item.name : item.*text) = file.typed<std::string>(value, full, "a string");
    }
    if (item.name.empty() || (item.*text).empty())
      file.refuse(list, fmt::format("needs a name and a {}", text_key), each);
    put(items, std::move(item));
  }
}

void read_lists(Document& file, Config& config) {
  read_items(file, "strategies", "preamble", &Strategy::preamble, config.reason.strategies);
  read_items(file, "registers", "cue", &RegisterSpec::cue, config.reason.workspace.registers);
  for (const RegisterSpec& spec : config.reason.workspace.registers)
    if (spec.cue.find('\n') != std::string::npos)
      file.refuse("registers", "needs a cue of one line", *file.find("registers"));
}

// One hash a line; blank lines and # comments are skipped.
std::vector<std::string> read_key_hashes(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Error(ErrorCode::kNotFound, "cannot read the key file " + path);
  std::vector<std::string> hashes;
  for (std::string line; std::getline(file, line);) {
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.pop_back();
    if (!line.empty() && line[0] != '#') hashes.push_back(line);
  }
  if (hashes.empty()) throw Error(ErrorCode::kInvalidArgument, path + " holds no key hash");
  return hashes;
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
  Document file(root, name);
  read_settings(file, config);
  read_lists(file, config);
  file.finish();
  try {
    validate(config.reason.defaults.memory);
    validate(config.reason.defaults.workspace, config.reason.workspace);
  } catch (const Error& error) {
    throw Error(error.code(), name + ": " + error.what(), error.field());
  }
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

void resolve_server_files(Config& config) {
  ServerOptions& server = config.server;
  if (!server.api_key_file.empty()) server.api_key_hashes = read_key_hashes(server.api_key_file);
  if (!server.data_dir.empty()) {
    std::error_code ignored;  // the files in it say why
    std::filesystem::create_directories(server.data_dir, ignored);
    if (server.trace_path.empty()) server.trace_path = server.data_dir + "/traces.jsonl";
    std::string& memory = config.reason.memory.path;
    if (memory.empty()) memory = server.data_dir + "/memory.db";
  }
  if (server.served_name.empty())
    server.served_name = config.model.empty()
                             ? default_model_name()
                             : std::filesystem::path(config.model).filename().string();
}

std::string config_hash(const Config& config) {
  const ReasonOptions& reason = config.reason;
  Json json = {{"strategies", Json::array()},
               {"registers", Json::array()},
               {"measure_effect", reason.workspace.measure_effect}};
  for (const Strategy& strategy : reason.strategies)
    json["strategies"].push_back({strategy.name, strategy.preamble});
  for (const RegisterSpec& spec : reason.workspace.registers)
    json["registers"].push_back({spec.name, spec.cue});
  for (const Setting<Config>& row : config_settings())
    if (row.hashed) json[row.name] = row.get(config);
  return sha256(json.dump());
}

}  // namespace polyphon
