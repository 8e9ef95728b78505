// polyphon replay: runs recorded sessions again and says whether the tokens match.
#include <fmt/format.h>

#include <iostream>

#include "app/command.h"
#include "app/load.h"
#include "base/error.h"
#include "reason/plan.h"

namespace polyphon {
namespace {

struct ReplayFlags {
  ModelFlags model;
  std::string path;
  int index = -1;
  bool json = false;
};

int replay(const ReplayFlags& flags) {
  const std::vector<Trace> all = read_traces(flags.path);
  if (all.empty()) throw Error(ErrorCode::kInvalidArgument, flags.path + " holds no trace");
  if (flags.index >= static_cast<int>(all.size()))
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("--index {}: {} holds {} traces", flags.index, flags.path, all.size()));
  const size_t first = flags.index < 0 ? 0 : static_cast<size_t>(flags.index);
  const size_t last = flags.index < 0 ? all.size() : first + 1;

  Config config = flags.model.config();
  auto reasoner = load_reasoner(config);
  bool all_match = true;
  for (size_t i = first; i < last; ++i) {
    if (all[i].model_digest != reasoner->identity().model_digest)
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("trace {} was made by model {}, this is {}", all[i].id,
                              all[i].model_digest, reasoner->identity().model_digest));
    if (all[i].config_hash != reasoner->identity().config_hash)
      std::cerr << fmt::format("trace {}: made under another configuration\n", all[i].id);
    SessionTicket ticket = reasoner->replay(all[i], {});
    const Finished result = wait_finished(ticket);
    const TraceComparison compared = compare_traces(all[i], *result.trace);
    const bool match = compared.matching == compared.tokens;
    all_match = all_match && match;
    if (flags.json)
      print_out(Json{{"id", all[i].id},
                     {"match", match},
                     {"tokens", compared.tokens},
                     {"matching", compared.matching},
                     {"first_difference", compared.first_difference}}
                    .dump() +
                "\n");
    else
      print_out(fmt::format("{}: {} of {} tokens match{}\n", all[i].id, compared.matching,
                            compared.tokens,
                            match ? "" : ", first difference at " + compared.first_difference));
  }
  return all_match ? 0 : 1;
}

}  // namespace

void add_replay_command(CLI::App& app, Run& run) {
  auto flags = std::make_shared<ReplayFlags>();
  CLI::App& command = *app.add_subcommand("replay", "run recorded sessions again and compare");
  flags->model.add_to(command);
  command.add_option("file", flags->path, "JSON lines written by --trace")->required();
  command.add_option("--index", flags->index, "only this trace, from 0")
      ->check(CLI::NonNegativeNumber);
  command.add_flag("--json", flags->json, "a JSON object a trace");
  command.callback([flags, &run] { run = [flags] { return replay(*flags); }; });
}

}  // namespace polyphon
