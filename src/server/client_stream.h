// The HTTP library's view of a connection while one request is served: reads the bytes that have
// arrived and writes to the socket. Used only on the thread that serves the request.
#pragma once

#include <httplib.h>

#include <atomic>
#include <chrono>

#include "server/connection.h"

namespace polyphon {

class ClientStream final : public httplib::Stream {
 public:
  // All references must outlive this object. A write fails if it makes no progress for
  // `write_timeout`, or if it has to wait after `stopping` is set.
  ClientStream(Connection& connection, std::chrono::seconds write_timeout,
               const std::atomic<bool>& stopping);
  ~ClientStream() override;

  // Number of bytes of `received` that were read: the request.
  size_t consumed() const { return consumed_; }
  // Whether the answer told the client that the connection closes.
  bool promised_close() const { return promised_close_; }
  // See client_is_gone() and client_may_be_gone().
  bool is_gone();
  bool may_be_gone() const { return connection_.is_half_closed(); }

  bool is_readable() const override { return consumed_ < connection_.received.size(); }
  bool wait_readable() const override { return is_readable(); }
  bool wait_writable() const override;
  bool is_peer_alive() const override;
  ssize_t read(char* data, size_t size) override;
  ssize_t write(const char* data, size_t size) override;
  const char* buffered_data(size_t& size) const override;
  void consume_buffered(size_t size) override { consumed_ += size; }
  socket_t socket() const override { return connection_.socket(); }
  time_t duration() const override { return 0; }
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;

 private:
  Connection& connection_;
  const std::chrono::seconds write_timeout_;
  const std::atomic<bool>& stopping_;
  size_t consumed_ = 0;
  bool takes_interim_ = false;  // the client understands interim responses (HTTP/1.1)
  bool answered_ = false;       // the head of the response has been sent
  bool asked_ = false;          // a half-closed client was sent an interim response
  bool promised_close_ = false;
};

// Whether the client of the request that this thread serves has gone away. A client that only ended
// its own side may still wait for the answer. So the first call in this state sends an interim
// response ("100 Continue"): the machine of a client that is gone answers with a reset. HTTP/1.0
// has no interim responses, so an HTTP/1.0 client that ends its side counts as gone; nginx, which
// uses HTTP/1.0 for upstream servers, behaves like this.
bool client_is_gone();
// Whether the client has ended its side or is gone. Only sending to it tells which.
bool client_may_be_gone();

}  // namespace polyphon
