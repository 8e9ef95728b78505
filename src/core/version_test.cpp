#include "core/version.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace polyphon {
namespace {

class VersionTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string refusal() const {
    try {
      read_version(folder_);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  const std::string folder_ =
      (std::filesystem::temp_directory_path() /
       (std::string("version-") + ::testing::UnitTest::GetInstance()->current_test_info()->name()))
          .string();
};

TEST_F(VersionTest, GivesBackWhatWasWritten) {
  write_version(folder_, {"night-3", "base", "data", {{"rank", 16}}, {{"loss", 0.5}}});
  const Version version = read_version(folder_);
  EXPECT_EQ(version.name, "night-3");
  EXPECT_EQ(version.base_digest, "base");
  EXPECT_EQ(version.data_hash, "data");
  EXPECT_EQ(version.config, Json({{"rank", 16}}));
  EXPECT_EQ(version.metrics, Json({{"loss", 0.5}}));
}

TEST_F(VersionTest, HasTheFilesThatAreThere) {
  EXPECT_EQ(version_adapter(folder_), "");
  std::ofstream(folder_ + "/heads.gguf") << "x";
  EXPECT_EQ(version_heads(folder_), folder_ + "/heads.gguf");
  EXPECT_EQ(version_adapter(folder_), "");
}

TEST_F(VersionTest, RefusesWhatIsNone) {
  EXPECT_NE(refusal().find("no version at"), std::string::npos);
  for (const char* text : {"", "[]", "{\"name\": \"a\"}",
                           R"({"name": "", "base_digest": "", "data_hash": "", "config": {},
                               "metrics": {}})",
                           R"({"name": 3, "base_digest": "", "data_hash": "", "config": {},
                               "metrics": {}})"}) {
    std::ofstream(folder_ + "/version.json") << text;
    EXPECT_NE(refusal().find("version.json: "), std::string::npos) << text;
  }
}

TEST_F(VersionTest, SaysWhatItCannotWrite) {
  EXPECT_THROW(write_version(folder_ + "/missing", {"a", "b", "c", {}, {}}), Error);
}

TEST_F(VersionTest, OfAnotherBaseIsRefusedWithBothDigests) {
  require_base("version night-3", "one", "one");
  try {
    require_base("version night-3", "one", "another");
    FAIL() << "not refused";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "version night-3 was trained on the base one, but the model is another");
  }
}

TEST_F(VersionTest, AnUntrainedModelIsNamedByTwelveDigits) {
  EXPECT_EQ(untrained_version("0123456789abcdef0123"), "base-0123456789ab");
}

}  // namespace
}  // namespace polyphon
