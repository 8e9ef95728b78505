// A tenant's kept memory over HTTP: list, search, edit, forget, export. Every handler sees only the
// nodes of the tenant whose key the request carries; a node of another tenant gives 404.
#pragma once

#include <httplib.h>

#include "server/server_state.h"

namespace polyphon {

class MemoryApi {
 public:
  explicit MemoryApi(ServerState& state) : state_(state) {}

  // GET /api/v1/memory: {"nodes", "total"}; ?q= searches, ?session= filters, ?limit= and ?offset=.
  void list(const httplib::Request& request, httplib::Response& response);
  // DELETE /api/v1/memory?session=ID or ?all=true: {"forgotten": number of nodes}.
  void forget(const httplib::Request& request, httplib::Response& response);
  // POST /api/v1/memory with {"text"}: 201 and the node.
  void add(const httplib::Request& request, httplib::Response& response);
  // GET, PATCH (with {"text"}) and DELETE /api/v1/memory/ID.
  void show(const httplib::Request& request, httplib::Response& response);
  void edit(const httplib::Request& request, httplib::Response& response);
  void forget_node(const httplib::Request& request, httplib::Response& response);
  // GET /api/v1/memory/export: ?format=json or graphml.
  void export_graph(const httplib::Request& request, httplib::Response& response);

 private:
  MemoryStore& store();
  StoredNode node_of(const httplib::Request& request);

  ServerState& state_;
};

}  // namespace polyphon
