// Between a tenant's store and a session: which stored nodes a problem brings along, and what a
// session leaves. On the caller's thread, never the decode thread; the store may block.
#pragma once

#include <string>

#include "model/chat_template.h"
#include "model/vocabulary.h"
#include "record/memory_request.h"
#include "store/memory_store.h"
#include "streams/events.h"

namespace polyphon {

// The text of the last message of the user; empty when there is none.
std::string problem_of(const ChatInput& chat);

// Stored nodes by the words they share with the problem, the best first, none that shares too
// little.
std::vector<StoredNode> most_similar(std::vector<StoredNode> nodes, const std::string& text,
                                     size_t most);

// What computes keys (a model) and cells (a model with its adapter, and a KV type), by digest.
struct ComputedBy {
  std::string model_digest;
  std::string cells;
};

// Fills request.loaded. A key of another model is left out: its text alone is compared. Cells that
// are not there, damaged or another's stay null.
void load_memory(MemoryRequest& request, MemoryStore& store, const std::string& tenant,
                 const ComputedBy& by, const Vocabulary& vocabulary);
void keep_memory(const KeptMemory& kept, MemoryStore& store, const std::string& tenant,
                 const std::string& session, const ComputedBy& by);
void keep_cells(const SavedCells& cells, MemoryStore& store, const std::string& tenant,
                int64_t node, const ComputedBy& by);

}  // namespace polyphon
