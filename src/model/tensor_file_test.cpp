#include "model/tensor_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/error.h"

namespace polyphon {
namespace {

class TensorFileTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  std::string refusal() const {
    try {
      read_tensor_file(path_);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  const std::string path_ =
      (std::filesystem::temp_directory_path() /
       (std::string("tensors-") + ::testing::UnitTest::GetInstance()->current_test_info()->name() +
        ".gguf"))
          .string();
  const TensorFile file_{{{"general.architecture", "test"}, {"a.name", "Größe"}},
                         {{"one", {{3}, {1, 2.5f, -3}}}, {"two", {{2, 3}, {1, 2, 3, 4, 5, 6}}}},
                         {{"a.float", 0.5f}},
                         {{"a.number", 7}}};
};

TEST_F(TensorFileTest, GivesBackWhatWasWritten) {
  write_tensor_file(path_, file_);
  const TensorFile read = read_tensor_file(path_);
  EXPECT_EQ(read.strings, file_.strings);
  EXPECT_EQ(read.floats, file_.floats);
  EXPECT_EQ(read.integers, file_.integers);
  ASSERT_EQ(read.tensors.size(), 2u);
  EXPECT_EQ(read.tensors.at("one").values, file_.tensors.at("one").values);
  EXPECT_EQ(read.tensors.at("two").shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(read.tensors.at("two").values, file_.tensors.at("two").values);
}

TEST_F(TensorFileTest, RefusesWhatIsCutOffOrNoGguf) {
  write_tensor_file(path_, file_);
  std::ifstream whole(path_, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(whole), {});
  for (const size_t size : {size_t{0}, size_t{3}, size_t{40}, bytes.size() - 8}) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes.substr(0, size);
    EXPECT_NE(refusal().find("not a GGUF file, or is damaged"), std::string::npos) << size;
  }
  std::ofstream(path_, std::ios::trunc) << "{\"not\": \"a gguf\"}";
  EXPECT_NE(refusal(), "");
  std::filesystem::remove(path_);
  EXPECT_NE(refusal().find("cannot read"), std::string::npos);
}

TEST_F(TensorFileTest, SaysWhenItCannotBeWritten) {
  EXPECT_THROW(write_tensor_file("/no/such/folder/heads.gguf", file_), Error);
  EXPECT_THROW(write_tensor_file("/dev/full/heads.gguf", file_), Error);
}

}  // namespace
}  // namespace polyphon
