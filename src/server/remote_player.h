// Self-play's sessions played by a `polyphon serve` elsewhere, through its HTTP API.
#pragma once

#include <chrono>
#include <string>

#include "server/api_client.h"
#include "sessions/player.h"

namespace polyphon {

// Of a request that a server could not answer now: it is away, stopping, overloaded or at fault.
struct Retries {
  int most = 5;                               // after the first try
  std::chrono::milliseconds first_wait{500};  // doubled each time
};

class RemotePlayer final : public Player {
 public:
  // Asks the server what it serves. Throws Error as ApiClient does, and {kInvalidArgument} when it
  // is not one of ours.
  RemotePlayer(const std::string& address, const std::string& key, const Retries& retries = {});

  std::string name() const override { return client_.address(); }
  Identity identity() const override { return identity_; }
  // Throws the last try's Error, or {kCancelled} when the stop is asked for between two tries. The
  // server ends what it has begun.
  Finished play(const ThinkInput& input, const SessionTerms& terms, const Stop& stop) override;
  std::string go_on(const Continuation& from, const SessionTerms& terms, const Stop& stop) override;

 private:
  const ApiClient client_;
  const Retries retries_;
  Identity identity_;
};

}  // namespace polyphon
