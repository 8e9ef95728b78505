#include "model/special_tokens.h"

#include <algorithm>
#include <map>

#include "base/ascii.h"

namespace polyphon {

SpecialTokens::SpecialTokens(std::vector<SpecialToken> tokens) : tokens_(std::move(tokens)) {
  std::erase_if(tokens_, [](const SpecialToken& special) { return special.text.empty(); });
  // The same call as libllama's: tokens of one length come out in the same order.
  std::sort(tokens_.begin(), tokens_.end(), [](const SpecialToken& a, const SpecialToken& b) {
    return a.text.size() > b.text.size();
  });
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const std::string& text = tokens_[i].text;
    if (lengths_.empty() || lengths_.back().bytes != text.size())
      lengths_.emplace_back().bytes = text.size();
    lengths_.back().starts[static_cast<unsigned char>(text[0])] = true;
    lengths_.back().index.emplace(text, i);
  }
}

std::vector<SpecialTokens::Piece> SpecialTokens::cut(std::string_view text,
                                                     bool parse_control) const {
  std::vector<bool> taken(text.size());
  std::vector<Piece> found;  // with the white space that each strips
  for (const Length& length : lengths_) {
    std::map<size_t, std::vector<size_t>> places;  // by token, where it begins
    for (size_t at = 0; at + length.bytes <= text.size(); ++at) {
      if (!length.starts[static_cast<unsigned char>(text[at])] || taken[at]) continue;
      const auto special = length.index.find(text.substr(at, length.bytes));
      if (special != length.index.end() && (parse_control || !tokens_[special->second].control))
        places[special->second].push_back(at);
    }
    for (const auto& [index, begins] : places) {
      const SpecialToken& special = tokens_[index];
      for (const size_t at : begins) {
        // What was taken before is no shorter, so that it cannot lie inside.
        size_t begin = at, end = at + length.bytes;
        if (taken[begin] || taken[end - 1]) continue;
        while (special.strips_left && begin > 0 && !taken[begin - 1] && is_space(text[begin - 1]))
          --begin;
        while (special.strips_right && end < text.size() && !taken[end] && is_space(text[end]))
          ++end;
        std::fill(taken.begin() + static_cast<std::ptrdiff_t>(begin),
                  taken.begin() + static_cast<std::ptrdiff_t>(end), true);
        found.push_back({begin, end, special.token});
      }
    }
  }
  std::sort(found.begin(), found.end(),
            [](const Piece& a, const Piece& b) { return a.begin < b.begin; });

  std::vector<Piece> pieces;
  size_t at = 0;
  for (const Piece& special : found) {
    if (at < special.begin) pieces.push_back({at, special.begin, kNoToken});
    pieces.push_back(special);
    at = special.end;
  }
  if (at < text.size()) pieces.push_back({at, text.size(), kNoToken});
  return pieces;
}

}  // namespace polyphon
