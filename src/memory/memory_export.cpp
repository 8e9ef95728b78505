#include "memory/memory_export.h"

#include <fmt/format.h>

namespace polyphon {
namespace {

std::string xml_text(const std::string& text) {
  std::string escaped;
  for (char c : text) {
    const bool control = static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n';
    if (c == '&')
      escaped += "&amp;";
    else if (c == '<')
      escaped += "&lt;";
    else if (c == '>')
      escaped += "&gt;";
    else if (control)
      escaped += "\uFFFD";
    else
      escaped += c;
  }
  return escaped;
}

}  // namespace

Json to_json(const StoredNode& node) {
  return {{"id", node.id},    {"session", node.session},           {"text", node.text},
          {"how", node.how},  {"model_digest", node.model_digest}, {"created", node.created},
          {"used", node.used}};
}

Json memory_json(const std::vector<StoredNode>& nodes, const std::vector<StoredEdge>& edges) {
  Json node_list = Json::array(), edge_list = Json::array();
  for (const StoredNode& node : nodes) node_list.push_back(to_json(node));
  for (const StoredEdge& edge : edges)
    edge_list.push_back({{"from", edge.from}, {"to", edge.to}, {"kind", edge.kind}});
  return {{"nodes", std::move(node_list)}, {"edges", std::move(edge_list)}};
}

std::string memory_graphml(const std::vector<StoredNode>& nodes,
                           const std::vector<StoredEdge>& edges) {
  std::string xml =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n";
  for (const char* name : {"text", "how", "session"})
    xml += fmt::format("  <key id=\"{0}\" for=\"node\" attr.name=\"{0}\" attr.type=\"string\"/>\n",
                       name);
  xml += "  <key id=\"created\" for=\"node\" attr.name=\"created\" attr.type=\"long\"/>\n";
  xml += "  <key id=\"kind\" for=\"edge\" attr.name=\"kind\" attr.type=\"string\"/>\n";
  xml += "  <graph edgedefault=\"directed\">\n";
  for (const StoredNode& node : nodes)
    xml += fmt::format(
        "    <node id=\"n{}\"><data key=\"text\">{}</data><data key=\"how\">{}</data>"
        "<data key=\"session\">{}</data><data key=\"created\">{}</data></node>\n",
        node.id, xml_text(node.text), xml_text(node.how), xml_text(node.session), node.created);
  for (const StoredEdge& edge : edges)
    xml +=
        fmt::format("    <edge source=\"n{}\" target=\"n{}\"><data key=\"kind\">{}</data></edge>\n",
                    edge.from, edge.to, xml_text(edge.kind));
  return xml + "  </graph>\n</graphml>\n";
}

}  // namespace polyphon
