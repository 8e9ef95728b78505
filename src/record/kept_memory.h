// Nodes and edges of a session's memory. Plain data.
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
  NodeId id = 0;  // assigned by MemoryGraph
  std::string text;
  // Hidden state from which the text's last token was sampled; may be empty.
  std::vector<float> key;
  NoteSource source;
  NodeOrigin how = NodeOrigin::kMarker;
  Step step = 0;          // step in which it was written or last recalled
  int stream = -1;        // the stream that wrote the text and so already sees its cells; -1: none
  int64_t stored_id = 0;  // id in the tenant's store; 0: not stored yet
  CellsPtr cells;         // null until they are computed
};

enum class EdgeKind { kDerivedFrom, kSupports, kContradicts, kSameSubject };
std::span<const EnumName<EdgeKind>> names_of(EdgeKind);

// An edge points from the newer node to the older one.
struct MemoryEdge {
  NodeId from = 0;
  NodeId to = 0;
  EdgeKind kind = EdgeKind::kSameSubject;
};

// What a session hands over to the tenant's store at its end.
struct KeptMemory {
  std::vector<MemoryNode> nodes;  // new nodes, and stored nodes that were recalled
  std::vector<MemoryEdge> edges;  // edges between these nodes
};

}  // namespace polyphon
