#include "server/embedding_request.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <bit>

#include "base/shown.h"
#include "server/sampling_reader.h"

namespace polyphon {
namespace {

constexpr size_t kMaxInputs = 2048;  // OpenAI's limit

static_assert(std::endian::native == std::endian::little);

}  // namespace

EmbeddingRequest read_embedding_request(const OrderedJson& body, const RequestContext& context) {
  const FieldReader fields(body);
  check_model(fields, context.options);
  EmbeddingRequest request;
  request.model = fields.string("model").value_or("");
  if (request.model.empty()) request.model = context.options.served_name;
  const std::string format = fields.string("encoding_format").value_or("float");
  if (format != "float" && format != "base64")
    fields.refuse("encoding_format", "is '" + shown(format) + "': must be float or base64");
  request.base64 = format == "base64";
  const ModelInfo& model = context.reasoner.model().info();
  const auto dimensions = fields.integer("dimensions", 1, 1 << 20);
  if (dimensions && *dimensions != model.hidden_size)
    fields.refuse("dimensions", fmt::format("is {}: this model's embeddings have {}", *dimensions,
                                            model.hidden_size));
  request.prompts = read_prompts(fields, "input", context, kMaxInputs);
  const int positions =
      std::min(context.reasoner.engine()->capacity_cells() - 2, model.trained_context);
  for (const Tokens& prompt : request.prompts)
    if (prompt.size() > static_cast<size_t>(positions))
      fields.refuse("input", fmt::format("has {} tokens, but the context holds {}", prompt.size(),
                                         positions));
  return request;
}

Json embedding_json(const std::vector<float>& embedding, bool base64) {
  if (!base64) return embedding;
  const size_t bytes = embedding.size() * sizeof(float);
  std::string text(4 * ((bytes + 2) / 3) + 1, '\0');  // plus a terminating zero
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(embedding.data()),
                                     static_cast<int>(bytes));
  text.resize(static_cast<size_t>(length));
  return text;
}

}  // namespace polyphon
