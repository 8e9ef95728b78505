#include "base/replace_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/error.h"

namespace polyphon {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(ReplaceFile, ALongerFileGivesWayToAShorterOne) {
  const std::string path = ::testing::TempDir() + "replaced";
  replace_file(path, [](std::ostream& out) { out << "the first one"; });
  replace_file(path, [](std::ostream& out) { out << "second"; });
  EXPECT_EQ(content(path), "second");
}

TEST(ReplaceFile, TheOldOneStaysWhenTheNewOneFails) {
  const std::string path = ::testing::TempDir() + "kept";
  replace_file(path, [](std::ostream& out) { out << "old"; });
  EXPECT_THROW(replace_file(path,
                            [](std::ostream& out) {
                              out << "half";
                              out.setstate(std::ios::badbit);
                            }),
               Error);
  EXPECT_EQ(content(path), "old");
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
  EXPECT_THROW(replace_file("no/such/folder/file", [](std::ostream&) {}), Error);
}

}  // namespace
}  // namespace polyphon
