#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "model/real_model_for_test.h"
#include "model/weightless_model.h"

namespace polyphon {
namespace {

// A file beside the tests' other scratch, removed at the end.
class ScratchFile {
 public:
  explicit ScratchFile(const std::string& content)
      : path_(testing::TempDir() + "polyphon-" +
              testing::UnitTest::GetInstance()->current_test_info()->name() + ".gguf") {
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~ScratchFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Loading must fail with `code` and one line that holds `words`.
void expect_refused(const std::string& path, ErrorCode code, const std::string& words) {
  try {
    load_language_model({.path = path});
    FAIL() << path << " was loaded";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.code(), code) << message;
    EXPECT_NE(message.find(words), std::string::npos) << message;
    EXPECT_NE(message.find(path), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

std::string first_bytes(const std::string& path, size_t count) {
  std::string content(count, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(content.data(), static_cast<std::streamsize>(count));
  content.resize(static_cast<size_t>(file.gcount()));
  return content;
}

TEST(LoadLanguageModel, SaysThatAFileIsMissingOrForeign) {
  expect_refused("/no/such/model.gguf", ErrorCode::kNotFound, "no model file");
  expect_refused(testing::TempDir(), ErrorCode::kNotFound, "no model file");
  const ScratchFile empty("");
  expect_refused(empty.path(), ErrorCode::kInvalidArgument, "not a GGUF");
}

TEST(LoadLanguageModel, SaysThatAFileIsNoGguf) {
  const ScratchFile text("%PDF-1.7 and so on");
  expect_refused(text.path(), ErrorCode::kInvalidArgument, "not a GGUF");
}

TEST(LoadLanguageModel, SaysThatAHeaderIsCutShort) {
  const ScratchFile header("GGUF\x03");
  expect_refused(header.path(), ErrorCode::kInvalidArgument, "truncated");
}

TEST(LoadLanguageModel, RefusesAnUnknownDevice) {
  const ScratchFile file("GGUF\x03");
  try {
    load_language_model({.path = file.path(), .device = "CUDA7"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(error.field(), "device");
    EXPECT_NE(std::string(error.what()).find("CUDA7"), std::string::npos);
  }
}

TEST(ComputeInfo, NamesTheProcessorAndItsFeatures) {
  const ComputeInfo info = compute_info();
  ASSERT_FALSE(info.devices.empty());
  EXPECT_TRUE(std::any_of(info.devices.begin(), info.devices.end(), [](const auto& device) {
    return !device.accelerator && device.memory_total > 0;
  }));
  EXPECT_FALSE(info.cpu_variant.empty());
  EXPECT_FALSE(info.library_version.empty());
}

TEST(LoadLanguageModelRealModel, DescribesTheModel) {
  const ModelInfo& info = real_model().info();
  EXPECT_EQ(info.path, real_model_path());
  EXPECT_EQ(info.size_bytes > 0 && info.size_bytes <= std::filesystem::file_size(info.path), true);
  EXPECT_EQ(info.architecture, "llama");
  EXPECT_EQ(info.hidden_size, 576);
  EXPECT_EQ(info.layers, 30);
  EXPECT_EQ(info.trained_context, 8192);
  EXPECT_FALSE(info.name.empty());
  EXPECT_TRUE(info.supports_views);
  EXPECT_EQ(info.views_reason, "");
}

TEST(LoadLanguageModelRealModel, ReportsProgressUpToTheWhole) {
  std::vector<float> reports;
  load_language_model(
      {.path = real_model_path(), .progress = [&](float done) { reports.push_back(done); }});
  ASSERT_FALSE(reports.empty());
  EXPECT_TRUE(std::is_sorted(reports.begin(), reports.end()));
  EXPECT_EQ(reports.back(), 1.0f);
}

TEST(LoadLanguageModelRealModel, VocabularyAndTemplateComeWithoutTheWeights) {
  const auto model = load_weightless_model({.path = real_model_path()});
  ChatInput chat;
  chat.messages = {{{"role", "user"}, {"content", "What is 47 - 85?"}}};
  const std::string prompt = real_model().chat_template().render(chat).text;
  EXPECT_EQ(model->chat_template().render(chat).text, prompt);
  EXPECT_EQ(model->chat_template().interjection("Sure?"),
            real_model().chat_template().interjection("Sure?"));
  EXPECT_EQ(model->vocabulary().tokenize(prompt, true, true),
            real_model().vocabulary().tokenize(prompt, true, true));
  EXPECT_DEATH(model->make_decoder({}), "has_weights_");
}

TEST(LoadLanguageModelRealModel, SaysThatAFileIsTruncated) {
  for (const size_t bytes : {size_t{1000}, size_t{4} << 20}) {
    const ScratchFile part(first_bytes(real_model_path(), bytes));
    expect_refused(part.path(), ErrorCode::kInvalidArgument, "truncated");
  }
}

TEST(LoadLanguageModelRealModel, SaysThatAnArchitectureIsUnknown) {
  std::string content =
      first_bytes(real_model_path(), std::filesystem::file_size(real_model_path()));
  const std::string key = "general.architecture";
  const size_t value = content.find("llama", content.find(key) + key.size());
  ASSERT_LT(value, 1000u);
  content.replace(value, 5, "llamb");
  const ScratchFile file(content);
  expect_refused(file.path(), ErrorCode::kInvalidArgument, "'llamb'");
}

}  // namespace
}  // namespace polyphon
