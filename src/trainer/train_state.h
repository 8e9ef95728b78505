// Where a run stands: what a checkpoint keeps beside weights and moments. One file, state.gguf,
// replaced at once, so that a killed process leaves the old one or the new one. There is no RNG to
// keep: data order and dropout are functions of the seed and of this.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "trainer/batch_plan.h"
#include "trainer/optimizer.h"

namespace polyphon {

// The adapter with the lowest loss on held-out data so far.
struct BestAdapter {
  int64_t step = 0;
  double loss = 0;
};

struct TrainState {
  int64_t step = 0;    // steps done
  int64_t tokens = 0;  // trained on so far
  DataPosition position;
  std::optional<BestAdapter> best;  // without held-out data there is none
  nlohmann::json options;           // to_json(TrainOptions)
  std::string model_sha256;         // of the base's file
  std::string data_sha256;
};

// How far the run is: what of the state changes with its steps, beside the tensors.
nlohmann::json standing_of(const TrainState& state);
void set_standing(TrainState& state, const nlohmann::json& standing);

// Throws Error{kInternal} when it cannot be written.
void save_state(const std::string& path, const TrainState& state, const Optimizer& optimizer);

// Throws Error{kNotFound}, or Error{kInvalidArgument} when it is not of this run: `expected` has
// other options, model or data, each named.
TrainState load_state(const std::string& path, const TrainState& expected, Optimizer& optimizer);

}  // namespace polyphon
