#include "app/thought_flags.h"

#include "app/usage.h"

namespace polyphon {

void ThoughtFlags::add_to(CLI::App& command) {
  command
      .add_option("--topology", topology,
                  "Streams and the token budget of each: 8x256, phases as 4x512>1x2048, or auto")
      ->check(parsed_by([](const std::string& text) { parse_topology(text); }))
      ->default_str("8x256");
  command
      .add_option("--merge", merge,
                  "Way from the streams to one answer: their views (kv), their texts (prefill) or "
                  "conclusions (compact) decoded again, or the most frequent answer (vote)")
      ->check(one_of({"kv", "prefill", "compact", "vote"}))
      ->default_str("kv");
  command
      .add_option("--temperature", temperature,
                  "Sampling temperature: the middle one of the streams; 0: the likeliest token")
      ->check(in_real_range(0, 100));
  command
      .add_option("--max-answer-tokens", max_answer_tokens,
                  "Longest answer after the merge, in tokens")
      ->check(in_range(1, 1 << 20))
      ->default_str("512");
}

ThinkInput ThoughtFlags::input(const Config& config) const {
  ThinkInput input;
  input.topology = topology.empty() ? config.reason.topology : parse_topology(topology);
  input.merge = merge.empty() ? config.reason.merge : parse_merge_mode(merge);
  input.sampling.temperature = temperature;
  input.max_answer_tokens = max_answer_tokens.value_or(config.reason.max_answer_tokens);
  input.workspace = config.reason.workspace.defaults;
  input.search = config.reason.search;
  input.memory = config.reason.memory.defaults;
  return input;
}

}  // namespace polyphon
