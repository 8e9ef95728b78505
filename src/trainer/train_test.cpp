#include "trainer/train.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "trainer/train_run_for_test.h"

namespace polyphon {
namespace {

TEST_F(TrainTest, LearnsWhatTheDataSays) {
  EXPECT_EQ(run(options("run")), TrainOutcome::kDone);
  const std::vector<double> losses = progress("run", "/loss/tokens"_json_pointer);
  ASSERT_GT(losses.size(), 15u);
  EXPECT_LT(losses.back(), 0.7 * losses.front());
}

TEST_F(TrainTest, PackingAndAccumulationDoNotChangeTheLoss) {
  TrainOptions one = options("one"), many = options("many");
  one.dropout = many.dropout = 0;
  one.max_steps = many.max_steps = 1;
  one.batch_tokens = 4096;
  one.accumulate = 1;
  many.batch_tokens = 20;
  many.accumulate = 1000;
  many.epochs = one.epochs = 1;
  run(one);
  run(many);
  const auto value = [&](const std::string& out) {
    std::ifstream file(folder_ + "/" + out + "/progress.jsonl");
    return Json::parse(file)["loss"]["tokens"].get<double>();
  };
  EXPECT_NEAR(value("one"), value("many"), 1e-5);
}

TEST_F(TrainTest, GoesOnFromAnotherRunsAdapter) {
  run(options("first"));
  TrainOptions next = options("next");
  next.from_path = folder_ + "/first/adapter.gguf";
  next.learning_rate = 1e-9;
  next.max_steps = 1;
  run(next);
  for (const auto& [name, tensor] : adapter("first")) {
    const std::vector<float> gone_on = adapter("next").at(name).values;
    for (size_t i = 0; i < gone_on.size(); ++i) EXPECT_NEAR(gone_on[i], tensor.values[i], 1e-7);
  }
  next.out_folder = folder_ + "/other";
  next.alpha = 7;
  EXPECT_NE(refusal(next).find("has alpha 32, this run has 7"), std::string::npos);
  next.alpha = 32;
  next.projections = {"attn_q"};
  EXPECT_NE(refusal(next).find("has 28 tensors"), std::string::npos) << refusal(next);
  write_tiny_model_file(folder_ + "/model.gguf", {.architecture = "qwen2"});
  EXPECT_NE(refusal(next).find("is an adapter of model"), std::string::npos);
}

TEST_F(TrainTest, RefusesABatchThatMemoryCannotHold) {
  TrainOptions large = options("large");
  large.batch_tokens = 2000000000;
  EXPECT_NE(refusal(large).find("MB are free"), std::string::npos);
}

TEST_F(TrainTest, ADivergenceThatWeighsMuchKeepsTheBase) {
  TrainOptions free = options("free"), held = options("held");
  free.kl_weight = 1e-6;
  held.kl_weight = 4;
  free.dropout = held.dropout = 0;
  run(free);
  run(held);
  const auto last = [&](const std::string& out) {
    std::ifstream file(folder_ + "/" + out + "/progress.jsonl");
    Json json;
    for (std::string line; std::getline(file, line);) json = Json::parse(line)["loss"];
    return json;
  };
  EXPECT_LT(last("held")["kl"].get<double>(), 0.5 * last("free")["kl"].get<double>());
  EXPECT_GT(last("held")["tokens"].get<double>(), last("free")["tokens"].get<double>());
}

TEST_F(TrainTest, AGateLearnsWhatPromotionsDidAndIsWrittenBesideTheAdapter) {
  write_promotions(20, 4);
  TrainOptions gated = options("gated");
  gated.promotion_weight = 1;
  run(gated);
  const std::vector<double> costs = progress("gated", "/loss/promotion"_json_pointer);
  ASSERT_GT(costs.size(), 15u);
  EXPECT_LT(costs.back(), costs.front());
  const auto probability = [&](const Heads& heads, double feature) {
    return promotion_probability(heads.gate, {feature, feature, feature, feature, feature, feature},
                                 {});
  };
  const Heads heads = heads_of("gated");
  EXPECT_EQ(heads.version, "gate");
  EXPECT_EQ(heads.gate.hidden_weights.size(), 64u);
  EXPECT_GT(probability(heads, 1), probability({}, 1));
  EXPECT_LT(probability(heads, 0), probability({}, 0));

  TrainOptions next = options("next");
  next.promotion_weight = 1e-9;
  next.learning_rate = 1e-9;
  next.max_steps = 1;
  next.from_heads_path = folder_ + "/gated/heads.gguf";
  run(next);
  EXPECT_NEAR(probability(heads_of("next"), 1), probability(heads, 1), 1e-5);
}

TEST_F(TrainTest, WithoutAWeightPromotionsAreWhatTheSessionHadAndEffectsNothing) {
  write_promotions(20, 4);
  run(options("with"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/with/heads.gguf"));
  write_promotions(20, 0);
  run(options("without"));
  EXPECT_EQ(curve("with"), curve("without"));
  write_promotions(0, 4);
  EXPECT_NE(refusal(options("effects")).find("nothing but effects"), std::string::npos);
}

TEST_F(TrainTest, RefusesWhatCannotBe) {
  TrainOptions bad = options("bad");
  bad.learning_rate = 0;
  EXPECT_NE(refusal(bad).find("learning-rate is 0"), std::string::npos);
  bad = options("bad");
  bad.from_heads_path = "heads.gguf";
  EXPECT_NE(refusal(bad).find("from-heads is heads.gguf"), std::string::npos);
  bad = options("bad");
  bad.projections = {"attn_x"};
  EXPECT_NE(refusal(bad).find("attn_x"), std::string::npos);
  bad = options("bad");
  bad.model_path = folder_ + "/none.gguf";
  EXPECT_NE(refusal(bad).find("cannot read"), std::string::npos);
  bad = options("bad");
  bad.batch_tokens = 10;
  EXPECT_NE(refusal(bad).find("more than the 10"), std::string::npos);
  bad = options("bad");
  bad.device = "gpu";
  EXPECT_NE(refusal(bad).find("device gpu is not known"), std::string::npos);
}

// That what is kept is as good as any checkpoint: the data mended, the run goes on from it.
TEST_F(TrainTest, ALossThatIsNoNumberStopsTheRunAndNamesTheBatch) {
  // A weight that no sum survives.
  {
    std::ofstream file(folder_ + "/data.jsonl", std::ios::app);
    file << R"({"tokens": [1, 2, 3], "targets": [[1, 3, 3e38]]})" << "\n";
  }
  TrainOptions broken = options("broken");
  broken.save_every_steps = 1;
  broken.seed = 3;
  const std::string why = refusal(broken);
  EXPECT_NE(why.find("step "), std::string::npos) << why;
  EXPECT_NE(why.find("lines "), std::string::npos) << why;
  EXPECT_NE(why.find("checkpoint is kept"), std::string::npos) << why;
  const std::vector<double> before = progress("broken", "/loss/tokens"_json_pointer);
  ASSERT_GT(before.size(), 0u) << "the bad line came first: another seed";
  for (const double loss : before) EXPECT_TRUE(std::isfinite(loss));
  for (const auto& [name, tensor] : adapter("broken"))
    for (const float value : tensor.values) ASSERT_TRUE(std::isfinite(value)) << name;
  EXPECT_EQ(saved_step("broken"), static_cast<int64_t>(before.size()));
}

TEST_F(TrainTest, SavesAsOftenAsItIsTold) {
  TrainOptions by_time = options("by_time");
  by_time.save_every_steps = 1000;
  by_time.save_every_seconds = 1e-9;
  by_time.max_steps = 3;
  std::vector<int64_t> saved;
  train(by_time, std::atomic<bool>(false), [&](const Json& line) {
    if (line["step"].get<int>() > 1) saved.push_back(saved_step("by_time"));
  });
  EXPECT_EQ(saved, (std::vector<int64_t>{1, 2}));
  TrainOptions by_count = options("by_count");
  by_count.save_every_steps = 2;
  by_count.save_every_seconds = 1e9;
  by_count.max_steps = 5;
  saved.clear();
  train(by_count, std::atomic<bool>(false), [&](const Json& line) {
    if (line["step"].get<int>() > 2) saved.push_back(saved_step("by_count"));
  });
  EXPECT_EQ(saved, (std::vector<int64_t>{2, 2, 4}));
}

TEST_F(TrainTest, ProgressTellsWhereTheRunIs) {
  TrainOptions told = options("told");
  told.max_steps = 4;
  std::vector<Json> lines;
  train(told, std::atomic<bool>(false), [&](const Json& line) { lines.push_back(line); });
  ASSERT_EQ(lines.size(), 4u);
  for (size_t i = 0; i < lines.size(); ++i) {
    const Json& line = lines[i];
    EXPECT_EQ(line.at("step"), i + 1);
    EXPECT_EQ(line.at("of"), 4);
    EXPECT_GT(line.at("loss").at("tokens"), 0.0);
    EXPECT_EQ(line.at("learning_rate"), learning_rate_at(told, static_cast<int64_t>(i), 4));
    EXPECT_GT(line.at("gradient_norm"), 0.0);
    EXPECT_GT(line.at("tokens"), i == 0 ? Json(0) : lines[i - 1].at("tokens"));
    EXPECT_GT(line.at("tokens_per_second"), 0.0);
    EXPECT_GT(line.at("peak_memory_mb"), 0);
    EXPECT_GE(line.at("eta_seconds"), 0.0);
  }
  EXPECT_EQ(lines.back().at("eta_seconds"), 0.0);
}

TEST_F(TrainTest, DataThatIsAllWarmUpIsToldOf) {
  TrainOptions few = options("few");
  few.warmup_steps = 10;
  EXPECT_NE(warning_of(few, 10).find("gives 10 steps and the first 10 warm up"), std::string::npos);
  EXPECT_EQ(warning_of(few, 11), "");
}

TEST_F(TrainTest, LearningRateWarmsUpAndFallsAlongACosine) {
  TrainOptions o = options("none");
  o.learning_rate = 1;
  o.warmup_steps = 4;
  o.final_learning_rate_share = 0.1;
  EXPECT_DOUBLE_EQ(learning_rate_at(o, 0, 14), 0.25);
  EXPECT_DOUBLE_EQ(learning_rate_at(o, 3, 14), 1);
  EXPECT_DOUBLE_EQ(learning_rate_at(o, 4, 14), 1);
  EXPECT_NEAR(learning_rate_at(o, 9, 14), 0.55, 1e-12);
  EXPECT_NEAR(learning_rate_at(o, 14, 14), 0.1, 1e-12);
}

using resume = TrainTest;  // NOLINT(readability-identifier-naming): what ctest calls them

TEST_F(resume, AfterAStopTheCurveGoesOnToTheBit) {
  run(options("whole"));
  const TrainOptions stopped = options("stopped");
  std::atomic<bool> stop = false;
  const TrainOutcome outcome = train(stopped, stop, [&](const Json& line) {
    if (line["step"].get<int>() == 8) stop.store(true);
  });
  EXPECT_EQ(outcome, TrainOutcome::kStopped);
  EXPECT_EQ(curve("stopped").size(), 8u);
  TrainOptions resumed = stopped;
  resumed.resume = true;
  EXPECT_EQ(run(resumed), TrainOutcome::kDone);
  EXPECT_EQ(curve("stopped"), curve("whole"));
  for (const auto& [name, tensor] : adapter("whole"))
    EXPECT_EQ(tensor.values, adapter("stopped").at(name).values) << name;
}

// The process dies between two checkpoints, twice, wherever it is then, and leaves half a line of
// progress. In the precision that runs have by default.
TEST_F(resume, AfterAKillTheCurveGoesOnToTheBit) {
  const auto in_bfloat16 = [&](const std::string& out) {
    TrainOptions half = options(out);
    half.precision = "bf16";
    return half;
  };
  run(in_bfloat16("whole"));
  std::random_device random;
  for (const int last : {5, 14}) {
    const std::chrono::microseconds later(random() % 20000);
    const pid_t child = fork();
    if (child == 0) {
      TrainOptions killed = in_bfloat16("killed");
      killed.resume = true;
      std::jthread killer;
      train(killed, std::atomic<bool>(false), [&](const Json& line) {
        if (line["step"].get<int>() == last)
          killer = std::jthread([later] {
            std::this_thread::sleep_for(later);
            raise(SIGKILL);
          });
      });
      pause();  // it was quicker
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    std::ofstream(folder_ + "/killed/progress.jsonl", std::ios::app) << "{\"step\": 9";
  }
  TrainOptions resumed = in_bfloat16("killed");
  resumed.resume = true;
  EXPECT_EQ(run(resumed), TrainOutcome::kDone);
  EXPECT_EQ(curve("killed"), curve("whole"));
}

TEST_F(resume, WithAGateTheCurveGoesOnToTheBit) {
  write_promotions(20, 4);
  const auto gated = [&](const std::string& out) {
    TrainOptions gated = options(out);
    gated.promotion_weight = 0.5;
    return gated;
  };
  run(gated("whole"));
  TrainOptions stopped = gated("stopped");
  std::atomic<bool> stop = false;
  train(stopped, stop, [&](const Json& line) {
    if (line["step"].get<int>() == 8) stop.store(true);
  });
  stopped.resume = true;
  EXPECT_EQ(run(stopped), TrainOutcome::kDone);
  EXPECT_EQ(curve("stopped"), curve("whole"));
  const GateHead found = heads_of("stopped").gate, expected = heads_of("whole").gate;
  EXPECT_EQ(found.weights, expected.weights);
  EXPECT_EQ(found.bias, expected.bias);
  EXPECT_EQ(found.hidden_weights, expected.hidden_weights);
  EXPECT_NE(found.weights, GateHead().weights);
}

// As a full disk would, the limit lets no file grow beyond it.
TEST_F(resume, AfterADiskThatWasFullTheCurveGoesOnToTheBit) {
  run(options("whole"));
  TrainOptions full = options("full");
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_action = signal(SIGXFSZ, SIG_IGN);
  std::string why;
  try {
    train(full, std::atomic<bool>(false), [&](const Json& line) {
      if (line["step"].get<int>() != 5) return;
      const rlimit tight{8192, before.rlim_max};
      EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
    });
  } catch (const Error& error) {
    why = error.what();
  }
  EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, old_action);
  EXPECT_NE(why.find(".gguf: is the disk full?"), std::string::npos) << why;
  full.resume = true;
  EXPECT_EQ(run(full), TrainOutcome::kDone);
  EXPECT_EQ(curve("full"), curve("whole"));
}

TEST_F(resume, RefusesTheCheckpointOfAnotherRun) {
  run(options("run"));
  EXPECT_NE(refusal(options("run")).find("resume that run"), std::string::npos);
  TrainOptions other = options("run");
  other.resume = true;
  other.learning_rate = 3e-3;
  EXPECT_NE(refusal(other).find("was trained with learning_rate"), std::string::npos);
  other = options("run");
  other.resume = true;
  write_data(23);
  EXPECT_NE(refusal(other).find("is of other data"), std::string::npos);
  write_data(24);
  std::filesystem::resize_file(other.out_folder + "/state.gguf", 500);
  EXPECT_NE(refusal(other).find("damaged"), std::string::npos);
}

}  // namespace
}  // namespace polyphon
