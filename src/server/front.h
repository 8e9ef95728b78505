// Connections without a thread each: one thread holds all that are idle or whose request is still
// coming, and gives a pool's thread only requests that are whole. So a client that is slow, silent
// or broken costs a socket and its bytes, and others do not wait for it.
//
// Everything that the client must do has a deadline. When there are as many connections as may be,
// the one that has been silent longest makes room for a new one.
#pragma once

#include <httplib.h>
#include <poll.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "deploy/server_options.h"
#include "server/connection.h"
#include "server/request_frame.h"

namespace polyphon {

inline constexpr size_t kMostConnections = 4096;

class Front final : public httplib::Server {
 public:
  // Throws Error{kInvalidArgument} for TLS files that cannot be used. `urgent`: the paths that are
  // answered by threads of their own, so that they are when all others are busy; their handlers
  // must not block.
  Front(const ServerOptions& options, std::set<std::string> urgent,
        size_t most_connections = kMostConnections);
  ~Front() override;

  // After bind_to_port() or bind_to_any_port(), instead of listen_after_bind(). Blocks until
  // finish(). Throws Error{kUnavailable} when the threads cannot be started.
  void run();
  // Any thread. Connections that serve no request are closed at once, the others with their answer.
  void finish();

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  enum class Stage {
    kHandshake,  // of TLS
    kIdle,       // no byte of the next request has come
    kReading,    // the request is not whole
    kServed,     // a pool's thread has it
    kSending,    // the rest of an answer
    kLingering   // all is sent; what still comes is thrown away, so that the answer is not lost
  };
  struct Client {
    Client(int socket, SSL_CTX* tls, size_t most_body_bytes)
        : connection(socket, tls), frame(most_body_bytes) {}

    Connection connection;
    RequestFrame frame;
    Stage stage = Stage::kHandshake;
    short watched = 0;      // poll events that the loop waits for
    bool ended = false;     // it sends no more
    bool closes = false;    // after what is being sent
    bool broken = false;    // nothing can be sent any more
    size_t served = 0;      // requests
    size_t held_bytes = 0;  // counted in held_bytes_
    TimePoint heard;        // when it last did something
    TimePoint began;        // reading: the first byte
    TimePoint deadline;
  };

  // On the loop's thread.
  void accept_clients();
  // Closes the connection when there is no memory for it.
  template <typename Step>
  void guarded(Client& client, Step step);
  void on_ready(Client& client);
  void read(Client& client);
  // What the bytes so far allow.
  void advance(Client& client);
  void wait_for_body(Client& client);
  void dispatch(Client& client);
  void take_back();
  void send_rest(Client& client);
  void linger(Client& client);
  void refuse(Client& client, int status, const std::string& why);
  void watch(Client& client, short events);
  void unwatch(Client& client);
  void enter(Client& client, Stage stage, std::chrono::milliseconds patience);
  void count_bytes(Client& client);
  void close(Client& client);
  void expire();
  bool make_room();
  bool is_over();
  // On a pool's thread.
  void serve(Client& client);

  const std::chrono::seconds io_timeout_;
  const size_t most_body_bytes_;
  const int threads_;
  const std::set<std::string> urgent_;
  const std::shared_ptr<SSL_CTX> tls_;  // null: plain HTTP
  const int epoll_, wake_;
  const size_t most_connections_;
  std::atomic<bool> stopping_ = false;
  TimePoint stops_at_;  // whatever is still being sent
  TimePoint expires_at_;

  std::unordered_map<int, std::unique_ptr<Client>> clients_;  // by socket
  size_t held_bytes_ = 0;                                     // of requests, over all clients
  std::unique_ptr<httplib::ThreadPool> pool_, urgent_pool_;

  std::mutex mutex_;
  std::vector<Client*> returned_;  // from the pools; mutex_
};

}  // namespace polyphon
