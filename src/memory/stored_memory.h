// Moves memory between a tenant's store and a session: chooses the stored nodes for a problem, and
// saves what a session leaves. Never on the decode thread: the store may block.
#pragma once

#include <string>

#include "model/chat_template.h"
#include "model/vocabulary.h"
#include "record/memory_request.h"
#include "store/memory_store.h"
#include "streams/events.h"

namespace polyphon {

// The text of the user's last message; empty if there is none.
std::string problem_of(const ChatInput& chat);

// At most `most` stored nodes that share enough words with the text, best first.
std::vector<StoredNode> most_similar(std::vector<StoredNode> nodes, const std::string& text,
                                     size_t most);

// Identifies what computed keys and cells, by digests: keys depend on the model; cells also on its
// adapter and on the KV type.
struct ComputedBy {
  std::string model_digest;
  std::string cells;
};

// Fills request.loaded. A key of another model is left out, so only the node's text is compared.
// Cells that are missing, damaged or of another model stay null.
void load_memory(MemoryRequest& request, MemoryStore& store, const std::string& tenant,
                 const ComputedBy& by, const Vocabulary& vocabulary);
void keep_memory(const KeptMemory& kept, MemoryStore& store, const std::string& tenant,
                 const std::string& session, const ComputedBy& by);
void keep_cells(const SavedCells& cells, MemoryStore& store, const std::string& tenant,
                int64_t node, const ComputedBy& by);

}  // namespace polyphon
