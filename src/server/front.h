// The network front of the server. One thread (the loop) watches all connections that are idle or
// whose request is incomplete. A thread of the pool gets a request only when it is complete. So a
// slow, silent or broken client costs a socket and its bytes, but no thread, and delays nobody.
//
// Everything that a client must do has a deadline. If the limit of connections is reached, a new
// connection replaces the one that has been silent longest.
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
  // Throws Error{kInvalidArgument} if the TLS files cannot be used. `urgent`: paths with threads of
  // their own, so that they answer while all other threads are busy; their handlers must not block.
  Front(const ServerOptions& options, std::set<std::string> urgent,
        size_t most_connections = kMostConnections);
  ~Front() override;

  // Call after bind_to_port() or bind_to_any_port(), instead of listen_after_bind(). Blocks until
  // finish(). Throws Error{kUnavailable} if the threads cannot be started.
  void run();
  // Ends run(). May be called by any thread. Connections without a request in progress are closed
  // at once, the others after their answer.
  void finish();

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  enum class Stage {
    kHandshake,  // TLS handshake
    kIdle,       // no byte of the next request has arrived
    kReading,    // the request is incomplete
    kServed,     // a thread of the pool answers the request
    kSending,    // the loop sends the rest of an answer
    // All is sent; reads and discards what still arrives, so that the client gets the answer.
    kLingering
  };
  struct Client {
    Client(int socket, SSL_CTX* tls, size_t most_body_bytes)
        : connection(socket, tls), frame(most_body_bytes) {}

    Connection connection;
    RequestFrame frame;
    Stage stage = Stage::kHandshake;
    short watched = 0;      // poll events that the loop watches
    bool ended = false;     // the client sends no more
    bool closes = false;    // close after what is being sent
    bool broken = false;    // nothing can be sent any more
    size_t served = 0;      // requests served so far
    size_t held_bytes = 0;  // its share of held_bytes_
    TimePoint heard;        // time of its last activity
    TimePoint began;        // kReading: time of the request's first byte
    TimePoint deadline;
  };

  // The following run on the loop's thread.
  void accept_clients();
  // Runs a step; closes the connection if memory runs out.
  template <typename Step>
  void guarded(Client& client, Step step);
  void on_ready(Client& client);
  void read(Client& client);
  // Acts on the bytes received so far.
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
  // Runs on a thread of the pool.
  void serve(Client& client);

  const std::chrono::seconds io_timeout_;
  const size_t most_body_bytes_;
  const int threads_;
  const std::set<std::string> urgent_;
  const std::shared_ptr<SSL_CTX> tls_;  // null for plain HTTP
  const int epoll_, wake_;
  const size_t most_connections_;
  std::atomic<bool> stopping_ = false;
  TimePoint stops_at_;  // after finish(): when answers that are still being sent are given up
  TimePoint expires_at_;

  std::unordered_map<int, std::unique_ptr<Client>> clients_;  // by socket
  size_t held_bytes_ = 0;                                     // bytes of requests, over all clients
  std::unique_ptr<httplib::ThreadPool> pool_, urgent_pool_;

  std::mutex mutex_;
  std::vector<Client*> returned_;  // clients that the pools give back; mutex_
};

}  // namespace polyphon
