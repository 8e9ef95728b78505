// Which of a run's processes this one is. Plain state, no torch.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace polyphon {

struct ProcessPlace {
  int rank = 0;  // rank 0 alone writes
  int size = 1;
  int on_this_machine = 1;  // processes that share its cores
  int local_rank = 0;       // among these: the number of its GPU
  std::string address = "127.0.0.1";
  uint16_t port = 29500;
  // The launcher keeps the store at that address already (torchrun does), and has started the
  // processes `restarts` times anew.
  bool launcher_store = false;
  std::string restarts = "0";
};

// Of torchrun's variables RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and
// MASTER_PORT, of which Kubernetes' PyTorchJob sets all but the local ones; one process alone where
// WORLD_SIZE is not set. `variable` is std::getenv but in tests. Throws Error{kInvalidArgument}
// that names the variable.
ProcessPlace process_place(const std::function<std::optional<std::string>(const char*)>& variable);
ProcessPlace process_place_of_environment();

}  // namespace polyphon
