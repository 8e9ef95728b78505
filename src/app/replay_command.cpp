// polyphon replay: runs recorded sessions again and says whether the tokens match.
#include <fmt/format.h>

#include <iostream>
#include <limits>
#include <optional>

#include "app/command.h"
#include "app/usage.h"
#include "base/error.h"
#include "deploy/load.h"
#include "record/codec.h"
#include "record/trace_file.h"
#include "sessions/plan.h"

namespace polyphon {
namespace {

struct ReplayFlags {
  ModelFlags model;
  std::string path;
  int without_promotion = -1;
  bool json = false;
};

// When the broadcast was decided; none when the trace has no such broadcast.
std::optional<Step> step_of_broadcast(const Trace& trace, int index) {
  const std::vector<Broadcast>& workspace = trace.result.workspace;
  if (index < 0 || index >= static_cast<int>(workspace.size())) return std::nullopt;
  return workspace[static_cast<size_t>(index)].step;
}

// One line: does it match, for a counterfactual up to the edit; then both outcomes.
std::string report(const Trace& recorded, const Trace& replayed, const TraceComparison& compared,
                   const ReplayFlags& flags) {
  const bool match = compared.matching == compared.tokens;
  const bool counterfactual = flags.without_promotion >= 0;
  if (flags.json) {
    Json json = {{"id", recorded.id},
                 {"match", match},
                 {"tokens", compared.tokens},
                 {"matching", compared.matching},
                 {"first_difference", compared.first_difference}};
    if (counterfactual) {
      json["without_promotion"] = flags.without_promotion;
      json["recorded"] = to_json(recorded.result);
      json["counterfactual"] = to_json(replayed.result);
    }
    return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  std::string text = fmt::format("{}: {} of {} tokens{} match{}\n", recorded.id, compared.matching,
                                 compared.tokens, counterfactual ? " before the edit" : "",
                                 match ? "" : ", first difference at " + compared.first_difference);
  if (counterfactual)
    text += fmt::format("with promotion {}: {}\nwithout: {}\n", flags.without_promotion,
                        recorded.result.answer, replayed.result.answer);
  return text;
}

int replay(const ReplayFlags& flags) {
  const std::vector<Trace> all = read_traces(flags.path);
  if (all.empty()) throw Error(ErrorCode::kInvalidArgument, flags.path + " holds no trace");
  Config config = flags.model.config();
  // A prompt that an earlier trace had left there would be decoded in other chunks, by other
  // kernels.
  config.engine.max_cached_prefixes = 0;
  auto reasoner = load_reasoner(config);
  bool all_match = true;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].model_digest != reasoner->identity().model_digest)
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("trace {} was made by model {}, this is {}", all[i].id,
                              all[i].model_digest, reasoner->identity().model_digest));
    if (all[i].config_hash != reasoner->identity().config_hash)
      std::cerr << fmt::format("trace {}: made under another configuration\n", all[i].id);
    const auto edit = step_of_broadcast(all[i], flags.without_promotion);
    if (flags.without_promotion >= 0 && !edit) {
      const std::string why =
          fmt::format("trace {} has no broadcast {}", all[i].id, flags.without_promotion);
      if (all.size() == 1) throw Error(ErrorCode::kInvalidArgument, why);
      std::cerr << why << '\n';
      continue;
    }
    SessionTicket ticket = reasoner->replay(all[i], {}, flags.without_promotion);
    const Finished result = wait_finished(ticket);
    const TraceComparison compared =
        compare_traces(all[i], *result.trace, edit.value_or(std::numeric_limits<Step>::max()));
    all_match = all_match && compared.matching == compared.tokens;
    print_out(report(all[i], *result.trace, compared, flags));
  }
  return all_match ? 0 : 1;
}

}  // namespace

void add_replay_command(CLI::App& app, Run& run) {
  auto flags = std::make_shared<ReplayFlags>();
  CLI::App& command =
      *app.add_subcommand("replay", "Run recorded sessions again and compare their tokens");
  flags->model.add_to(command);
  command.add_option("file", flags->path, "JSON-lines file that --trace wrote")->required();
  command
      .add_option("--without-promotion", flags->without_promotion,
                  "Number of a broadcast to leave out, from 0: what would have come without it")
      ->check(at_least(0))
      ->default_str("none");
  command.add_flag("--json", flags->json, "One JSON object for each trace");
  command.callback([flags, &run] { run = [flags] { return replay(*flags); }; });
}

}  // namespace polyphon
