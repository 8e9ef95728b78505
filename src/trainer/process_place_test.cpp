#include "trainer/process_place.h"

#include <gtest/gtest.h>

#include <map>

#include "base/error.h"

namespace polyphon {
namespace {

using Variables = std::map<std::string, std::string>;

ProcessPlace place_of(const Variables& variables) {
  return process_place([&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

std::string refusal(const Variables& variables) {
  try {
    place_of(variables);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

const Variables kTorchrun = {{"WORLD_SIZE", "4"},
                             {"RANK", "3"},
                             {"LOCAL_RANK", "1"},
                             {"LOCAL_WORLD_SIZE", "2"},
                             {"MASTER_ADDR", "10.0.0.7"},
                             {"MASTER_PORT", "29400"},
                             {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                             {"TORCHELASTIC_RESTART_COUNT", "2"}};

Variables with(const std::string& name, const std::string& value) {
  Variables variables = kTorchrun;
  variables[name] = value;
  return variables;
}

TEST(ProcessPlace, IsThatOfTorchrunsVariables) {
  const ProcessPlace place = place_of(kTorchrun);
  EXPECT_EQ(place.rank, 3);
  EXPECT_EQ(place.size, 4);
  EXPECT_EQ(place.on_this_machine, 2);
  EXPECT_EQ(place.local_rank, 1);
  EXPECT_EQ(place.address, "10.0.0.7");
  EXPECT_EQ(place.port, 29400);
  EXPECT_TRUE(place.launcher_store);
  EXPECT_EQ(place.restarts, "2");
}

TEST(ProcessPlace, LocalVariablesMayBeMissing) {
  Variables variables = kTorchrun;
  variables.erase("LOCAL_RANK");
  variables.erase("LOCAL_WORLD_SIZE");
  EXPECT_EQ(place_of(variables).local_rank, 0);
  EXPECT_EQ(place_of(variables).on_this_machine, 1);
  EXPECT_NE(refusal(with("LOCAL_RANK", "4")).find("LOCAL_RANK is 4"), std::string::npos);
}

TEST(ProcessPlace, IsAloneWithoutThem) {
  EXPECT_EQ(place_of({}).size, 1);
  EXPECT_EQ(place_of({{"WORLD_SIZE", "1"}}).rank, 0);
  EXPECT_EQ(place_of({{"RANK", "5"}}).rank, 0);
}

TEST(ProcessPlace, NamesTheVariableThatIsWrong) {
  EXPECT_NE(refusal(with("RANK", "4")).find("RANK is 4"), std::string::npos);
  EXPECT_NE(refusal(with("WORLD_SIZE", "two")).find("WORLD_SIZE is two"), std::string::npos);
  EXPECT_NE(refusal(with("MASTER_PORT", "70000")).find("MASTER_PORT"), std::string::npos);
  EXPECT_NE(refusal(with("MASTER_ADDR", "")).find("MASTER_ADDR is not set"), std::string::npos);
  EXPECT_NE(refusal({{"WORLD_SIZE", "2"}}).find("RANK is not set"), std::string::npos);
}

}  // namespace
}  // namespace polyphon
