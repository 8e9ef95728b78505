#include "store/memory_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <SQLiteCpp/VariadicBind.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <cstring>
#include <ctime>

#include "base/digest.h"
#include "base/error.h"

namespace polyphon {
namespace {

constexpr int kSchemaVersion = 2;
constexpr int kBusyTimeoutMs = 5000;
constexpr const char* kSchema = R"(
  CREATE TABLE node (
    id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, session TEXT NOT NULL,
    text TEXT NOT NULL, how TEXT NOT NULL, key BLOB NOT NULL, model_digest TEXT NOT NULL,
    created INTEGER NOT NULL, used INTEGER NOT NULL, UNIQUE (tenant, text));
  CREATE INDEX node_session ON node (tenant, session);
  CREATE TABLE edge (
    tenant TEXT NOT NULL, source INTEGER NOT NULL REFERENCES node (id) ON DELETE CASCADE,
    target INTEGER NOT NULL REFERENCES node (id) ON DELETE CASCADE, kind TEXT NOT NULL,
    PRIMARY KEY (source, target, kind));
  CREATE INDEX edge_target ON edge (target);
)";
constexpr const char* kCellsSchema = R"(
  CREATE TABLE cells (
    node INTEGER PRIMARY KEY REFERENCES node (id) ON DELETE CASCADE, model TEXT NOT NULL,
    tokens BLOB NOT NULL, begin INTEGER NOT NULL, bytes BLOB NOT NULL, digest TEXT NOT NULL);
)";
constexpr const char* kNodeColumns =
    "SELECT id, session, text, how, key, model_digest, created, used FROM node ";

// Runs `body`; what SQLite throws becomes our error.
template <typename Body>
auto guarded(Body body) {
  try {
    return body();
  } catch (const SQLite::Exception& error) {
    throw Error(ErrorCode::kInternal, fmt::format("the memory store failed: {}", error.what()));
  }
}

std::string bytes_of(const std::vector<int32_t>& tokens) {
  return {reinterpret_cast<const char*>(tokens.data()), tokens.size() * sizeof(int32_t)};
}

std::string digest_of(const std::string& tokens, const std::string& bytes) {
  return sha256(sha256(tokens) + sha256(bytes));
}

StoredNode node_of(SQLite::Statement& row) {
  StoredNode node;
  node.id = row.getColumn(0).getInt64();
  node.session = row.getColumn(1).getString();
  node.text = row.getColumn(2).getString();
  node.how = row.getColumn(3).getString();
  const SQLite::Column key = row.getColumn(4);
  node.key.resize(static_cast<size_t>(key.getBytes()) / sizeof(float));
  if (!node.key.empty())
    std::memcpy(node.key.data(), key.getBlob(), node.key.size() * sizeof(float));
  node.model_digest = row.getColumn(5).getString();
  node.created = row.getColumn(6).getInt64();
  node.used = row.getColumn(7).getInt64();
  return node;
}

}  // namespace

struct MemoryStore::Database {
  explicit Database(const std::string& path)
      : sqlite(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, kBusyTimeoutMs) {}

  template <typename... Values>
  int run(const char* sql, const Values&... values) {
    SQLite::Statement statement(sqlite, sql);
    SQLite::bind(statement, values...);
    return statement.exec();
  }

  SQLite::Database sqlite;
};

MemoryStore::MemoryStore(const std::string& path, const StoreLimits& limits) : limits_(limits) {
  try {
    database_ = std::make_unique<Database>(path);
    ::chmod(path.c_str(), 0600);
    SQLite::Database& sqlite = database_->sqlite;
    sqlite.exec("PRAGMA journal_mode = WAL");
    sqlite.exec("PRAGMA foreign_keys = ON");
    const int version = sqlite.execAndGet("PRAGMA user_version").getInt();
    if (version > kSchemaVersion)
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("{} is a memory store of version {}: this program reads {}", path,
                              version, kSchemaVersion));
    if (version < kSchemaVersion) {
      SQLite::Transaction transaction(sqlite);
      if (version < 1) sqlite.exec(kSchema);
      sqlite.exec(kCellsSchema);
      sqlite.exec(fmt::format("PRAGMA user_version = {}", kSchemaVersion));
      transaction.commit();
    }
  } catch (const SQLite::Exception& error) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("cannot use {} as a memory store: {}", path, error.what()));
  }
}

