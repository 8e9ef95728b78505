// A server on a free port of 127.0.0.1, on a model without weights, until it is destroyed.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "model/fake_language_model.h"
#include "server/server.h"

namespace polyphon {

struct RunningServer {
  // `sizes` are the engine's.
  RunningServer(ServerOptions options, const FakeDecoder::Script& script,
                const DecoderOptions& sizes, const std::string& version = "v1") {
    options.port = 0;
    if (options.served_name.empty()) options.served_name = "fake-1";
    auto model = std::make_unique<FakeLanguageModel>(FakeDecoder::Options{}, script);
    auto engine = std::make_unique<Engine>(model->make_decoder(sizes), EngineOptions{}, clock);
    reasoner = std::make_unique<Reasoner>(std::move(model), std::move(engine), ReasonOptions{},
                                          Reasoner::Identity{version, "digest", "config"});
    server = std::make_unique<Server>(*reasoner, options);
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

  const SteadyClock clock;
  std::unique_ptr<Reasoner> reasoner;
  std::unique_ptr<Server> server;
  std::jthread thread;
};

}  // namespace polyphon
