// A connection as the HTTP library sees it while one request is served: it reads what has come and
// writes to the socket. On the serving thread.
#pragma once

#include <httplib.h>

#include <atomic>
#include <chrono>

#include "server/connection.h"

namespace polyphon {

class ClientStream final : public httplib::Stream {
 public:
  // All must outlive this. A write that makes no progress for `write_timeout` fails, and so does
  // one that must wait once `stopping` is set.
  ClientStream(Connection& connection, std::chrono::seconds write_timeout,
               const std::atomic<bool>& stopping);
  ~ClientStream() override;

  // Of `received`, read so far: the request.
  size_t consumed() const { return consumed_; }
  // What was answered says that the connection ends.
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
  bool takes_interim_ = false;  // interim responses, since HTTP/1.1
  bool answered_ = false;       // the head of the response is on its way
  bool asked_ = false;          // a half-closed client was sent an interim response
  bool promised_close_ = false;
};

// The client of the request that the calling thread serves does not wait for its answer any more.
// A client that has only ended its own side does: the first call that finds so sends an interim
// response, to which the machine of one that is gone answers with a reset. HTTP/1.0 has no interim
// responses: its clients are gone when they end their side, as nginx is, which speaks it to servers
// behind it.
bool client_is_gone();
// It has ended its side, or is gone. What is sent to it tells.
bool client_may_be_gone();

}  // namespace polyphon
