#include "streams/think_settings.h"

namespace polyphon {
namespace {

constexpr unsigned kAnywhere = kConfigScope | kFlagScope | kRequestScope;
constexpr SettingRange kPositive{1, 1 << 20};

using Rows = std::vector<Setting<ThinkSettings>>;

template <typename Member>
Setting<ThinkSettings> row(std::string name, unsigned scopes, Member member, std::string help,
                           SettingRange range = {}) {
  return setting<ThinkSettings>(std::move(name), scopes, member, range, std::move(help));
}

template <typename Inner, typename Member>
void add_within(const std::string& prefix, Member member, const std::vector<Setting<Inner>>& inner,
                Rows& rows) {
  for (const Setting<Inner>& each : inner)
    rows.push_back(setting_within<ThinkSettings>(prefix, member, each));
}

void add_shape(Rows& rows) {
  rows.push_back(text_setting<ThinkSettings>(
      "topology", kAnywhere, [](ThinkSettings& s) -> Topology& { return s.topology; },
      [](const std::string& text) { return parse_topology(text); },
      [](const Topology& topology) { return topology.to_string(); }, {},
      "Streams and the token budget of each: 8x256, phases as 4x512>1x2048, or auto"));
  rows.push_back(text_setting<ThinkSettings>(
      "merge", kAnywhere, [](ThinkSettings& s) -> MergeMode& { return s.merge; },
      [](const std::string& text) { return parse_merge_mode(text); },
      [](MergeMode mode) { return std::string(to_string(mode)); },
      {"kv", "prefill", "compact", "vote"},
      "Way from the streams to one answer: their views (kv), their texts (prefill) or conclusions "
      "(compact) decoded again, or the most frequent answer (vote)"));
  rows.push_back(row(
      "max_answer_tokens", kConfigScope | kFlagScope,
      [](ThinkSettings& s) -> int& { return s.max_answer_tokens; },
      "Longest answer after the merge, in tokens", kPositive));
  rows.push_back(row(
      "narrow", kFlagScope | kRequestScope, [](ThinkSettings& s) -> bool& { return s.narrow; },
      "Fewer streams where the topology does not fit, instead of a refusal"));
}

void add_diversity(Rows& rows) {
  rows.push_back(row(
      "strategies", kRequestScope,
      [](ThinkSettings& s) -> std::vector<std::string>& { return s.diversity.strategies; },
      "Names of the strategies that streams take in turn; none named: all"));
  Setting<ThinkSettings> ladder;  // nothing while the request leaves it open
  ladder.name = "temperature_ladder";
  ladder.scopes = kRequestScope;
  ladder.type = SettingType::kNumber;
  ladder.most = 4;
  ladder.help = "Difference of temperature between the hottest and the coldest stream";
  ladder.get = [](const ThinkSettings& s) {
    const auto& value = s.diversity.temperature_ladder;
    return value ? Json(*value) : Json();
  };
  ladder.unset = kTemperatureLadder;
  ladder.set = [](ThinkSettings& s, const Json& value) {
    s.diversity.temperature_ladder = value.get<double>();
  };
  rows.push_back(std::move(ladder));
  rows.push_back(row(
      "collapse_watch", kConfigScope | kRequestScope,
      [](ThinkSettings& s) -> bool& { return s.diversity.collapse_watch; },
      "Watch for streams that repeat a sibling: such a stream is re-seeded once, then ended"));
  rows.push_back(row(
      "agreement", kConfigScope | kRequestScope,
      [](ThinkSettings& s) -> bool& { return s.diversity.agreement; },
      "Early end of a phase when most of its streams have ended with the same answer"));
  rows.push_back(row(
      "spend_budget", kRequestScope,
      [](ThinkSettings& s) -> bool& { return s.diversity.spend_budget; },
      "Streams that would end early check their work until their budget is spent"));
  rows.push_back(row(
      "branch_first_token", kRequestScope,
      [](ThinkSettings& s) -> bool& { return s.diversity.branch_first_token; },
      "Streams of one strategy begin with different first tokens, the likeliest ones"));
}

void add_workspace(Rows& rows) {
  rows.push_back(
      row("registers", kAnywhere, [](ThinkSettings& s) -> int& { return s.workspace.registers; },
          "Registers: background sequences that read all streams and write notes", {0, 1 << 20}));
  Setting<ThinkSettings> cadence = row(
      "register_cadence", kAnywhere,
      [](ThinkSettings& s) -> int& { return s.workspace.cadence_tokens; },
      "Shortest distance between two notes of a register, and between two broadcasts, in tokens of "
      "the longest stream",
      kPositive);
  cadence.set = [](ThinkSettings& s, const Json& value) {
    s.workspace.cadence_tokens = s.workspace.refractory_tokens = value.get<int>();
  };
  rows.push_back(std::move(cadence));
  rows.push_back(row("gate_threshold", kAnywhere,
                     [](ThinkSettings& s) -> double& { return s.workspace.gate_threshold; },
                     "Probability of the gate above which a note is broadcast to the streams",
                     {0, 1}));
  Setting<ThinkSettings> without =
      row("without_promotion", kRequestScope,
          [](ThinkSettings& s) -> int& { return s.workspace.without_promotion; },
          "Number of a broadcast that is decided but left out, from 0", {0, 1 << 20});
  without.get = [](const ThinkSettings& s) {
    const int number = s.workspace.without_promotion;
    return number < 0 ? Json() : Json(number);
  };
  rows.push_back(std::move(without));
}

void add_search(Rows& rows) {
  const auto search = [](ThinkSettings& s) -> SearchRequest& { return s.search; };
  rows.push_back(text_setting<ThinkSettings>(
      "search.mode", kAnywhere, [](ThinkSettings& s) -> SearchMode& { return s.search.mode; },
      [](const std::string& text) { return parse_search_mode(text); },
      [](SearchMode mode) { return to_string(mode); }, {"off", "auto", "always"},
      "Tree search in a stream: never (off), when it is unsure (auto), or always"));
  std::vector<Setting<SearchRequest>> numbers;
  add_settings(search_fields(), "search.", numbers);
  add_within("", search, numbers, rows);
}

void add_memory(Rows& rows) {
  const auto memory = [](ThinkSettings& s) -> MemoryRequest& { return s.memory; };
  rows.push_back(row(
      "memory.enabled", kAnywhere, [](ThinkSettings& s) -> bool& { return s.memory.enabled; },
      "Streams that remember sentences and recall them (docs/memory.md)"));
  rows.push_back(row(
      "memory.keep", kConfigScope | kRequestScope,
      [](ThinkSettings& s) -> bool& { return s.memory.keep; },
      "What a session remembers stays for the tenant's later sessions"));
  std::vector<Setting<MemoryRequest>> numbers;
  add_settings(memory_fields(), "memory.", numbers);
  add_within("", memory, numbers, rows);
}

}  // namespace

const Rows& think_settings() {
  static const Rows table = [] {
    Rows rows;
    add_shape(rows);
    add_diversity(rows);
    add_workspace(rows);
    add_search(rows);
    add_memory(rows);
    return rows;
  }();
  return table;
}

}  // namespace polyphon
