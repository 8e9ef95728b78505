#include "deploy/load.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/clock_for_test.h"
#include "base/error.h"
#include "model/fake_language_model.h"

namespace polyphon {
namespace {

using Changes = std::vector<std::string>;

// A served version "night" of the fake model, in a folder that tests train again.
class ReloadTest : public ::testing::Test {
 protected:
  ReloadTest() {
    std::filesystem::create_directories(folder_);
    name("night");
    train_adapter("first");
    train_heads(1);
    config_.version = folder_;
    config_.decoder.context_cells = 2048;
    config_.decoder.max_sequences = 64;
    const ConfiguredVersion version = configured_version(config_, "base");
    auto model = std::make_unique<FakeLanguageModel>();
    auto engine =
        std::make_unique<Engine>(model->make_decoder(config_.decoder), EngineOptions{}, kClock);
    reasoner_ = std::make_unique<Reasoner>(
        std::move(model), std::move(engine), ReasonOptions{},
        Reasoner::Identity{version.name, "base", "hash", version.trained});
    reasoner_->use_memory_store(
        std::make_unique<MemoryStore>(folder_ + "/memory.db", StoreLimits{}));
    reloader_ = std::make_unique<Reloader>(*reasoner_, config_);
  }
  ~ReloadTest() override {
    reasoner_.reset();
    std::filesystem::remove_all(folder_);
  }

  void name(const std::string& name) { write_version(folder_, {name, "base", "data", {}, {}}); }
  void train_adapter(const std::string& content) {
    std::ofstream(folder_ + "/adapter.gguf") << content;
  }
  void train_heads(double bias) {
    Heads heads;
    heads.version = "heads";
    heads.gate.bias = bias;
    write_heads(heads_, heads, "base", FakeLanguageModel().info().hidden_size);
  }
  // What the cells of a session's memory were computed by.
  std::string cells() {
    std::string cells;
    const int sink = reasoner_->sinks().add(
        [&](const FinishedSession& session) { cells = session.computed_by.cells; });
    CompletionRequest request;
    request.prompt = {'a'};
    request.max_tokens = 1;
    SessionTicket ticket = reasoner_->complete(request, {});
    wait_finished(ticket);
    reasoner_->sinks().remove(sink, std::chrono::seconds(10));
    return cells;
  }

  const std::string folder_ =
      std::filesystem::temp_directory_path() / ("polyphon-reload-" + std::to_string(getpid()));
  const std::string heads_ = folder_ + "/heads.gguf";
  Config config_;
  std::unique_ptr<Reasoner> reasoner_;
  std::unique_ptr<Reloader> reloader_;
};

TEST_F(ReloadTest, ChangesNothingWhileTheFilesAreTheSame) {
  const auto engine = reasoner_->engine();
  const auto heads = reasoner_->heads();
  name("night");  // written again
  EXPECT_EQ(reloader_->reload().changed, Changes());
  EXPECT_EQ(reasoner_->engine(), engine);
  EXPECT_EQ(reasoner_->heads(), heads);
}

TEST_F(ReloadTest, AVersionTrainedAgainUnderItsNameSwapsAdapterAndHeads) {
  const std::string digest = reloader_->reload().digest, before = cells();
  const auto engine = reasoner_->engine();
  train_adapter("again");  // as long as the first
  train_heads(2);
  const Reloaded reloaded = reloader_->reload();
  EXPECT_EQ(reloaded.changed, (Changes{"adapter", "heads"}));
  EXPECT_NE(reloaded.digest, digest);
  EXPECT_EQ(reasoner_->version(), "night");
  EXPECT_NE(reasoner_->engine(), engine);
  EXPECT_EQ(reasoner_->heads()->gate.bias, 2);
  EXPECT_NE(cells(), before) << "the store's cells are another adapter's";

  train_adapter("first");
  train_heads(1);
  EXPECT_EQ(reloader_->reload().digest, digest);
  EXPECT_EQ(cells(), before);
}

TEST_F(ReloadTest, HeadsAloneLeaveTheEngineAndItsCaches) {
  const auto engine = reasoner_->engine();
  const std::string before = cells();
  train_heads(3);
  EXPECT_EQ(reloader_->reload().changed, Changes{"heads"});
  EXPECT_EQ(reasoner_->engine(), engine);
  EXPECT_EQ(reasoner_->heads()->gate.bias, 3);
  EXPECT_EQ(cells(), before);
}

TEST_F(ReloadTest, AnotherNameForTheSameFilesKeepsTheCellsOfMemory) {
  const std::string digest = reloader_->reload().digest, before = cells();
  name("morning");
  const Reloaded reloaded = reloader_->reload();
  EXPECT_EQ(reloaded.changed, Changes{"version"});
  EXPECT_EQ(reloaded.version, "morning+heads");
  EXPECT_EQ(reloaded.digest, digest);
  EXPECT_EQ(cells(), before);
}

TEST_F(ReloadTest, AnErrorLeavesAllAsItWas) {
  const auto engine = reasoner_->engine();
  const auto heads = reasoner_->heads();
  train_adapter("again");
  std::ofstream(heads_) << "no heads";
  EXPECT_THROW(reloader_->reload(), Error);
  write_version(folder_, {"night", "another base", "data", {}, {}});
  EXPECT_THROW(reloader_->reload(), Error);
  std::filesystem::remove(folder_ + "/version.json");
  EXPECT_THROW(reloader_->reload(), Error);
  EXPECT_EQ(reasoner_->engine(), engine);
  EXPECT_EQ(reasoner_->heads(), heads);
  EXPECT_EQ(reasoner_->version(), "night");
}

}  // namespace
}  // namespace polyphon
