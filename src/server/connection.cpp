#include "server/connection.h"

#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"

namespace polyphon {

std::shared_ptr<SSL_CTX> make_tls_context(const std::string& certificate_path,
                                          const std::string& key_path) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1 ||
      SSL_CTX_use_certificate_chain_file(context.get(), certificate_path.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context.get(), key_path.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    ERR_clear_error();
    throw Error(ErrorCode::kInvalidArgument,
                "cannot use the TLS files " + certificate_path + " and " + key_path,
                "tls_certificate");
  }
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  // A non-blocking socket may take only a part of the data, and the rest may have moved in memory
  // by the next call.
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  return context;
}

Connection::Connection(int socket, SSL_CTX* tls)
    : socket_(socket), tls_(tls ? SSL_new(tls) : nullptr, SSL_free) {
  if (!tls) return;
  if (!tls_ || SSL_set_fd(tls_.get(), socket) != 1)
    throw Error(ErrorCode::kInternal, "no memory for another TLS connection");
  SSL_set_accept_state(tls_.get());
}

Connection::~Connection() { close(socket_); }

Connection::Progress Connection::tls_progress(int result) {
  const int error = SSL_get_error(tls_.get(), result);
  ERR_clear_error();  // clears this thread's error queue for the next call
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    poll_events_ = error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
    return Progress::kWait;
  }
  return error == SSL_ERROR_ZERO_RETURN ? Progress::kEnded : Progress::kFailed;
}

Connection::Progress Connection::handshake() {
  if (!tls_) return Progress::kDone;
  const int result = SSL_do_handshake(tls_.get());
  return result == 1 ? Progress::kDone : tls_progress(result);
}

Connection::Progress Connection::receive(size_t most) {
  const size_t before = received.size();
  received.resize(before + most);
  const ssize_t count = tls_
                            ? SSL_read(tls_.get(), received.data() + before, static_cast<int>(most))
                            : recv(socket_, received.data() + before, most, 0);
  const int error = errno;
  received.resize(before + static_cast<size_t>(std::max<ssize_t>(count, 0)));
  if (count > 0) return Progress::kDone;
  if (tls_) return tls_progress(static_cast<int>(count));
  if (count == 0) return Progress::kEnded;
  poll_events_ = POLLIN;
  return error == EAGAIN || error == EINTR ? Progress::kWait : Progress::kFailed;
}

Connection::Progress Connection::flush() {
  size_t sent = 0;
  Progress progress = Progress::kDone;
  while (sent < outgoing.size() && progress == Progress::kDone) {
    const char* const data = outgoing.data() + sent;
    const size_t size = std::min<size_t>(outgoing.size() - sent, 1 << 30);
    const ssize_t count = tls_ ? SSL_write(tls_.get(), data, static_cast<int>(size))
                               : send(socket_, data, size, MSG_NOSIGNAL);
    if (count > 0) {
      sent += static_cast<size_t>(count);
    } else if (tls_) {
      progress = tls_progress(static_cast<int>(count));
    } else if (errno != EINTR) {
      poll_events_ = POLLOUT;
      progress = errno == EAGAIN ? Progress::kWait : Progress::kFailed;
    }
  }
  outgoing.erase(0, sent);
  return progress;
}

void Connection::finish_sending() {
  if (tls_ && SSL_is_init_finished(tls_.get())) SSL_shutdown(tls_.get());
  ERR_clear_error();
  shutdown(socket_, SHUT_WR);
}

bool Connection::wait(int timeout_ms) const {
  pollfd one{socket_, poll_events_, 0};
  return poll(&one, 1, timeout_ms) > 0;
}

short Connection::revents() const {
  pollfd one{socket_, POLLRDHUP, 0};
  return poll(&one, 1, 0) > 0 ? one.revents : 0;
}

bool Connection::is_reset() const { return revents() & (POLLERR | POLLHUP | POLLNVAL); }
bool Connection::is_half_closed() const { return revents() & POLLRDHUP; }

}  // namespace polyphon
