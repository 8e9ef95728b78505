#include "grammar/value_trie.h"

#include <algorithm>
#include <map>

#include "base/utf8.h"
#include "grammar/code_points.h"
#include "grammar/gbnf_text.h"

namespace polyphon {
namespace {

// Whole characters that all of a sorted range share from `at` on.
size_t shared_size(const std::string& first, const std::string& last, size_t at) {
  const size_t limit = std::min(first.size(), last.size());
  size_t end = at;
  while (end < limit && first[end] == last[end]) ++end;
  return at + complete_utf8_prefix(std::string_view(first).substr(at, end - at));
}

}  // namespace

std::string any_of_gbnf(std::vector<std::string> texts, const AddRule& add_rule) {
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  // Ends first: a branch's rule is added when the rules of its own branches are.
  const std::function<std::string(size_t, size_t, size_t)> branch = [&](size_t begin, size_t end,
                                                                        size_t at) {
    const size_t common = shared_size(texts[begin], texts[end - 1], at);
    const std::string stem = common > at ? gbnf_literal(texts[begin].substr(at, common - at)) : "";
    if (end - begin == 1) return stem.empty() ? std::string("\"\"") : stem;
    std::vector<std::string> alternatives;
    for (size_t i = begin; i < end;) {
      if (texts[i].size() == common) {
        alternatives.emplace_back("\"\"");
        ++i;
        continue;
      }
      size_t after = common;
      next_code_point(texts[i], after);
      const size_t size = after - common;
      const std::string_view character = std::string_view(texts[i]).substr(common, size);
      size_t next = i;
      while (next < end && std::string_view(texts[next]).substr(common, size) == character) ++next;
      alternatives.push_back(branch(i, next, common));
      i = next;
    }
    const std::string rest = add_rule(gbnf_choice(alternatives));
    return stem.empty() ? rest : stem + " " + rest;
  };
  return branch(0, texts.size(), 0);
}

std::string string_but_gbnf(const std::vector<std::string>& texts, const AddRule& add_rule) {
  // What a JSON string holds without an escape.
  static const CodePointSet kPlain =
      CodePointSet({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}}).complement();
  struct Node {
    std::map<uint32_t, Node> next;
    bool ends = false;
  };
  Node root;
  for (const std::string& text : texts) {
    Node* node = &root;
    bool plain = true;
    for (size_t at = 0; at < text.size() && plain;) {
      const uint32_t point = next_code_point(text, at);
      plain = kPlain.contains(point);
      node = &node->next[point];
    }
    node->ends |= plain;  // a text that needs an escape can never be written
  }
  const std::string any = add_rule(gbnf_class(kPlain));
  const std::function<std::string(const Node&)> rest_of = [&](const Node& node) {
    std::vector<std::string> alternatives;
    std::vector<CodePointRange> taken;
    for (const auto& [point, next] : node.next) {
      taken.push_back({point, point});
      alternatives.push_back(gbnf_class(CodePointSet({{point, point}})) + " " + rest_of(next));
    }
    alternatives.push_back(gbnf_class(kPlain.without(CodePointSet(taken))) + " " + any +
                           "* \"\\\"\"");
    if (!node.ends) alternatives.emplace_back("\"\\\"\"");
    return add_rule(gbnf_choice(alternatives));
  };
  return "\"\\\"\" " + rest_of(root);
}

}  // namespace polyphon
