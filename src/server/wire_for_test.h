// A client that can send any bytes, one by one, over plain TCP or TLS; and a test certificate.
#pragma once

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace polyphon {

class Wire {
 public:
  Wire(int port, bool tls) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{60, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("cannot connect");
    if (!tls) return;
    const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()),
                                                               SSL_CTX_free);
    tls_.reset(SSL_new(context.get()));
    SSL_set_fd(tls_.get(), socket_);
    if (SSL_connect(tls_.get()) != 1) throw std::runtime_error("no TLS");
  }
  ~Wire() {
    if (socket_ >= 0) ::close(socket_);
  }
  Wire(Wire&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), tls_(std::move(other.tls_)) {}

  void send(const std::string& text) {
    const auto size = static_cast<int>(text.size());
    if (tls_)
      SSL_write(tls_.get(), text.data(), size);
    else
      ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
  }
  void end_sending() { shutdown(socket_, SHUT_WR); }

  // Receives more bytes; "" at the end of the connection.
  std::string receive() {
    char bytes[4096];
    const auto count = tls_ ? SSL_read(tls_.get(), bytes, sizeof bytes)
                            : static_cast<int>(recv(socket_, bytes, sizeof bytes, 0));
    return {bytes, static_cast<size_t>(count > 0 ? count : 0)};
  }
  // Receives everything up to and including the text, or up to the end.
  std::string receive_until(const std::string& text) {
    size_t found = 0;
    while ((found = pending_.find(text)) == std::string::npos) {
      const std::string more = receive();
      if (more.empty()) return std::exchange(pending_, "");
      pending_ += more;
    }
    std::string result = pending_.substr(0, found + text.size());
    pending_.erase(0, result.size());
    return result;
  }
  std::string receive_all() {
    for (std::string more; !(more = receive()).empty();) pending_ += more;
    return std::exchange(pending_, "");
  }
  // Head and body of one response that has a Content-Length.
  std::string receive_response() {
    std::string text = receive_until("\r\n\r\n");
    const size_t at = text.find("Content-Length: ");
    size_t left = at == std::string::npos ? 0 : std::stoul(text.substr(at + 16));
    while (pending_.size() < left) {
      const std::string more = receive();
      if (more.empty()) break;
      pending_ += more;
    }
    text += pending_.substr(0, left);
    pending_.erase(0, left);
    return text;
  }

 private:
  int socket_;
  std::unique_ptr<SSL, void (*)(SSL*)> tls_{nullptr, SSL_free};
  std::string pending_;
};

// Writes a self-signed certificate for "localhost", and its key.
inline void write_certificate(const std::string& certificate_path, const std::string& key_path) {
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, void (*)(X509*)> certificate(X509_new(), X509_free);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 86400);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* const name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  std::FILE* file = std::fopen(certificate_path.c_str(), "w");
  PEM_write_X509(file, certificate.get());
  std::fclose(file);
  file = std::fopen(key_path.c_str(), "w");
  PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
}

}  // namespace polyphon
