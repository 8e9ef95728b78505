#include "server/memory_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/shown.h"
#include "base/utf8.h"
#include "memory/memory_export.h"
#include "memory/stored_memory.h"
#include "server/http_json.h"

namespace polyphon {
namespace {

using httplib::Request;
using httplib::Response;

constexpr size_t kMostTextBytes = 4096;

size_t whole_parameter(const Request& request, const char* name, size_t otherwise) {
  const std::string value = request.get_param_value(name);
  if (value.empty()) return otherwise;
  if (value.size() > 9 || value.find_first_not_of("0123456789") != std::string::npos)
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} is '{}': must be a whole number", name, shown(value)), name);
  return static_cast<size_t>(std::stoul(value));
}

std::string text_of(const Request& request) {
  const OrderedJson body = parse_body(request.body);
  const FieldReader fields(body);
  fields.allow_only({"text"});
  const std::string text = fields.string("text").value_or("");
  if (text.empty() || text.size() > kMostTextBytes)
    fields.refuse("text", fmt::format("must have 1 to {} bytes", kMostTextBytes));
  return text;
}

}  // namespace

MemoryStore& MemoryApi::store() {
  if (MemoryStore* const store = state_.reasoner.memory_store()) return *store;
  throw Error(ErrorCode::kNotFound,
              "this server keeps no memory between sessions: start it with --data-dir");
}

StoredNode MemoryApi::node_of(const Request& request) {
  const std::string id = request.matches[1];
  auto node =
      id.size() > 18 ? std::nullopt : store().find(state_.terms_of(request).tenant, std::stoll(id));
  if (!node) throw Error(ErrorCode::kNotFound, "no memory has the id " + shown(id), "id");
  return *std::move(node);
}

void MemoryApi::list(const Request& request, Response& response) {
  std::vector<StoredNode> nodes = store().list(state_.terms_of(request).tenant);
  if (const std::string session = request.get_param_value("session"); !session.empty())
    std::erase_if(nodes, [&](const StoredNode& node) { return node.session != session; });
  if (const std::string query = request.get_param_value("q"); !query.empty())
    nodes = most_similar(std::move(nodes), query, std::numeric_limits<size_t>::max());
  const size_t begin = std::min(nodes.size(), whole_parameter(request, "offset", 0));
  const size_t end = std::min(nodes.size(), begin + whole_parameter(request, "limit", 100));
  Json page = Json::array();
  for (size_t i = begin; i < end; ++i) page.push_back(to_json(nodes[i]));
  send_json(response, 200, {{"nodes", std::move(page)}, {"total", nodes.size()}});
}

void MemoryApi::forget(const Request& request, Response& response) {
  const std::string tenant = state_.terms_of(request).tenant;
  const std::string session = request.get_param_value("session");
  const bool all = request.get_param_value("all") == "true";
  if (session.empty() == !all)
    throw Error(ErrorCode::kInvalidArgument,
                "say what to forget: ?session=ID, or ?all=true for everything", "session");
  const int forgotten =
      all ? store().forget_tenant(tenant) : store().forget_session(tenant, session);
  send_json(response, 200, {{"forgotten", forgotten}});
}

void MemoryApi::add(const Request& request, Response& response) {
  const std::string tenant = state_.terms_of(request).tenant;
  StoredNode node;
  node.text = text_of(request);
  node.how = "user";
  node.model_digest = state_.reasoner.identity().model_digest;
  const int64_t id = store().add(tenant, node);
  send_json(response, 201, to_json(store().find(tenant, id).value_or(node)));
}

void MemoryApi::show(const Request& request, Response& response) {
  send_json(response, 200, to_json(node_of(request)));
}

void MemoryApi::edit(const Request& request, Response& response) {
  StoredNode node = node_of(request);
  node.text = text_of(request);
  if (!store().edit(state_.terms_of(request).tenant, node.id, node.text))
    throw Error(ErrorCode::kInvalidArgument, "another memory has this text already", "text");
  send_json(response, 200, to_json(node));
}

void MemoryApi::forget_node(const Request& request, Response& response) {
  const StoredNode node = node_of(request);
  const int forgotten = store().forget_node(state_.terms_of(request).tenant, node.id);
  send_json(response, 200, {{"forgotten", forgotten}});
}

void MemoryApi::export_graph(const Request& request, Response& response) {
  const std::string tenant = state_.terms_of(request).tenant;
  const std::string format = request.get_param_value("format");
  const auto nodes = store().list(tenant);
  const auto edges = store().edges(tenant);
  if (format.empty() || format == "json")
    return send_json(response, 200, memory_json(nodes, edges));
  if (format != "graphml")
    throw Error(ErrorCode::kInvalidArgument,
                "format is '" + shown(format) + "': must be json or graphml", "format");
  response.set_content(memory_graphml(nodes, edges), "application/graphml+xml; charset=utf-8");
}

}  // namespace polyphon
