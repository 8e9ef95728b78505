// One client's connection: a socket that never blocks, TLS over it or none, and the bytes on their
// way. Used by one thread at a time.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace polyphon {

// The certificate and key of a server. Throws Error{kInvalidArgument} when they cannot be used.
std::shared_ptr<SSL_CTX> make_tls_context(const std::string& certificate_path,
                                          const std::string& key_path);

class Connection {
 public:
  // Owns the socket, unless this throws. `tls` is null for plain HTTP.
  Connection(int socket, SSL_CTX* tls);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  enum class Progress {
    kDone,    // what was asked for
    kWait,    // when poll_events() come, call again
    kEnded,   // receive(): the client sends no more; it may still read
    kFailed,  // the connection is of no use any more
  };
  Progress handshake();
  // Takes what has come, at most `most` bytes, to the end of `received`.
  Progress receive(size_t most);
  // Sends what it can of `outgoing`, from its beginning. kDone: all of it.
  Progress flush();
  // Says that no more is sent; the client may still send.
  void finish_sending();

  // What the last call that gave kWait waits for: POLLIN or POLLOUT.
  short poll_events() const { return poll_events_; }
  // Blocks; false when the time is up.
  bool wait(int timeout_ms) const;
  // The client reads no more: the connection was reset.
  bool is_reset() const;
  // The client has ended its side. It may be gone, or wait for its answer: only what is sent to it
  // tells, since the machine of a client that is gone answers with a reset.
  bool is_half_closed() const;
  int socket() const { return socket_; }

  std::string received;
  std::string outgoing;

 private:
  short revents() const;
  // What a call of the TLS library came to.
  Progress tls_progress(int result);

  const int socket_;
  const std::unique_ptr<SSL, void (*)(SSL*)> tls_;  // null: plain
  short poll_events_ = 0;
};

}  // namespace polyphon
