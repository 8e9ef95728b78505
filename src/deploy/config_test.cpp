#include "deploy/config.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

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
    [model]
    name = "some.gguf"
    [engine]
    context_cells = 4096
    [reason]
    topology = "4x128>1x256"
    merge = "vote"
    [reason.collapse]
    hidden_cosine = 0.5
    [[reason.strategies]]
    name = "units"
    preamble = "Units first. "
    [[reason.strategies]]
    name = "direct"
    preamble = "Straight on. "
    [server]
    port = 0
    api_key_hashes = ["ab"]
  )",
                                     "test.toml");
  EXPECT_EQ(config.model, "some.gguf");
  EXPECT_EQ(config.decoder.context_cells, 4096);
  EXPECT_EQ(config.reason.topology.to_string(), "4x128>1x256");
  EXPECT_EQ(config.reason.merge, MergeMode::kVote);
  EXPECT_EQ(config.reason.collapse.hidden_cosine, 0.5);
  EXPECT_EQ(config.reason.strategies.front().preamble, "Straight on. ");  // replaced
  EXPECT_EQ(config.reason.strategies.back().name, "units");               // added
  EXPECT_EQ(config.server.port, 0);
  EXPECT_EQ(config.server.api_key_hashes, std::vector<std::string>{"ab"});
}

TEST(Config, RefusalsNameTheKeyAndTheLine) {
  expect_refused("[engine]\ncontext_cell = 1", "line 2: engine.context_cell is not a known key");
  expect_refused("[engin]\nx = 1", "engin");
  expect_refused("[engine]\ncontext_cells = 5", "must be 64 to");
  expect_refused("[engine]\nthreads = \"many\"", "engine.threads must be a whole number");
  expect_refused("[server]\nport = 70000", "server.port is 70000");
  expect_refused("[server]\napi_key_hashes = \"x\"", "array of strings");
  expect_refused("[engine]\nkernels = \"fast\"", "line 2: engine.kernels is 'fast'");
  expect_refused("[reason]\ntopology = \"8y2\"", "reason.topology");
  expect_refused("[reason]\ntemperature_ladder = nan", "temperature_ladder");
  expect_refused("[[reason.registers]]\nname = \"units\"", "line 1: reason.registers.name must be");
  expect_refused("[[reason.registers]]\nname = \"units\"\ncue = \"Units:\"\ncadence = 8",
                 "line 4: reason.registers.cadence is not a known key");
  expect_refused("[reason]\nstrategies = 3", "must be [[reason.strategies]]");
  expect_refused("[[reason.strategies]]\nname = \"x\"", "name and preamble must be given");
  expect_refused("[memory]\nwindow_tokens = 31", "window_tokens is 31: must be 0 (off) or 32");
  expect_refused("[memory]\nread_threshold = 2", "line 2: memory.read_threshold is 2");
  expect_refused("reason = 3", "must be a table");
  expect_refused("[reason.search]\nmode = \"deep\"", "must be off, auto or always");
  expect_refused("[reason.search]\ndepth = 0", "depth is 0: must be 1 to 64");
  expect_refused("[engine\n", "line 1");
}

TEST(Config, TheHashFollowsWhatChangesASession) {
  Config config;
  const std::string hash = config_hash(config);
  config.server.port = 1;
  EXPECT_EQ(config_hash(config), hash);
  config.reason.temperature_ladder = 0.1;
  EXPECT_NE(config_hash(config), hash);
}

// docs/configuration.md claims to show the defaults: what it shows must parse, and be them.
TEST(Config, TheDocumentedDefaultsAreTheDefaults) {
  std::ifstream file(POLYPHON_SHARE_DIR "/../../docs/configuration.md");
  std::stringstream text;
  text << file.rdbuf();
  const std::string page = text.str();
  const size_t begin = page.find("```toml\n") + 8, end = page.find("```", begin);
  ASSERT_NE(end, std::string::npos);
  Config documented = parse_config(page.substr(begin, end - begin), "configuration.md");
  ASSERT_EQ(documented.reason.strategies.back().name, "units");
  ASSERT_EQ(documented.reason.workspace.registers.back().name, "units");
  // The page's examples.
  documented.reason.strategies.pop_back();
  documented.reason.workspace.registers.pop_back();
  EXPECT_EQ(config_hash(documented), config_hash(Config{}));
  EXPECT_EQ(documented.reason.workspace.defaults.cadence_tokens, WorkspaceRequest{}.cadence_tokens);
  EXPECT_EQ(to_json(documented.reason.search), to_json(SearchRequest{}));
  EXPECT_EQ(to_json(documented.reason.memory.defaults), to_json(MemoryRequest{}));
  EXPECT_EQ(documented.decoder.context_cells, Config{}.decoder.context_cells);
  EXPECT_EQ(documented.server.default_max_tokens, Config{}.server.default_max_tokens);
  EXPECT_EQ(documented.engine.max_waiting, Config{}.engine.max_waiting);
}

}  // namespace
}  // namespace polyphon
