#include "trainer/train_state.h"

#include <fmt/format.h>

#include "base/error.h"
#include "model/tensor_file.h"

namespace polyphon {
namespace {

using Json = nlohmann::json;
constexpr const char* kStateKey = "polyphon.train.state";

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw Error(ErrorCode::kInvalidArgument, path + " " + why);
}

void expect_same_run(const std::string& path, const Json& kept, const TrainState& expected) {
  if (kept.at("model_sha256") != expected.model_sha256) refuse(path, "is of another model");
  if (kept.at("data_sha256") != expected.data_sha256)
    refuse(path, "is of other data: the file has changed since");
  for (const auto& [name, value] : expected.options.items())
    if (kept.at("options").value(name, Json()) != value)
      refuse(path, fmt::format("was trained with {} {}, this run has {}", name,
                               kept.at("options").value(name, Json()).dump(), value.dump()));
}

}  // namespace

Json standing_of(const TrainState& state) {
  Json standing = {{"step", state.step},
                   {"tokens", state.tokens},
                   {"epoch", state.position.epoch},
                   {"next", state.position.next}};
  if (state.best) standing["best"] = {{"step", state.best->step}, {"loss", state.best->loss}};
  return standing;
}

void set_standing(TrainState& state, const Json& standing) {
  standing.at("step").get_to(state.step);
  standing.at("tokens").get_to(state.tokens);
  standing.at("epoch").get_to(state.position.epoch);
  standing.at("next").get_to(state.position.next);
  state.best.reset();
  if (const auto best = standing.find("best"); best != standing.end())
    state.best = {best->at("step").get<int64_t>(), best->at("loss").get<double>()};
}

void save_state(const std::string& path, const TrainState& state, const Optimizer& optimizer) {
  TensorFile file;
  file.strings["general.architecture"] = "polyphon-train-state";
  Json kept = standing_of(state);
  kept.update({{"format", 1},
               {"options", state.options},
               {"model_sha256", state.model_sha256},
               {"data_sha256", state.data_sha256}});
  file.strings[kStateKey] = kept.dump();
  optimizer.save(file);
  write_tensor_file(path, file);
}

TrainState load_state(const std::string& path, const TrainState& expected, Optimizer& optimizer) {
  const TensorFile file = read_tensor_file(path);
  const auto text = file.strings.find(kStateKey);
  if (text == file.strings.end()) refuse(path, "is not a checkpoint of polyphon-train");
  try {
    const Json kept = Json::parse(text->second);
    if (kept.at("format") != 1) refuse(path, "is of another version of polyphon-train");
    expect_same_run(path, kept, expected);
    TrainState state = expected;
    set_standing(state, kept);
    optimizer.load(file);
    return state;
  } catch (const Json::exception& error) {
    refuse(path, std::string("is damaged: ") + error.what());
  }
}

}  // namespace polyphon
