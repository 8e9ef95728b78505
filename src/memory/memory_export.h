#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "store/memory_store.h"

namespace polyphon {

// {"id", "session", "text", "how", "model_digest", "created", "used"}; times in seconds since 1970.
Json to_json(const StoredNode& node);
// {"nodes", "edges": [{"from", "to", "kind"}]}
Json memory_json(const std::vector<StoredNode>& nodes, const std::vector<StoredEdge>& edges);
// GraphML 1.0, as Gephi, yEd and NetworkX read it. Control characters that XML cannot hold become
// U+FFFD.
std::string memory_graphml(const std::vector<StoredNode>& nodes,
                           const std::vector<StoredEdge>& edges);

}  // namespace polyphon
