#include "record/kept_memory.h"

#include <array>

#include "base/error.h"

namespace polyphon {
namespace {

constexpr std::array<const char*, 4> kEdgeNames = {"derived_from", "supports", "contradicts",
                                                   "same_subject"};

}  // namespace

std::string to_string(EdgeKind kind) { return kEdgeNames[static_cast<size_t>(kind)]; }

EdgeKind parse_edge_kind(const std::string& name) {
  for (size_t i = 0; i < kEdgeNames.size(); ++i)
    if (name == kEdgeNames[i]) return static_cast<EdgeKind>(i);
  throw Error(ErrorCode::kInvalidArgument, "unknown kind of edge: " + name, "kind");
}

}  // namespace polyphon
