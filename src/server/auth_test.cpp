#include "server/auth.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace polyphon {
namespace {

TEST(ApiKeys, WithoutKeysEveryoneIsLetIn) {
  const ApiKeys keys({});
  EXPECT_FALSE(keys.required());
  EXPECT_EQ(keys.tenant_of(""), "");
}

TEST(ApiKeys, AKeyNamesItsTenant) {
  const ApiKeys keys({hash_api_key("one"), hash_api_key("two")});
  const auto one = keys.tenant_of("Bearer one"), two = keys.tenant_of("Bearer two");
  ASSERT_TRUE(one && two);
  EXPECT_NE(*one, *two);
  EXPECT_TRUE(hash_api_key("one").starts_with(*one));
  EXPECT_EQ(keys.tenant_of("bearer one"), one);
  for (const char* wrong : {"", "Bearer", "Bearer ", "Bearer three", "Basic one", "one"})
    EXPECT_EQ(keys.tenant_of(wrong), std::nullopt) << wrong;
  // The hash itself is not accepted as a key.
  EXPECT_EQ(keys.tenant_of("Bearer " + hash_api_key("one")), std::nullopt);
}

TEST(ApiKeys, RefusesAnInvalidHash) {
  EXPECT_THROW(ApiKeys({"one"}), Error);
  EXPECT_THROW(ApiKeys({std::string(64, 'G')}), Error);
}

}  // namespace
}  // namespace polyphon
