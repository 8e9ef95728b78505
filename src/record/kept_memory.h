// Nodes and edges of a session's memory. Plain.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/token.h"
#include "record/names.h"
#include "record/span_owner.h"

namespace polyphon {

struct SavedCells;  // model/decoder.h
using CellsPtr = std::shared_ptr<const SavedCells>;

using NodeId = int64_t;

enum class NodeOrigin { kMarker, kWriteHead, kPromotion, kConclusion, kStored };
std::span<const EnumName<NodeOrigin>> names_of(NodeOrigin);

struct MemoryNode {
  NodeId id = 0;  // given by the graph
  std::string text;
  std::vector<float> key;  // the state its last token was sampled from; may be empty
  NoteSource source;
  NodeOrigin how = NodeOrigin::kMarker;
  Step step = 0;          // when it was written, or last recalled
  int stream = -1;        // whose own cells it is; -1: no stream's
  int64_t stored_id = 0;  // in the store; 0: not there
  CellsPtr cells;         // once they are computed
};

enum class EdgeKind { kDerivedFrom, kSupports, kContradicts, kSameSubject };
std::span<const EnumName<EdgeKind>> names_of(EdgeKind);

// From the newer to the older node.
struct MemoryEdge {
  NodeId from = 0;
  NodeId to = 0;
  EdgeKind kind = EdgeKind::kSameSubject;
};

// What a session's memory leaves for the tenant's store.
struct KeptMemory {
  std::vector<MemoryNode> nodes;  // new ones, and those of the store that were recalled
  std::vector<MemoryEdge> edges;  // between them
};

}  // namespace polyphon
