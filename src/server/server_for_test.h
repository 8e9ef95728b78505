// A server with a fake model on a free port of 127.0.0.1; runs until it is destroyed.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "model/fake_language_model.h"
#include "server/server.h"

namespace polyphon {

// The real time plus what a test adds.
class SkippingClock final : public Clock {
 public:
  TimePoint now() const override { return std::chrono::steady_clock::now() + skipped_.load(); }
  void skip(std::chrono::seconds time) { skipped_ = skipped_.load() + time; }

 private:
  std::atomic<std::chrono::steady_clock::duration> skipped_{};
};

struct RunningServer {
  // `sizes`: sizes of the engine's decoder.
  RunningServer(ServerOptions options, const FakeDecoder::Script& script,
                const DecoderOptions& sizes, const std::string& version = "v1",
                const std::function<Reloaded()>& reload = {}) {
    options.port = 0;
    if (options.served_name.empty()) options.served_name = "fake-1";
    auto model = std::make_unique<FakeLanguageModel>(FakeDecoder::Options{}, script);
    auto engine = std::make_unique<Engine>(model->make_decoder(sizes), EngineOptions{}, clock);
    reasoner = std::make_unique<Reasoner>(std::move(model), std::move(engine), ReasonOptions{},
                                          Reasoner::Identity{version, "digest", "config"});
    server = std::make_unique<Server>(*reasoner, options, ServerHooks{.reload = reload});
    server->bind();
    thread = std::jthread([this] { server->serve(); });
  }
  ~RunningServer() { stop(); }

  void stop() {
    if (!thread.joinable()) return;
    server->stop();
    thread.join();
  }
  std::string address() const { return "http://127.0.0.1:" + std::to_string(server->port()); }

  SkippingClock clock;
  std::unique_ptr<Reasoner> reasoner;
  std::unique_ptr<Server> server;
  std::jthread thread;
};

}  // namespace polyphon