MemoryStore::~MemoryStore() = default;

int64_t MemoryStore::add(const std::string& tenant, const StoredNode& node) {
  std::lock_guard lock(mutex_);
  return guarded([&] {
    SQLite::Transaction transaction(database_->sqlite);
    const auto now = static_cast<int64_t>(std::time(nullptr));
    SQLite::Statement insert(
        database_->sqlite,
        "INSERT INTO node (tenant, session, text, how, key, model_digest, created, used) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, text) DO UPDATE SET used = ? "
        "RETURNING id");
    insert.bind(1, tenant);
    insert.bind(2, node.session);
    insert.bind(3, node.text);
    insert.bind(4, node.how);
    insert.bind(5, static_cast<const void*>(node.key.data()),
                static_cast<int>(node.key.size() * sizeof(float)));
    if (node.key.empty()) insert.bind(5, "", 0);
    insert.bind(6, node.model_digest);
    for (int column : {7, 8, 9}) insert.bind(column, now);
    insert.executeStep();
    const int64_t id = insert.getColumn(0).getInt64();
    insert.reset();
    database_->run(
        "DELETE FROM node WHERE id IN (SELECT id FROM node WHERE tenant = ? AND id <> ? "
        "ORDER BY used DESC, id DESC LIMIT -1 OFFSET ?)",
        tenant, id, limits_.nodes - 1);
    transaction.commit();
    return id;
  });
}

void MemoryStore::connect(const std::string& tenant, const StoredEdge& edge) {
  std::lock_guard lock(mutex_);
  guarded([&] {
    database_->run(
        "INSERT OR IGNORE INTO edge (tenant, source, target, kind) SELECT ?1, a.id, b.id, ?4 "
        "FROM node a, node b WHERE a.id = ?2 AND b.id = ?3 AND a.tenant = ?1 AND b.tenant = ?1",
        tenant, edge.from, edge.to, edge.kind);
  });
}

void MemoryStore::used(const std::string& tenant, const std::vector<int64_t>& nodes) {
  std::lock_guard lock(mutex_);
  guarded([&] {
    SQLite::Transaction transaction(database_->sqlite);
    for (int64_t node : nodes)
      database_->run("UPDATE node SET used = ? WHERE tenant = ? AND id = ?",
                     static_cast<int64_t>(std::time(nullptr)), tenant, node);
    transaction.commit();
  });
}

std::optional<StoredNode> MemoryStore::find(const std::string& tenant, int64_t node) const {
  std::lock_guard lock(mutex_);
  return guarded([&]() -> std::optional<StoredNode> {
    SQLite::Statement rows(database_->sqlite,
                           std::string(kNodeColumns) + "WHERE tenant = ? AND id = ?");
    SQLite::bind(rows, tenant, node);
    if (!rows.executeStep()) return std::nullopt;
    return node_of(rows);
  });
}

std::vector<StoredNode> MemoryStore::list(const std::string& tenant) const {
  std::lock_guard lock(mutex_);
  return guarded([&] {
    SQLite::Statement rows(database_->sqlite,
                           std::string(kNodeColumns) + "WHERE tenant = ? ORDER BY id DESC");
    SQLite::bind(rows, tenant);
    std::vector<StoredNode> nodes;
    while (rows.executeStep()) nodes.push_back(node_of(rows));
    return nodes;
  });
}

std::vector<StoredEdge> MemoryStore::edges(const std::string& tenant) const {
  std::lock_guard lock(mutex_);
  return guarded([&] {
    SQLite::Statement rows(
        database_->sqlite,
        "SELECT source, target, kind FROM edge WHERE tenant = ? ORDER BY source, target, kind");
    SQLite::bind(rows, tenant);
    std::vector<StoredEdge> edges;
    while (rows.executeStep())
      edges.push_back({rows.getColumn(0).getInt64(), rows.getColumn(1).getInt64(),
                       rows.getColumn(2).getString()});
    return edges;
  });
}

