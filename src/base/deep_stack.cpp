#include "base/deep_stack.h"

#include <pthread.h>

#include <exception>
#include <system_error>

namespace polyphon {
namespace {

struct Call {
  const std::function<void()>& function;
  std::exception_ptr thrown;
};

void* run(void* argument) {
  Call& call = *static_cast<Call*>(argument);
  try {
    call.function();
  } catch (...) {
    call.thrown = std::current_exception();
  }
  return nullptr;
}

void require(int error) {
  if (error != 0) throw std::system_error(error, std::generic_category(), "a thread's stack");
}

}  // namespace

void call_on_deep_stack(size_t bytes, const std::function<void()>& function) {
  pthread_attr_t attributes;
  require(pthread_attr_init(&attributes));
  Call call{function, nullptr};
  pthread_t thread;
  int error = pthread_attr_setstacksize(&attributes, bytes);
  if (error == 0) error = pthread_create(&thread, &attributes, run, &call);
  pthread_attr_destroy(&attributes);
  require(error);
  pthread_join(thread, nullptr);
  if (call.thrown) std::rethrow_exception(call.thrown);
}

}  // namespace polyphon
