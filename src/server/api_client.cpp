#include "server/api_client.h"

#include <fmt/format.h>
#include <httplib.h>
#include <netinet/tcp.h>

#include "base/error.h"
#include "server/api_error.h"

namespace polyphon {
namespace {

constexpr std::chrono::seconds kToConnect{5};
// A request may wait in the server's queue for as long as the server allows. Keep-alive probes
// detect a machine that has disappeared.
constexpr std::chrono::seconds kToAnswer{3600};
constexpr int kIdleBeforeProbeS = 30, kBetweenProbesS = 10, kProbes = 3;

void probe_when_idle(socket_t socket) {
  const int on = 1;
  setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &kIdleBeforeProbeS, sizeof kIdleBeforeProbeS);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &kBetweenProbesS, sizeof kBetweenProbesS);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &kProbes, sizeof kProbes);
}

bool is_address(const std::string& address) {
  if (!address.starts_with("http://") && !address.starts_with("https://")) return false;
  const std::string host = address.substr(address.find("://") + 3);
  return !host.empty() && host.find('/') == std::string::npos;
}

httplib::Client connection(const std::string& address, const std::string& key) {
  httplib::Client client(address);
  client.set_connection_timeout(kToConnect);
  client.set_read_timeout(kToAnswer);
  client.set_socket_options(probe_when_idle);
  if (!key.empty()) client.set_bearer_token_auth(key);
  return client;
}

Json answer_of(const std::string& address, const httplib::Result& result) {
  if (!result)
    throw Error(ErrorCode::kUnavailable,
                fmt::format("{} does not answer: {}", address, httplib::to_string(result.error())));
  const Json body = Json::parse(result->body, nullptr, false);
  if (result->status == 200 && !body.is_discarded()) return body;
  std::string message = "no JSON";
  if (body.is_object() && body.contains("error") && body["error"].is_object())
    message = body["error"].value("message", "");
  const ErrorCode code =
      result->status == 200 ? ErrorCode::kUnavailable : error_code(result->status);
  throw Error(code, fmt::format("{} answers {}: {}", address, result->status, message));
}

}  // namespace

ApiClient::ApiClient(std::string address, std::string key)
    : address_(std::move(address)), key_(std::move(key)) {
  if (is_address(address_)) return;
  throw Error(ErrorCode::kInvalidArgument,
              "'" + address_ + "' is not a server address: write http://HOST:PORT", "servers");
}

Json ApiClient::get(const std::string& path) const {
  return answer_of(address_, connection(address_, key_).Get(path));
}

Json ApiClient::post(const std::string& path, const Json& body) const {
  return answer_of(address_,
                   connection(address_, key_).Post(path, to_text(body), "application/json"));
}

}  // namespace polyphon
