#include "trainer/train_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace polyphon {
namespace {

template <typename Number>
void expect(bool fits, const char* option, Number value, const char* wanted) {
  if (fits) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{} is {}: it must be {}", option, value, wanted), option);
}

double risen_share(int64_t step, int warmup_steps) {
  if (step >= warmup_steps) return 1;
  return static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
}

}  // namespace

void check(const TrainOptions& options) {
  expect(options.learning_rate > 0, "learning-rate", options.learning_rate, "above 0");
  const double share = options.final_learning_rate_share;
  expect(share >= 0 && share <= 1, "final-learning-rate-share", share, "between 0 and 1");
  expect(options.warmup_steps >= 0, "warmup-steps", options.warmup_steps, "0 or more");
  expect(options.weight_decay >= 0, "weight-decay", options.weight_decay, "0 or more");
  expect(options.clip_norm >= 0, "clip-norm", options.clip_norm, "0 or more");
  expect(options.epochs >= 1, "epochs", options.epochs, "1 or more");
  expect(options.max_steps >= 0, "max-steps", options.max_steps, "0 or more");
  expect(options.batch_tokens >= 2, "batch-tokens", options.batch_tokens, "2 or more");
  expect(options.kl_weight >= 0, "kl-weight", options.kl_weight, "0 or more");
  expect(options.promotion_weight >= 0, "promotion-weight", options.promotion_weight, "0 or more");
  expect(options.promotion_weight > 0 || options.from_heads_path.empty(), "from-heads",
         options.from_heads_path, "given with --promotion-weight");
  expect(options.accumulate >= 1, "accumulate", options.accumulate, "1 or more");
  const double held = options.validation_share;
  expect(held >= 0 && held < 1, "validation-share", held, "in [0, 1)");
  expect(held == 0 || options.validation_path.empty(), "validation-share", held,
         "0 beside --validation");
  expect(options.validate_every_steps >= 1, "validate-every-steps", options.validate_every_steps,
         "1 or more");
  expect(options.peer_timeout_seconds > 0, "peer-timeout-seconds", options.peer_timeout_seconds,
         "above 0");
  expect(options.threads >= 0, "threads", options.threads, "0 or more");
  expect(options.save_every_steps >= 1, "save-every-steps", options.save_every_steps, "1 or more");
  expect(options.save_every_seconds > 0, "save-every-seconds", options.save_every_seconds,
         "above 0");
}

nlohmann::json to_json(const TrainOptions& options) {
  return {{"rank", options.rank},
          {"alpha", options.alpha},
          {"dropout", options.dropout},
          {"projections", options.projections},
          {"learning_rate", options.learning_rate},
          {"final_learning_rate_share", options.final_learning_rate_share},
          {"warmup_steps", options.warmup_steps},
          {"weight_decay", options.weight_decay},
          {"clip_norm", options.clip_norm},
          {"epochs", options.epochs},
          {"max_steps", options.max_steps},
          {"batch_tokens", options.batch_tokens},
          {"kl_weight", options.kl_weight},
          {"promotion_weight", options.promotion_weight},
          {"accumulate", options.accumulate},
          {"seed", options.seed},
          {"precision", options.precision},
          {"validation_share", options.validation_share},
          {"validate_every_steps", options.validate_every_steps}};
}

std::string warning_of(const TrainOptions& options, int64_t steps) {
  if (steps > options.warmup_steps) return "";
  return fmt::format(
      "the data gives {} steps and the first {} warm up: the learning rate does not reach its "
      "peak; "
      "more data or epochs, or fewer --warmup-steps",
      steps, options.warmup_steps);
}

double learning_rate_at(const TrainOptions& options, int64_t step, int64_t steps) {
  const double peak = options.learning_rate;
  if (step < options.warmup_steps) return peak * risen_share(step, options.warmup_steps);
  const double left = static_cast<double>(std::max<int64_t>(1, steps - options.warmup_steps));
  const double done = static_cast<double>(step - options.warmup_steps) / left;
  const double share = options.final_learning_rate_share;
  const double cosine = 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, done)));
  return peak * (share + (1 - share) * cosine);
}

}  // namespace polyphon
