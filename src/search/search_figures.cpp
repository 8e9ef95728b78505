#include "search/search_figures.h"

#include "base/utf8.h"

namespace polyphon {

Json to_json(const SearchFigures& figures) {
  return {{"stream", figures.stream},
          {"search", figures.search},
          {"trigger", figures.trigger},
          {"step", figures.began_step},
          {"steps", figures.steps},
          {"why_ended", figures.why_ended},
          {"simulations", figures.simulations},
          {"tokens", figures.tokens},
          {"committed_tokens", figures.committed_tokens},
          {"leaves_per_step", figures.leaves_per_step()},
          {"waste", figures.waste()},
          {"ms", figures.ms},
          {"text", sanitize_utf8(figures.text)},
          {"from_byte", figures.from_byte}};
}

Json ending_of(const SearchFigures& figures) {
  return {{"stream", figures.stream},
          {"search", figures.search},
          {"why", figures.why_ended},
          {"steps", figures.steps},
          {"simulations", figures.simulations},
          {"tokens", figures.tokens},
          {"committed_tokens", figures.committed_tokens}};
}

}  // namespace polyphon