void MemoryStore::keep_cells(const std::string& tenant, int64_t node, const StoredCells& cells) {
  std::lock_guard lock(mutex_);
  guarded([&] {
    SQLite::Transaction transaction(database_->sqlite);
    const std::string tokens = bytes_of(cells.tokens);
    SQLite::Statement insert(
        database_->sqlite,
        "INSERT OR REPLACE INTO cells (node, model, tokens, begin, bytes, digest) "
        "SELECT id, ?, ?, ?, ?, ? FROM node WHERE tenant = ? AND id = ?");
    insert.bind(1, cells.model);
    insert.bind(2, static_cast<const void*>(tokens.data()), static_cast<int>(tokens.size()));
    insert.bind(3, cells.begin);
    insert.bind(4, static_cast<const void*>(cells.bytes.data()),
                static_cast<int>(cells.bytes.size()));
    insert.bind(5, digest_of(tokens, cells.bytes));
    insert.bind(6, tenant);
    insert.bind(7, node);
    insert.exec();
    database_->run(
        "DELETE FROM cells WHERE node IN (SELECT id FROM (SELECT node.id, SUM(LENGTH(bytes)) OVER "
        "(ORDER BY used DESC, node.id DESC) AS total FROM cells JOIN node ON node.id = cells.node "
        "WHERE tenant = ?) WHERE total > ?)",
        tenant, limits_.cell_bytes);
    transaction.commit();
  });
}

std::optional<StoredCells> MemoryStore::cells(const std::string& tenant, int64_t node,
                                              const std::string& model) {
  std::lock_guard lock(mutex_);
  return guarded([&]() -> std::optional<StoredCells> {
    SQLite::Statement rows(
        database_->sqlite,
        "SELECT tokens, begin, bytes, digest FROM cells JOIN node ON node.id = cells.node "
        "WHERE tenant = ? AND node.id = ? AND model = ?");
    SQLite::bind(rows, tenant, node, model);
    if (!rows.executeStep()) return std::nullopt;
    StoredCells cells{model, {}, rows.getColumn(1).getInt(), rows.getColumn(2).getString()};
    const std::string tokens = rows.getColumn(0).getString();
    cells.tokens.resize(tokens.size() / sizeof(int32_t));
    if (!cells.tokens.empty())
      std::memcpy(cells.tokens.data(), tokens.data(), cells.tokens.size() * sizeof(int32_t));
    if (rows.getColumn(3).getString() == digest_of(tokens, cells.bytes)) return cells;
    spdlog::warn("memory {}: its stored cells are damaged; they are computed again from its text",
                 node);
    rows.reset();
    database_->run("DELETE FROM cells WHERE node = ?", node);
    return std::nullopt;
  });
}

bool MemoryStore::edit(const std::string& tenant, int64_t node, const std::string& text) {
  std::lock_guard lock(mutex_);
  return guarded([&] {
    SQLite::Transaction transaction(database_->sqlite);
    const bool edited = database_->run(
                            "UPDATE OR IGNORE node SET text = ?, key = x'' "
                            "WHERE tenant = ? AND id = ?",
                            text, tenant, node) > 0;
    if (edited) database_->run("DELETE FROM cells WHERE node = ?", node);
    transaction.commit();
    return edited;
  });
}

int MemoryStore::forget_node(const std::string& tenant, int64_t node) {
  std::lock_guard lock(mutex_);
  return guarded(
      [&] { return database_->run("DELETE FROM node WHERE tenant = ? AND id = ?", tenant, node); });
}

int MemoryStore::forget_session(const std::string& tenant, const std::string& session) {
  std::lock_guard lock(mutex_);
  return guarded([&] {
    return database_->run("DELETE FROM node WHERE tenant = ? AND session = ?", tenant, session);
  });
}

int MemoryStore::forget_tenant(const std::string& tenant) {
  std::lock_guard lock(mutex_);
  return guarded([&] { return database_->run("DELETE FROM node WHERE tenant = ?", tenant); });
}

}  // namespace polyphon
