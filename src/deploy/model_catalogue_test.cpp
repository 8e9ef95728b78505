#include "deploy/model_catalogue.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace polyphon {
namespace {

TEST(ModelTitle, IsTheCataloguesNameWhereItHasOne) {
  ModelInfo info;
  info.name = "Smollm2 135M 8k Lc100K Mix1 Ep2";
  info.path = "/models/SmolLM2-135M-Instruct.Q4_1.gguf";
  info.description = "llama 256M Q4_1";
  info.parameters = 134515008;
  EXPECT_EQ(model_title(info), "SmolLM2-135M, Q4_1, 135M parameters");
  info.path = "/models/mine.gguf";
  EXPECT_EQ(model_title(info), "Smollm2 135M 8k Lc100K Mix1 Ep2, Q4_1, 135M parameters");
}

TEST(ModelTitle, CountsInBillionsAndTakesAnyDescription) {
  ModelInfo info;
  info.name = "Big";
  info.description = "qwen2 1.5B Q4_K - Medium";
  info.parameters = 1543714304;
  EXPECT_EQ(model_title(info), "Big, Q4_K - Medium, 1.5B parameters");
  info.description = "odd";
  EXPECT_EQ(model_title(info), "Big, 1.5B parameters");
}

TEST(ModelCatalogue, AMisspelledNameGetsASuggestion) {
  try {
    resolve_model("SmolLM-135M");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean 'SmolLM2-135M'?"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace polyphon
