#include "model/llama_vocabulary.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/check.h"
#include "base/deep_stack.h"
#include "base/utf8.h"

namespace polyphon {
namespace {

// libllama splits text into words before it merges tokens, for some vocabularies by std::regex,
// which recurses once for each byte of a word: one of 50,000 letters overflowed a thread's stack
// and ended the process. 500 bytes a byte were measured.
constexpr size_t kStackBytesPerByte = 1024;
constexpr size_t kLongWordBytes = 2048;  // from here on the stack is made as deep as need be,
constexpr size_t kLongestWordBytes = 1
                                     << 18;  // and here, where nobody reads it any more, it is cut

std::vector<SpecialToken> special_tokens(const llama_vocab* vocabulary) {
  std::vector<SpecialToken> result;
  for (Token token = 0; token < llama_vocab_n_tokens(vocabulary); ++token) {
    const int attributes = llama_vocab_get_attr(vocabulary, token);
    const bool control = attributes & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN);
    if (control || attributes & LLAMA_TOKEN_ATTR_USER_DEFINED)
      result.push_back({token, llama_vocab_get_text(vocabulary, token), control,
                        (attributes & LLAMA_TOKEN_ATTR_LSTRIP) != 0,
                        (attributes & LLAMA_TOKEN_ATTR_RSTRIP) != 0});
  }
  return result;
}

// Appends the tokens of a text that is given to libllama as it is.
void append_tokens(const llama_vocab* vocabulary, std::string_view text, bool framed,
                   Tokens& tokens) {
  const size_t begin = tokens.size();
  const auto length = static_cast<int32_t>(text.size());
  tokens.resize(begin + text.size() + 2);
  int32_t count = llama_tokenize(vocabulary, text.data(), length, tokens.data() + begin, length + 2,
                                 framed, false);
  if (count < 0) {  // the vocabulary splits bytes further
    tokens.resize(begin + static_cast<size_t>(-count));
    count = llama_tokenize(vocabulary, text.data(), length, tokens.data() + begin, -count, framed,
                           false);
  }
  POLYPHON_CHECK(count >= 0);
  tokens.resize(begin + static_cast<size_t>(count));
}

// The end of the text's first part whose words, or runs of white space, are of bearable length, and
// the longest of these.
std::pair<size_t, size_t> bearable_part(std::string_view text) {
  size_t longest = 0, run = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    run = i > 0 && is_space(text[i]) == is_space(text[i - 1]) ? run + 1 : 1;
    const bool begins_character = (text[i] & 0xC0) != 0x80;
    if (run > kLongestWordBytes && begins_character) return {i, longest};
    longest = std::max(longest, run);
  }
  return {text.size(), longest};
}

void append_words(const llama_vocab* vocabulary, std::string_view text, Tokens& tokens) {
  while (!text.empty()) {
    const auto [end, longest] = bearable_part(text);
    const std::string_view part = text.substr(0, end);
    if (longest < kLongWordBytes)
      append_tokens(vocabulary, part, false, tokens);
    else
      call_on_deep_stack((longest + kLongWordBytes) * kStackBytesPerByte,
                         [&] { append_tokens(vocabulary, part, false, tokens); });
    text.remove_prefix(end);
  }
}

// The character at `at`, as the number of its bytes; `at` moves behind it. A space counts as what
// SentencePiece writes for it.
uint32_t next_character(std::string_view text, size_t& at) {
  if (text[at] == ' ') return ++at, 0xE29681;
  uint32_t character = static_cast<unsigned char>(text[at++]);
  while (at < text.size() && (text[at] & 0xC0) == 0x80)
    character = character << 8 | static_cast<unsigned char>(text[at++]);
  return character;
}

uint64_t pair_of(uint32_t left, uint32_t right) { return uint64_t{left} << 32 | right; }

// Each two characters that stand beside each other inside a token.
std::vector<uint64_t> joined_pairs(const llama_vocab* vocabulary) {
  std::vector<uint64_t> pairs;
  for (Token token = 0; token < llama_vocab_n_tokens(vocabulary); ++token) {
    const std::string_view text = llama_vocab_get_text(vocabulary, token);
    uint32_t before = 0;
    for (size_t at = 0; at < text.size();) {
      const uint32_t character = next_character(text, at);
      if (before != 0) pairs.push_back(pair_of(before, character));
      before = character;
    }
  }
  std::sort(pairs.begin(), pairs.end());
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  return pairs;
}

