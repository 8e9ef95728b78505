// One client's connection: a non-blocking socket, plain or with TLS, and the bytes received and
// still to be sent. Used by one thread at a time.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace polyphon {

// Loads a server's certificate and key. Throws Error{kInvalidArgument} if they cannot be used.
std::shared_ptr<SSL_CTX> make_tls_context(const std::string& certificate_path,
                                          const std::string& key_path);

class Connection {
 public:
  // Takes ownership of the socket, unless the constructor throws. `tls` is null for plain HTTP.
  Connection(int socket, SSL_CTX* tls);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  enum class Progress {
    kDone,    // the operation is complete
    kWait,    // call again after poll_events()
    kEnded,   // receive(): the client sends no more, but may still read
    kFailed,  // the connection cannot be used any more
  };
  Progress handshake();
  // Appends up to `most` received bytes to `received`.
  Progress receive(size_t most);
  // Sends as much of `outgoing` as the socket takes. kDone: all of it was sent.
  Progress flush();
  // Closes the sending side; the client may still send.
  void finish_sending();

  // The events that the last call with kWait needs: POLLIN or POLLOUT.
  short poll_events() const { return poll_events_; }
  // Blocks until poll_events() arrive; false after `timeout_ms`.
  bool wait(int timeout_ms) const;
  // Whether the connection was reset: the client does not read any more.
  bool is_reset() const;
  // Whether the client has ended its side. It may be gone, or wait for its answer. Only sending to
  // it tells which: the machine of a client that is gone answers with a reset.
  bool is_half_closed() const;
  int socket() const { return socket_; }

  std::string received;
  std::string outgoing;

 private:
  short revents() const;
  // Translates the result of a TLS call.
  Progress tls_progress(int result);

  const int socket_;
  const std::unique_ptr<SSL, void (*)(SSL*)> tls_;  // null for plain HTTP
  short poll_events_ = 0;
};

}  // namespace polyphon
