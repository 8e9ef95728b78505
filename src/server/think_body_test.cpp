#include "server/think_body.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "deploy/settings.h"

namespace polyphon {
namespace {

TEST(ThinkBody, WritesEveryRowThatRequestsMaySet) {
  ThinkInput input;
  input.chat.messages = Json::array({{{"role", "user"}, {"content", "hi"}}});
  input.diversity.temperature_ladder = 0.1;
  input.workspace.without_promotion = 0;
  const Json body = think_body(input, {});
  const auto expect_written = [](const auto& rows, const Json& written) {
    for (const auto& row : rows) {
      std::string path = "/" + row.name;
      std::replace(path.begin(), path.end(), '.', '/');
      const Json::json_pointer at(path);
      EXPECT_EQ(written.contains(at), row.in(kRequestScope)) << row.name;
    }
  };
  expect_written(think_settings(), body.at("polyphon"));
  expect_written(answer_settings(), body.at("polyphon"));
  expect_written(sampling_settings(), body);
}

TEST(ThinkBodyDeathTest, RefusesAConstantThatIsNotTheServers) {
  ThinkInput input;
  input.search.cpuct = 3;
  EXPECT_DEATH(think_body(input, {}), "can_be_written");
}

}  // namespace
}  // namespace polyphon
