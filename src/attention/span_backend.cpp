#include "attention/span_backend.h"

#include <ggml-backend-impl.h>
#include <ggml-backend.h>
#include <ggml.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "attention/attention_node.h"
#include "attention/span_attention.h"
#include "base/huge_pages.h"
#include "weights/adapter_sum.h"
#include "weights/weight_buffer.h"
#include "weights/weight_product.h"

namespace polyphon {
namespace {

std::atomic<bool> enabled = true;
std::atomic<uint64_t> attention_count = 0;

// What one llama_context has of the device.
struct Context {
  SpanAttention attention;
  std::vector<ggml_backend_buffer_t> caches;  // whose cells have been attended to
  int last_node = -1;
  WeightProduct product;
  std::vector<WeightProductOp> products;  // scratch
};

Context& context_of(ggml_backend_t backend) { return *static_cast<Context*>(backend->context); }

// The number at the end of a node's name: its layer, or its place in the graph, which grow within
// a graph. -1 if there is none.
int node_number(const ggml_tensor* node) {
  const std::string_view name(node->name);
  const size_t begin = name.find_last_not_of("0123456789") + 1;
  int number = -1;
  std::from_chars(name.data() + begin, name.data() + name.size(), number);
  return number;
}

// Cells are read from all over their cache, which libllama has filled with zeros by now. Each
// context has caches of its own, one or two, for as long as it lives.
void keep_in_huge_pages(Context& context, const ggml_tensor* cells) {
  ggml_backend_buffer_t const cache = cells->buffer;
  if (!cache || std::ranges::find(context.caches, cache) != context.caches.end()) return;
  context.caches.push_back(cache);
  move_to_huge_pages(ggml_backend_buffer_get_base(cache), ggml_backend_buffer_get_size(cache));
}

void compute_attention(Context& context, const ggml_tensor* node) {
  for (const int cells : {1, 2}) keep_in_huge_pages(context, node->src[cells]);
  const int number = node_number(node);
  if (number < 0 || number <= context.last_node) context.attention.begin_step();
  context.last_node = number;
  context.attention.compute(attention_op(node));
  attention_count.fetch_add(1, std::memory_order_relaxed);
}

bool computes_nothing(const ggml_tensor* node) {
  switch (node->op) {
    case GGML_OP_NONE:
    case GGML_OP_RESHAPE:
    case GGML_OP_VIEW:
    case GGML_OP_PERMUTE:
    case GGML_OP_TRANSPOSE:
      return true;
    default:
      return false;
  }
}

// The product `first` and those right after it that have the same input, as Q, K and V do; those of
// adapters first, which are in few pieces. Returns the node after them.
int collect_products(ggml_cgraph* graph, int first, std::vector<WeightProductOp>& products) {
  const ggml_tensor* const in = ggml_graph_node(graph, first)->src[1];
  int i = first;
  for (; i < ggml_graph_n_nodes(graph); ++i) {
    const ggml_tensor* const node = ggml_graph_node(graph, i);
    if (computes_nothing(node)) continue;
    if (node->op != GGML_OP_MUL_MAT || node->src[1] != in) break;
    const PackedWeights weights = *packed_weights(node->src[0]);
    products.insert(is_float(weights.type) ? products.begin() : products.end(),
                    {weights, static_cast<float*>(node->data), node->nb[1] / sizeof(float)});
  }
  return i;
}

// The product `first` and what can be computed with it. Returns the node after that.
int compute_products(Context& context, ggml_cgraph* graph, int first) {
  const ggml_tensor* const in = ggml_graph_node(graph, first)->src[1];
  context.products.clear();
  std::optional<WeightProductOp> sum;
  if (first + 2 < ggml_graph_n_nodes(graph))
    sum = adapter_sum(ggml_graph_node(graph, first), ggml_graph_node(graph, first + 1),
                      ggml_graph_node(graph, first + 2));
  if (sum) context.products.push_back(*sum);
  const int next = sum ? first + 3 : collect_products(graph, first, context.products);
  context.product.compute({static_cast<const float*>(in->data), in->nb[1] / sizeof(float),
                           static_cast<int>(in->ne[0]), static_cast<int>(in->ne[1])},
                          context.products);
  return next;
}

ggml_status graph_compute(ggml_backend_t backend, ggml_cgraph* graph) {
  Context& context = context_of(backend);
  for (int i = 0; i < ggml_graph_n_nodes(graph);) {
    const ggml_tensor* const node = ggml_graph_node(graph, i);
    if (node->op == GGML_OP_MUL_MAT) {
      i = compute_products(context, graph, i);
    } else {
      if (node->op == GGML_OP_FLASH_ATTN_EXT)
        compute_attention(context, node);
      else if (!computes_nothing(node))
        compute_adapter_node(node);
      ++i;
    }
  }
  return GGML_STATUS_SUCCESS;
}

bool supports_op(ggml_backend_dev_t, const ggml_tensor* node) {
  if (node->op == GGML_OP_FLASH_ATTN_EXT) return takes_attention(node);
  if (node->op == GGML_OP_MUL_MAT) return takes_product(node);
  return computes_nothing(node) || takes_adapter_node(node);
}

bool supports_nothing(ggml_backend_dev_t, const ggml_tensor*) { return false; }

constexpr const char* kName = "Span";
constexpr const char* kDescription = "span attention";

ggml_backend_t init_backend(ggml_backend_dev_t device, const char* parameters);

// One backend, three faces. A model that is loaded asks the registered device where weights may
// lie; the scheduler asks the device that a context's backend names, where its results may lie and
// which operations it takes, so that a context made while we are not enabled can name one that
// takes none.
enum class Face { kLoading, kComputing, kIdle };

bool supports_buffer_type(ggml_backend_dev_t, ggml_backend_buffer_type_t type) {
  return ggml_backend_buft_is_host(type) || type == weight_buffer_type();
}

// Every field that is not set is optional in ggml's interface.
ggml_backend_device make_device(ggml_backend_reg_t registry, Face face) {
  ggml_backend_device device{};
  device.iface.get_name = [](ggml_backend_dev_t) { return kName; };
  device.iface.get_description = [](ggml_backend_dev_t) { return kDescription; };
  device.iface.get_memory = [](ggml_backend_dev_t, size_t* free, size_t* total) {
    *free = *total = 0;
  };
  device.iface.get_type = [](ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_ACCEL; };
  device.iface.get_props = [](ggml_backend_dev_t, ggml_backend_dev_props* props) {
    *props = {};
    props->name = kName;
    props->description = kDescription;
    props->type = GGML_BACKEND_DEVICE_TYPE_ACCEL;
  };
  device.iface.init_backend = init_backend;
  device.iface.get_buffer_type = [](ggml_backend_dev_t) { return ggml_backend_cpu_buffer_type(); };
  if (face == Face::kLoading)
    device.iface.get_buffer_type = [](ggml_backend_dev_t) {
      return enabled ? weight_buffer_type() : ggml_backend_cpu_buffer_type();
    };
  device.iface.supports_op = face == Face::kIdle ? supports_nothing : supports_op;
  device.iface.supports_buft = supports_buffer_type;
  device.reg = registry;
  return device;
}

void set_n_threads(ggml_backend_t backend, int threads) {
  context_of(backend).attention.set_threads(threads);
  context_of(backend).product.set_threads(threads);
}

ggml_backend_reg_t registry() {
  static ggml_backend_device device;
  static ggml_backend_reg registry = [] {
    ggml_backend_reg made{};
    made.api_version = GGML_BACKEND_API_VERSION;
    made.iface.get_name = [](ggml_backend_reg_t) { return kName; };
    made.iface.get_device_count = [](ggml_backend_reg_t) -> size_t { return 1; };
    made.iface.get_device = [](ggml_backend_reg_t, size_t) { return &device; };
    made.iface.get_proc_address = [](ggml_backend_reg_t, const char* name) {
      return std::strcmp(name, "ggml_backend_set_n_threads") == 0
                 ? reinterpret_cast<void*>(set_n_threads)
                 : nullptr;
    };
    return made;
  }();
  static const bool once = [] {
    device = make_device(&registry, Face::kLoading);
    weight_buffer_type()->device = &device;
    return true;
  }();
  (void)once;
  return &registry;
}

ggml_backend_t init_backend(ggml_backend_dev_t, const char*) {
  static ggml_backend_device computing = make_device(registry(), Face::kComputing);
  static ggml_backend_device idle = make_device(registry(), Face::kIdle);
  static ggml_guid guid = {0x3b, 0x91, 0x5e, 0x0c, 0xd7, 0x42, 0x4a, 0x68,
                           0x9f, 0x13, 0xc6, 0x2a, 0x81, 0x7d, 0x55, 0xe0};
  ggml_backend_i iface{};
  iface.get_name = [](ggml_backend_t) { return kName; };
  iface.free = [](ggml_backend_t backend) {
    delete &context_of(backend);
    delete backend;
  };
  iface.graph_compute = graph_compute;
  return new ggml_backend{&guid, iface, enabled ? &computing : &idle, new Context};
}

}  // namespace

void register_span_backend() {
  static const bool once = (ggml_backend_register(registry()), true);
  (void)once;
}

void enable_span_backend(bool enable) { enabled = enable; }

uint64_t span_attention_count() { return attention_count; }

}  // namespace polyphon
