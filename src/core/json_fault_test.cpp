#include "core/json_fault.h"

#include <gtest/gtest.h>

#include <functional>

namespace polyphon {
namespace {

using Json = nlohmann::json;

std::string fault_of(const std::function<void()>& wrong) {
  try {
    wrong();
  } catch (const Json::exception& error) {
    return json_fault(error);
  }
  return "no fault";
}

TEST(JsonFault, SaysWhatIsWrongAndNothingOfTheLibrary) {
  const Json object = {{"name", "x"}, {"list", {1}}};
  EXPECT_EQ(fault_of([] { (void)Json::parse("Once upon a time"); }), "it is not JSON");
  EXPECT_EQ(fault_of([] { (void)Json::parse(R"({"cut": )"); }), "it is not JSON");
  EXPECT_EQ(fault_of([&] { (void)object.at("spans"); }), "the member 'spans' is missing");
  EXPECT_EQ(fault_of([&] { (void)object.at("name").get<int>(); }),
            "a value is a string instead of a number");
  EXPECT_EQ(fault_of([&] { (void)object.at("list").at(3); }), "a list is too short");
  for (const auto& wrong : std::vector<std::function<void()>>{
           [&] { (void)object.at("name").at("inner"); }, [&] { (void)object.get<std::string>(); },
           [&] { (void)object.at("list").get<std::map<std::string, int>>(); }})
    EXPECT_EQ(fault_of(wrong).find("exception"), std::string::npos) << fault_of(wrong);
}

}  // namespace
}  // namespace polyphon
