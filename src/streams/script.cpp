#include "streams/script.h"

#include <algorithm>
#include <limits>

namespace polyphon {
namespace {

class Script final : public Grammar {
 public:
  explicit Script(Tokens script) : script_(std::move(script)) {}

  void mask(std::span<float> logits) override {
    if (free()) return;
    std::fill(logits.begin(), logits.end(), -std::numeric_limits<float>::infinity());
    logits[static_cast<size_t>(script_[next_])] = 0;
  }
  bool allows(Token token) override { return free() || script_[next_] == token; }
  void accept(Token) override { ++next_; }

 private:
  bool free() const { return next_ >= script_.size() || script_[next_] == kNoToken; }

  Tokens script_;
  size_t next_ = 0;
};

}  // namespace

std::unique_ptr<Grammar> make_script(Tokens script) {
  return std::make_unique<Script>(std::move(script));
}

}  // namespace polyphon
