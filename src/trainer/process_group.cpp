#include "trainer/process_group.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/error.h"

// What libtorch was built with; its headers are empty otherwise.
#define USE_DISTRIBUTED
#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#ifdef USE_C10D_NCCL  // by cmake/FindTorchCpu.cmake
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

namespace polyphon {
namespace {

using torch::Tensor;

bool is_loopback(const std::string& address) {
  return address == "localhost" || address.starts_with("127.");
}

// A socket that listens on the loopback interface alone: c10d's own listens on all of them.
int listen_on_loopback(uint16_t port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (listener < 0 || bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener, SOMAXCONN) != 0)
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("cannot listen on 127.0.0.1:{}: choose another MASTER_PORT", port),
                "MASTER_PORT");
  return listener;
}

c10::intrusive_ptr<c10d::Store> open_store(const ProcessPlace& place,
                                           std::chrono::milliseconds timeout) {
  c10d::TCPStoreOptions options;
  options.port = place.port;
  options.isServer = place.rank == 0 && !place.launcher_store;
  options.numWorkers = static_cast<size_t>(place.size);
  options.waitWorkers = false;  // Gloo waits for all
  options.timeout = timeout;
  if (options.isServer && is_loopback(place.address))
    options.masterListenFd = listen_on_loopback(place.port);
  return c10::make_intrusive<c10d::PrefixStore>(
      "polyphon-train/" + place.restarts,
      c10::make_intrusive<c10d::TCPStore>(place.address, options));
}

#ifdef USE_C10D_NCCL
constexpr bool kHasNccl = true;
#else
constexpr bool kHasNccl = false;
#endif

// Among tensors on `device`.
c10::intrusive_ptr<c10d::Backend> open_group(const c10::intrusive_ptr<c10d::Store>& store,
                                             const ProcessPlace& place,
                                             std::chrono::milliseconds timeout,
                                             [[maybe_unused]] const torch::Device& device) {
#ifdef USE_C10D_NCCL
  if (device.is_cuda()) {
    // So that a wait blocks and throws when a peer is gone, as Gloo's does.
    setenv("TORCH_NCCL_BLOCKING_WAIT", "1", /*replace=*/0);
    const auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = timeout;
    return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, place.rank, place.size, options);
  }
#endif
  const auto options = c10d::ProcessGroupGloo::Options::create(timeout);
  const char* const interface = std::getenv("GLOO_SOCKET_IFNAME");
  options->devices = {
      interface != nullptr         ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
      : is_loopback(place.address) ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                   : c10d::ProcessGroupGloo::createDefaultDevice()};
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, place.rank, place.size, options);
}

// One contiguous copy of all, for one exchange.
Tensor flat(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> rows;
  for (const Tensor& tensor : tensors) rows.push_back(tensor.detach().reshape(-1));
  return at::cat(rows);
}
void unflatten(const Tensor& from, const std::vector<Tensor>& tensors) {
  int64_t begin = 0;
  for (const Tensor& tensor : tensors) {
    tensor.detach().copy_(from.narrow(0, begin, tensor.numel()).view(tensor.sizes()));
    begin += tensor.numel();
  }
}

}  // namespace

struct ProcessGroup::Backend {
  Backend(const ProcessPlace& place, std::chrono::milliseconds timeout, const torch::Device& of)
      : place(place), device(kHasNccl ? of : torch::kCPU) {
    tell([&] {
      store = open_store(place, timeout);
      group = open_group(store, place, timeout, device);
    });
  }

  // Whatever c10d throws, as our error.
  template <typename Exchange>
  void tell(Exchange exchange) const {
    try {
      exchange();
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      const std::string text = error.what();
      throw Error(ErrorCode::kUnavailable,
                  fmt::format("process {} of {}: another process of the run has ended or does not "
                              "answer ({})",
                              place.rank, place.size, text.substr(0, text.find(". "))));
    }
  }
  void sum(Tensor tensor) const {
    std::vector<Tensor> one{std::move(tensor)};
    tell([&] { group->allreduce(one)->wait(); });
  }
  void share(Tensor tensor) const {
    std::vector<Tensor> one{std::move(tensor)};
    tell([&] { group->broadcast(one)->wait(); });
  }

  const ProcessPlace& place;
  const torch::Device device;  // that exchanged tensors must be on
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::Backend> group;
};

ProcessGroup::ProcessGroup(const ProcessPlace& place, std::chrono::milliseconds timeout,
                           const torch::Device& device)
    : place_(place) {
  if (place.size > 1) backend_ = std::make_unique<Backend>(place_, timeout, device);
}

ProcessGroup::~ProcessGroup() = default;

void ProcessGroup::sum(const std::vector<Tensor>& tensors) const {
  if (!backend_) return;
  const Tensor all = flat(tensors).to(backend_->device);
  backend_->sum(all);
  unflatten(all, tensors);
}

double ProcessGroup::sum(double value) const {
  if (!backend_) return value;
  const Tensor one = torch::full({1}, value, at::device(backend_->device).dtype(torch::kDouble));
  backend_->sum(one);
  return one.item<double>();
}

void ProcessGroup::share(const std::vector<Tensor>& tensors) const {
  if (!backend_) return;
  const Tensor all = flat(tensors).to(backend_->device);
  backend_->share(all);
  unflatten(all, tensors);
}

std::string ProcessGroup::share(const std::string& text) const {
  if (!backend_) return text;
  const Tensor size = torch::full({1}, static_cast<int64_t>(text.size()),
                                  at::device(backend_->device).dtype(torch::kLong));
  backend_->share(size);
  Tensor bytes = torch::zeros({size.item<int64_t>()}, torch::kByte);
  if (place_.rank == 0) std::copy(text.begin(), text.end(), bytes.data_ptr<uint8_t>());
  const Tensor there = bytes.to(backend_->device);
  backend_->share(there);
  bytes = there.cpu();
  const auto* const begin = bytes.data_ptr<uint8_t>();
  return {begin, begin + bytes.numel()};
}

}  // namespace polyphon
