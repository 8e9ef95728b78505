#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "store/memory_store.h"

namespace polyphon {

// A node as {"id", "session", "text", "how", "model_digest", "created", "used"}. Times are in
// seconds since 1970.
Json to_json(const StoredNode& node);
// A graph as {"nodes": [...], "edges": [{"from", "to", "kind"}]}.
Json memory_json(const std::vector<StoredNode>& nodes, const std::vector<StoredEdge>& edges);
// A graph as GraphML 1.0, readable by Gephi, yEd and NetworkX. Control characters that XML cannot
// hold become U+FFFD.
std::string memory_graphml(const std::vector<StoredNode>& nodes,
                           const std::vector<StoredEdge>& edges);

}  // namespace polyphon
