#include "deploy/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "record/codec.h"

namespace polyphon {
namespace {

void expect_refused(const std::string& toml, const std::string& word) {
  try {
    parse_config(toml, "test.toml");
    ADD_FAILURE() << "accepted: " << toml;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
  }
}

TEST(Config, AnEmptyFileIsTheDefaults) {
  EXPECT_EQ(config_hash(parse_config("", "empty")), config_hash(Config{}));
}

TEST(Config, ReadsWhatItIsGiven) {
  const Config config = parse_config(R"(
    [engine]
    model = "some.gguf"
    ctx_size = 4096
    [polyphon]
    topology = "4x128>1x256"
    merge = "vote"
    search.mode = "auto"
    [polyphon.memory]
    enabled = true
    [[strategies]]
    name = "units"
    preamble = "Units first. "
    [[strategies]]
    name = "direct"
    preamble = "Straight on. "
    [server]
    port = 0
    alias = ["small", "default"]
  )",
                                     "test.toml");
  EXPECT_EQ(config.model, "some.gguf");
  EXPECT_EQ(config.decoder.context_cells, 4096);
  EXPECT_EQ(config.reason.defaults.topology.to_string(), "4x128>1x256");
  EXPECT_EQ(config.reason.defaults.merge, MergeMode::kVote);
  EXPECT_EQ(config.reason.defaults.search.mode, SearchMode::kAuto);
  EXPECT_TRUE(config.reason.defaults.memory.enabled);
  EXPECT_EQ(config.reason.strategies.front().preamble, "Straight on. ");  // replaced
  EXPECT_EQ(config.reason.strategies.back().name, "units");               // added
  EXPECT_EQ(config.server.port, 0);
  EXPECT_EQ(config.server.served_name, "small");
  EXPECT_EQ(config.server.aliases, std::vector<std::string>{"default"});
}

TEST(Config, WhatTheFileSwitchesOffIsOffForEveryRequest) {
  const Config config =
      parse_config("[polyphon]\ncollapse_watch = false\nagreement = false", "test.toml");
  EXPECT_FALSE(with_diversity(config.reason, DiversityRequest{}).collapse.enabled);
  EXPECT_FALSE(with_diversity(config.reason, DiversityRequest{}).agreement.enabled);
}

TEST(Config, RefusalsNameTheKeyAndTheLine) {
  expect_refused("[engine]\nctx_siz = 1", "line 2: engine.ctx_siz is not a known key");
  expect_refused("[engin]\nx = 1", "engin");
  expect_refused("[engine]\nctx_size = 5", "must be 64 to");
  expect_refused("[engine]\nthreads = \"many\"", "engine.threads must be a whole number");
  expect_refused("[server]\nport = 70000", "server.port is 70000");
  expect_refused("[server]\nalias = \"x\"", "array of strings");
  expect_refused("[engine]\nkernels = \"fast\"", "line 2: engine.kernels is 'fast'");
  expect_refused("[polyphon]\ntopology = \"8y2\"", "polyphon.topology");
  expect_refused("[polyphon]\ngate_threshold = nan", "gate_threshold");
  expect_refused("[polyphon]\nregisters = 4", "registers is 4: must be 0 to 3");
  expect_refused("[[registers]]\nname = \"units\"", "line 1: registers needs a name and a cue");
  expect_refused("[[registers]]\nname = \"units\"\ncue = \"Units:\"\ncadence = 8",
                 "line 4: registers.cadence is not a known key");
  expect_refused("[[registers]]\nname = \"units\"\ncue = \"a\\nb\"", "a cue of one line");
  expect_refused("strategies = 3", "must be [[strategies]]");
  expect_refused("[[strategies]]\nname = \"x\"", "needs a name and a preamble");
  expect_refused("[polyphon.memory]\nwindow_tokens = 31", "is 31: must be 0 (off) or 32");
  expect_refused("[polyphon.memory]\nwindow_tokens = -1", "line 2: polyphon.memory.window_tokens");
  expect_refused("polyphon = 3", "must be a table");
  expect_refused("[polyphon]\nsearch = \"auto\"", "polyphon.search must be a table");
  expect_refused("[polyphon.search]\nmode = \"deep\"", "must be one of off, auto, always");
  expect_refused("[polyphon.search]\nsimulations = 0", "simulations is 0: must be 1 to 4096");
  expect_refused("[polyphon.search]\ncpuct = 1.5", "is not a known key");
  expect_refused("[engine\n", "line 1");
}

TEST(Config, TheHashFollowsWhatChangesASession) {
  Config config;
  const std::string hash = config_hash(config);
  config.server.port = 1;
  config.reason.defaults.topology = parse_topology("2x8");  // stands in the trace
  EXPECT_EQ(config_hash(config), hash);
  config.decoder.kv_type = "q8_0";
  EXPECT_NE(config_hash(config), hash);
}

TEST(Config, TheKeyFileAndTheDataFolderAreResolved) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("polyphon-config-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "keys") << "# mine\n\nabc \n";
  Config config;
  config.model = "models/some.gguf";
  config.server.api_key_file = folder / "keys";
  config.server.data_dir = folder / "data";
  resolve_server_files(config);
  EXPECT_EQ(config.server.api_key_hashes, std::vector<std::string>{"abc"});
  EXPECT_EQ(config.server.trace_path, folder / "data/traces.jsonl");
  EXPECT_EQ(config.reason.memory.path, folder / "data/memory.db");
  EXPECT_EQ(config.server.served_name, "some.gguf");
  std::ofstream(folder / "keys") << "# none\n";
  EXPECT_THROW(resolve_server_files(config), Error);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace polyphon
