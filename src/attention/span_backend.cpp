#include "attention/span_backend.h"

#include <ggml-backend-impl.h>
#include <ggml-backend.h>
#include <ggml.h>

#include <atomic>
#include <charconv>
#include <cstring>
#include <string_view>

#include "attention/attention_node.h"
#include "attention/span_attention.h"

namespace polyphon {
namespace {

std::atomic<bool> enabled = true;
std::atomic<uint64_t> attention_count = 0;

// What one llama_context has of the device.
struct Context {
  SpanAttention attention;
  int last_node = -1;
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

void compute_attention(Context& context, const ggml_tensor* node) {
  const int number = node_number(node);
  if (number < 0 || number <= context.last_node) context.attention.begin_step();
  context.last_node = number;
  context.attention.compute(attention_op(node));
  attention_count.fetch_add(1, std::memory_order_relaxed);
}

ggml_status graph_compute(ggml_backend_t backend, ggml_cgraph* graph) {
  for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
    const ggml_tensor* const node = ggml_graph_node(graph, i);
    if (node->op == GGML_OP_FLASH_ATTN_EXT) compute_attention(context_of(backend), node);
  }
  return GGML_STATUS_SUCCESS;
}

bool supports_op(ggml_backend_dev_t, const ggml_tensor* node) {
  switch (node->op) {
    case GGML_OP_NONE:
    case GGML_OP_RESHAPE:
    case GGML_OP_VIEW:
    case GGML_OP_PERMUTE:
    case GGML_OP_TRANSPOSE:
      return true;  // nothing to compute
    case GGML_OP_FLASH_ATTN_EXT:
      return takes_attention(node);
    default:
      return false;
  }
}

bool supports_nothing(ggml_backend_dev_t, const ggml_tensor*) { return false; }

constexpr const char* kName = "Span";
constexpr const char* kDescription = "span attention";

ggml_backend_t init_backend(ggml_backend_dev_t device, const char* parameters);

// Every field that is not set is optional in ggml's interface.
ggml_backend_device make_device(ggml_backend_reg_t registry, bool takes_operations) {
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
  device.iface.supports_op = takes_operations ? supports_op : supports_nothing;
  device.iface.supports_buft = [](ggml_backend_dev_t, ggml_backend_buffer_type_t type) {
    return ggml_backend_buft_is_host(type);
  };
  device.reg = registry;
  return device;
}

void set_n_threads(ggml_backend_t backend, int threads) {
  context_of(backend).attention.set_threads(threads);
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
  static const bool once = (device = make_device(&registry, true), true);
  (void)once;
  return &registry;
}

// The scheduler asks the device that the backend names, so that a context made while we are not
// enabled can name one that takes nothing.
ggml_backend_t init_backend(ggml_backend_dev_t device, const char*) {
  static ggml_backend_device idle = make_device(registry(), false);
  static ggml_guid guid = {0x3b, 0x91, 0x5e, 0x0c, 0xd7, 0x42, 0x4a, 0x68,
                           0x9f, 0x13, 0xc6, 0x2a, 0x81, 0x7d, 0x55, 0xe0};
  ggml_backend_i iface{};
  iface.get_name = [](ggml_backend_t) { return kName; };
  iface.free = [](ggml_backend_t backend) {
    delete &context_of(backend);
    delete backend;
  };
  iface.graph_compute = graph_compute;
  return new ggml_backend{&guid, iface, enabled ? device : &idle, new Context};
}

}  // namespace

void register_span_backend() {
  static const bool once = (ggml_backend_register(registry()), true);
  (void)once;
}

void enable_span_backend(bool enable) { enabled = enable; }

uint64_t span_attention_count() { return attention_count; }

}  // namespace polyphon
