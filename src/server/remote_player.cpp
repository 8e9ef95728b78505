#include "server/remote_player.h"

#include <algorithm>
#include <functional>
#include <thread>

#include "base/error.h"
#include "core/json_fault.h"
#include "record/codec.h"
#include "server/think_body.h"

namespace polyphon {
namespace {

bool may_pass(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kOverloaded ||
         code == ErrorCode::kInternal || code == ErrorCode::kDeadlineExceeded;
}

void wait_unless_stopped(std::chrono::milliseconds time, const std::atomic<bool>& stop) {
  constexpr std::chrono::milliseconds kPatience{50};
  for (; time > time.zero() && !stop.load(); time -= kPatience)
    std::this_thread::sleep_for(std::min(time, kPatience));
}

Json with_retries(const Retries& retries, const std::atomic<bool>& stop,
                  const std::function<Json()>& body) {
  std::chrono::milliseconds wait = retries.first_wait;
  for (int left = retries.most;; --left, wait *= 2) {
    try {
      return body();
    } catch (const Error& error) {
      if (left == 0 || !may_pass(error.code())) throw;
    }
    wait_unless_stopped(wait, stop);
    if (stop.load()) throw Error(ErrorCode::kCancelled, "stopped");
  }
}

}  // namespace

RemotePlayer::RemotePlayer(const std::string& address, const std::string& key,
                           const Retries& retries)
    : client_(address, key), retries_(retries) {
  const std::atomic<bool> never = false;
  const Json props = with_retries(retries_, never, [&] { return client_.get("/props"); });
  try {
    const Json& polyphon = props.at("polyphon");
    identity_ = {polyphon.at("model_digest").get<std::string>(),
                 polyphon.at("version").get<std::string>()};
  } catch (const Json::exception&) {
    throw Error(ErrorCode::kInvalidArgument, address + " is not a Polyphon server");
  }
}

Finished RemotePlayer::play(const ThinkInput& input, const SessionTerms& terms, const Stop& stop) {
  const Json body = think_body(input, terms);
  const Json answer = with_retries(retries_, stop.asked,
                                   [&] { return client_.post("/v1/chat/completions", body); });
  try {
    Finished finished;
    finished.trace =
        std::make_shared<const Trace>(trace_from_json(answer.at("polyphon").at("trace")));
    finished.version = finished.trace->version;
    return finished;
  } catch (const std::exception& error) {
    throw Error(ErrorCode::kInternal, name() + " sent no valid trace: " + error.what());
  }
}

std::string RemotePlayer::go_on(const Continuation& from, const SessionTerms&, const Stop& stop) {
  const Json body = completion_body(from);
  const Json answer =
      with_retries(retries_, stop.asked, [&] { return client_.post("/v1/completions", body); });
  try {
    return answer.at("choices").at(0).at("text").get<std::string>();
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::kInternal, name() + " sent no valid text: " + json_fault(error));
  }
}

}  // namespace polyphon
