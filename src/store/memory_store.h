// What tenants keep between sessions: nodes of memory and their edges, in one SQLite file (WAL).
// Every query names its tenant, so that nobody reads, edits or deletes what is another's; an id of
// another tenant is not there. Thread-safe; every call may block on the disk, so none is made on
// the decode thread. Every method throws Error{kInternal} when the disk fails (full, corrupt).
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace polyphon {

struct StoredNode {
  int64_t id = 0;
  std::string session;  // the trace id of the session that wrote it
  std::string text;
  std::string how;           // "marker", "conclusion"
  std::vector<float> key;    // of the model below; may be empty
  std::string model_digest;  // whose hidden state the key is
  int64_t created = 0;       // seconds since 1970
  int64_t used = 0;
};

struct StoredEdge {
  int64_t from = 0;
  int64_t to = 0;
  std::string kind;
};

// A node's keys and values (SavedCells), and what computed them.
struct StoredCells {
  std::string model;  // an opaque name: another one means other cells
  std::vector<int32_t> tokens;
  int32_t begin = 0;
  std::string bytes;
};

struct StoreLimits {
  int nodes = 10000;  // of one tenant; one more makes the least recently used go
  int64_t cell_bytes = int64_t{256} << 20;  // of one tenant; over it the least recently used go
};

class MemoryStore {
 public:
  // Opens or creates the file, for its owner only. Throws Error{kInvalidArgument} for a file that
  // is no memory store, or one of a newer version.
  MemoryStore(const std::string& path, const StoreLimits& limits);
  ~MemoryStore();

  // The node's id. A text that the tenant has already gets no second node, only a new time of use.
  int64_t add(const std::string& tenant, const StoredNode& node);
  // Nothing happens unless both nodes are the tenant's.
  void connect(const std::string& tenant, const StoredEdge& edge);
  void used(const std::string& tenant, const std::vector<int64_t>& nodes);

  std::optional<StoredNode> find(const std::string& tenant, int64_t node) const;
  // Newest first.
  std::vector<StoredNode> list(const std::string& tenant) const;
  std::vector<StoredEdge> edges(const std::string& tenant) const;

  // Replaces what is kept. Nothing happens unless the node is the tenant's.
  void keep_cells(const std::string& tenant, int64_t node, const StoredCells& cells);
  // Nothing when there are none, or another model's, or damaged ones, which are logged and
  // forgotten.
  std::optional<StoredCells> cells(const std::string& tenant, int64_t node,
                                   const std::string& model);

  // Key and cells go: they were of the old text. False when the tenant has no such node, or has the
  // text in another one.
  bool edit(const std::string& tenant, int64_t node, const std::string& text);
  // How many nodes went.
  int forget_node(const std::string& tenant, int64_t node);
  int forget_session(const std::string& tenant, const std::string& session);
  int forget_tenant(const std::string& tenant);

 private:
  struct Database;  // keeps SQLite's types here

  const StoreLimits limits_;
  mutable std::mutex mutex_;
  std::unique_ptr<Database> database_;  // guarded by mutex_
};

}  // namespace polyphon
