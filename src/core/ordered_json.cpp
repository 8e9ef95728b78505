#include "core/ordered_json.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.h"

namespace polyphon {
namespace {

// Called by nlohmann's parser with what it reads.
class Builder final : public nlohmann::json_sax<OrderedJson> {
 public:
  explicit Builder(int most_levels) : most_levels_(static_cast<size_t>(most_levels)) {}

  OrderedJson take() { return std::move(root_); }
  [[noreturn]] void fail() const { throw Error(ErrorCode::kInvalidArgument, why_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t& value) override { return add(OrderedJson::binary(value)); }
  bool start_object(std::size_t) override { return open(OrderedJson::object()); }
  bool start_array(std::size_t) override { return open(OrderedJson::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& key) override {
    open_.back().key = std::move(key);
    return true;
  }
  bool parse_error(std::size_t, const std::string&,
                   const nlohmann::detail::exception& error) override {
    const std::string_view what = error.what();  // "[json.exception.parse_error.101] parse error"
    why_ = fmt::format("is not valid JSON: {}", what.substr(what.find("] ") + 2));
    return false;
  }

 private:
  struct Open {
    OrderedJson* value;  // stays where it is: its own parent gets no member while it is open
    std::string key = "";
    std::unordered_map<std::string, size_t> places = {};  // of the members
  };

  bool add(OrderedJson value) { return place(std::move(value)) != nullptr; }

  bool open(OrderedJson value) {
    if (open_.size() >= most_levels_) {
      why_ = fmt::format("nests more than {} levels deep", most_levels_);
      return false;
    }
    open_.push_back({place(std::move(value))});
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  OrderedJson* place(OrderedJson value) {
    if (open_.empty()) return &(root_ = std::move(value));
    Open& parent = open_.back();
    if (parent.value->is_array()) return &parent.value->emplace_back(std::move(value));
    // The vector beneath the map: the map itself would look the key up.
    using Members = std::vector<OrderedJson::object_t::value_type>;
    Members& members = parent.value->get_ref<OrderedJson::object_t&>();
    const auto [found, added] = parent.places.emplace(parent.key, members.size());
    if (!added) return &(members[found->second].second = std::move(value));
    members.emplace_back(std::move(parent.key), std::move(value));
    return &members.back().second;
  }

  const size_t most_levels_;
  OrderedJson root_;
  std::vector<Open> open_;
  std::string why_;
};

}  // namespace

OrderedJson parse_ordered(std::string_view text, int most_levels) {
  Builder builder(most_levels);
  if (!OrderedJson::sax_parse(text, &builder)) builder.fail();
  return builder.take();
}

}  // namespace polyphon
