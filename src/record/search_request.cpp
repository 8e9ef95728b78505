#include "record/search_request.h"

#include <fmt/format.h>

#include <array>

#include "base/error.h"
#include "base/shown.h"

namespace polyphon {

std::string to_string(SearchMode mode) {
  switch (mode) {
    case SearchMode::kOff:
      return "off";
    case SearchMode::kAuto:
      return "auto";
    case SearchMode::kAlways:
      return "always";
  }
  return "";
}

SearchMode parse_search_mode(const std::string& text) {
  for (const SearchMode mode : {SearchMode::kOff, SearchMode::kAuto, SearchMode::kAlways})
    if (to_string(mode) == text) return mode;
  throw Error(ErrorCode::kInvalidArgument,
              "search is '" + shown(text) + "': must be off, auto or always", "polyphon.search");
}

std::span<const SearchField> search_fields() {
  using S = SearchRequest;
  constexpr unsigned kEverywhere = kConfigScope | kFlagScope | kRequestScope;
  static const std::array<SearchField, 18> fields = {{
      {"simulations", &S::simulations, 1, 4096, kEverywhere,
       "Simulations of one search: leaves that are valued"},
      {"depth", &S::depth, 1, 64, kRequestScope,
       "Longest branch of a search, in thought steps (sentences or lines)"},
      {"step_tokens", &S::step_tokens, 4, 1024},
      {"parallel_leaves", &S::parallel_leaves, 1, 128},
      {"max_children", &S::max_children, 1, 128},
      {"widening", &S::widening, 0.1, 128},
      {"widening_power", &S::widening_power, 0, 1},
      {"cpuct", &S::cpuct, 0, 100},
      {"temperature", &S::temperature, 0, 2},
      {"max_tokens", &S::max_tokens, 64, 1 << 20, kRequestScope,
       "Most tokens that all branches of a session decode; their KV cells are set aside"},
      {"max_sequences", &S::max_sequences, 2, 256},
      {"max_searches", &S::max_searches, 1, 1 << 16, kRequestScope, "Most searches of a session"},
      {"max_stream_searches", &S::max_stream_searches, 1, 1 << 16},
      {"min_gap_tokens", &S::min_gap_tokens, 1, 1 << 20},
      {"entropy_threshold", &S::entropy_threshold, 0, 20},
      {"value_drop", &S::value_drop, 0, 1},
      {"value_steps", &S::value_steps, 1, 64},
      {"milliseconds", &S::milliseconds, 0, 3600000, kRequestScope,
       "Longest time of one search, in milliseconds; 0: no limit"},
  }};
  return fields;
}

void validate(const SearchRequest& request) { check_bounds(search_fields(), request, "search"); }

}  // namespace polyphon
