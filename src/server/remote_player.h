// A player that lets another `polyphon serve` play the sessions of self-play, through its HTTP API.
#pragma once

#include <chrono>
#include <string>

#include "server/api_client.h"
#include "sessions/player.h"

namespace polyphon {

// How often a request is repeated if the server cannot answer now: it is away, stopping, overloaded
// or has an internal error.
struct Retries {
  int most = 5;                               // tries after the first one
  std::chrono::milliseconds first_wait{500};  // doubled after each try
};

class RemotePlayer final : public Player {
 public:
  // Asks the server for its model and version. Throws Error like ApiClient, and
  // Error{kInvalidArgument} if it is not a Polyphon server.
  RemotePlayer(const std::string& address, const std::string& key, const Retries& retries = {});

  std::string name() const override { return client_.address(); }
  Identity identity() const override { return identity_; }
  // Throws the Error of the last try, or Error{kCancelled} if a stop is requested between two
  // tries. A request that is running is not cancelled by a stop.
  Finished play(const ThinkInput& input, const SessionTerms& terms, const Stop& stop) override;
  std::string go_on(const Continuation& from, const SessionTerms& terms, const Stop& stop) override;

 private:
  const ApiClient client_;
  const Retries retries_;
  Identity identity_;
};

}  // namespace polyphon
