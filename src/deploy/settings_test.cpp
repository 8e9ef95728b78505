#include "deploy/settings.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

namespace polyphon {
namespace {

TEST(Settings, EachHasOneRowAHelpAndADefaultInItsRange) {
  std::set<std::string> names, flags;
  for (const Json& row : settings_json()) {
    const std::string name = row["name"];
    EXPECT_TRUE(names.insert(name).second) << name;
    if (row.contains("flag")) EXPECT_TRUE(flags.insert(row["flag"]).second) << row["flag"];
    EXPECT_GT(row["help"].get<std::string>().size(), 10u) << name;
    EXPECT_FALSE(row["scopes"].empty()) << name;
    const Json& value = row["default"];
    if (value.is_null()) continue;  // nothing is set
    if (row.contains("minimum")) {
      EXPECT_GE(value.get<double>(), row["minimum"].get<double>()) << name;
      EXPECT_LE(value.get<double>(), row["maximum"].get<double>()) << name;
    }
    if (row.contains("values")) {
      const auto values = row["values"].get<std::vector<std::string>>();
      EXPECT_NE(std::find(values.begin(), values.end(), value), values.end()) << name;
    }
  }
}

TEST(Settings, ADefaultThatIsSetChangesNothing) {
  for (const Setting<Config>& row : config_settings()) {
    Config config;
    if (!row.default_value().is_null()) row.set(config, row.default_value());
    for (const Setting<Config>& other : config_settings())
      EXPECT_EQ(other.get(config), other.get(Config())) << row.name << " changes " << other.name;
  }
}

TEST(Settings, FlagsAreNamedAsTheRows) {
  EXPECT_EQ(flag_name("engine.ctx_size"), "--ctx-size");
  EXPECT_EQ(flag_name("polyphon.search.mode"), "--search");
  EXPECT_EQ(flag_name("polyphon.search.simulations"), "--search-simulations");
  EXPECT_EQ(flag_name("polyphon.memory.enabled"), "--memory");
}

// POLYPHON_WRITE_DOCS=1 writes the page anew.
TEST(Settings, TheManualIsMadeFromTheTable) {
  const std::string path = POLYPHON_SHARE_DIR "/../../docs/configuration.md";
  if (std::getenv("POLYPHON_WRITE_DOCS")) std::ofstream(path) << settings_page();
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), settings_page()) << "run `make docs`";
}

}  // namespace
}  // namespace polyphon