// SentencePiece's merges never cross a border between two characters that no token joins, so a long
// text may be cut there: libllama takes time with the square of the bytes that are in no token.
// libllama puts a space before each text. So each part but the first begins with the character
// before it, whose tokens are dropped.
void append_parts(const llama_vocab* vocabulary, const std::vector<uint64_t>& joined,
                  std::string_view text, Tokens& tokens) {
  constexpr size_t kPartBytes = 4096;
  size_t begin = 0, repeated = 0;  // of the part; bytes of the character before it
  while (begin + repeated < text.size()) {
    size_t end = begin + repeated, last = end;
    uint32_t before = next_character(text, end);
    while (end < text.size()) {
      size_t next = end;
      const uint32_t character = next_character(text, next);
      if (end - begin >= kPartBytes &&
          !std::binary_search(joined.begin(), joined.end(), pair_of(before, character)))
        break;
      before = character;
      last = std::exchange(end, next);
    }
    Tokens part, dropped;
    append_tokens(vocabulary, text.substr(begin, end - begin), false, part);
    if (repeated > 0) append_tokens(vocabulary, text.substr(begin, repeated), false, dropped);
    tokens.insert(tokens.end(), part.begin() + static_cast<std::ptrdiff_t>(dropped.size()),
                  part.end());
    begin = last;
    repeated = end - last;
  }
}

}  // namespace

LlamaVocabulary::LlamaVocabulary(const llama_vocab* vocabulary)
    : vocabulary_(vocabulary), special_(special_tokens(vocabulary)) {
  if (llama_vocab_type(vocabulary) == LLAMA_VOCAB_TYPE_SPM) joined_ = joined_pairs(vocabulary);
  for (Token token = 0; token < size(); ++token)
    longest_piece_bytes_ =
        std::max(longest_piece_bytes_, static_cast<int>(piece(token, true).size()));
  Tokens frame;
  append_tokens(vocabulary, "", true, frame);
  const bool begins = frame.size() == 2 || llama_vocab_get_add_bos(vocabulary);
  if (begins && !frame.empty()) before_ = {frame.front()};
  after_.assign(frame.begin() + static_cast<std::ptrdiff_t>(before_.size()), frame.end());
}

int LlamaVocabulary::size() const { return llama_vocab_n_tokens(vocabulary_); }

Tokens LlamaVocabulary::tokenize(std::string_view text, bool parse_special, bool add_bos) const {
  std::string sanitized;  // libllama throws at some invalid bytes
  if (!is_valid_utf8(text)) text = sanitized = sanitize_utf8(text);
  Tokens tokens;
  if (add_bos) tokens = before_;
  for (const SpecialTokens::Piece& piece : special_.cut(text, parse_special)) {
    const std::string_view part = text.substr(piece.begin, piece.end - piece.begin);
    if (piece.token != kNoToken)
      tokens.push_back(piece.token);
    else if (llama_vocab_type(vocabulary_) == LLAMA_VOCAB_TYPE_BPE)
      append_words(vocabulary_, part, tokens);
    else if (llama_vocab_type(vocabulary_) == LLAMA_VOCAB_TYPE_SPM)
      append_parts(vocabulary_, joined_, part, tokens);
    else
      append_tokens(vocabulary_, part, false, tokens);
  }
  if (add_bos) tokens.insert(tokens.end(), after_.begin(), after_.end());
  return tokens;
}

std::string LlamaVocabulary::piece(Token token, bool render_special) const {
  std::string text(64, '\0');
  int32_t length = llama_token_to_piece(vocabulary_, token, text.data(),
                                        static_cast<int32_t>(text.size()), 0, render_special);
  if (length < 0) {
    text.resize(static_cast<size_t>(-length));
    length = llama_token_to_piece(vocabulary_, token, text.data(), -length, 0, render_special);
  }
  text.resize(static_cast<size_t>(length));
  return text;
}

bool LlamaVocabulary::is_end_of_generation(Token token) const {
  return llama_vocab_is_eog(vocabulary_, token);
}

}  // namespace polyphon
