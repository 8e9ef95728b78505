// Settings of the HTTP server, from the config file and flags.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace polyphon {

struct ServerOptions {
  std::string host = "127.0.0.1";
  int port = 8080;                          // 0: any free one
  std::string served_name;                  // the "model" field that clients send
  std::vector<std::string> aliases;         // other names for it
  std::vector<std::string> api_key_hashes;  // SHA-256, lower-case hex; none: no key is asked for
  std::string api_key_file;                 // of more such hashes; read by resolve_server_files()
  std::string data_dir;                     // empty: nothing is kept
  bool allow_unauthenticated = false;       // bind beyond loopback without a key
  std::string tls_certificate;              // PEM files; both or none
  std::string tls_key;
  int64_t max_body_bytes = 16 << 20;
  int io_timeout_s = 60;          // to send a body (longer for large ones), and of a stuck write
  int request_timeout_s = 3600;   // then the request fails with 504
  int drain_timeout_s = 60;       // of a graceful stop
  int default_max_tokens = 1024;  // of a chat answer that sets no limit
  int threads = 160;              // requests handled at the same time
  std::string trace_path;         // JSON lines; empty: traces are not kept
  bool think_by_default = false;  // every chat request thinks in streams
};

}  // namespace polyphon
