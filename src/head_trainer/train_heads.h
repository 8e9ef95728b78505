// Training gate, value, memory and topology heads on self-play with outcomes: from folders of
// traces to heads.gguf and a report. Blocks for the whole run; one at a time in a process.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/json.h"
#include "tensors/head_options.h"

namespace polyphon {

// Each head is tried as it is, fitted by features (the read head by the weights of its terms), and
// by features and hidden state. What has the least loss on problems it was not fitted to (the
// topology head's loss is that of its choices) is fitted again to all and written; a head with too
// few examples stays as the folder's heads.gguf has it. The lines of heads.jsonl: {"data":
// HeadData::found and counts}, an object an arm (head_report.h) or a policy (topology_report.h),
// and {"head", "written", "evaluations", ...} a head. `on_trace` hears of each trace that a forward
// pass was made of.
// Throws Error{kInvalidArgument}: options, no trace of this model and version, a heads.gguf of
// another model, a head is not a number; Error{kNotFound}; Error{kInternal} when a file cannot be
// written.
std::vector<Json> train_heads(const HeadTrainOptions& options,
                              const std::function<void(int)>& on_trace = {});

// For people: what is in the lines.
std::string describe_heads(const std::vector<Json>& lines);

}  // namespace polyphon
