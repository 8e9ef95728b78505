// Between a tenant's store and a session: which stored nodes a problem brings along, and what a
// session leaves. On the caller's thread, never the decode thread; the store may block.
#pragma once

#include <string>

#include "model/chat_template.h"
#include "model/vocabulary.h"
#include "reason/events.h"
#include "reason/memory_options.h"
#include "store/memory_store.h"

namespace polyphon {

// The text of the last message of the user; empty when there is none.
std::string problem_of(const ChatInput& chat);

// Stored nodes by the words they share with the problem, the best first, none that shares too
// little.
std::vector<StoredNode> most_similar(std::vector<StoredNode> nodes, const std::string& text,
                                     size_t most);

// Fills request.loaded. A key of another model is left out: its text alone is compared.
void load_memory(MemoryRequest& request, MemoryStore& store, const std::string& tenant,
                 const std::string& model_digest, const Vocabulary& vocabulary);
void keep_memory(const KeptMemory& kept, MemoryStore& store, const std::string& tenant,
                 const std::string& session, const std::string& model_digest);

}  // namespace polyphon
