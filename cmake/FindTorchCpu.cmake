# libtorch for CPUs as the imported target TorchCpu::torch, from the cache entry that scripts/torch.sh
# installed, or from POLYPHON_TORCH_ROOT. Not the wheel's own TorchConfig.cmake, which asks for a CUDA
# toolkit when the wheel was built with CUDA. Where it is not installed, TorchCpu_FOUND is false.
#
# A whole libtorch with CUDA (POLYPHON_TORCH_ROOT) brings its GPU library along, and NCCL where its
# headers and a CUDA toolkit's are found. Neither has been tried.

set(POLYPHON_TORCH_ROOT "" CACHE PATH "Folder with include/ and lib/ of libtorch")
set(TORCH_COMMAND "${PROJECT_SOURCE_DIR}/scripts/torch.sh")

set(TORCH_ROOT_DIR "${POLYPHON_TORCH_ROOT}")
if(NOT TORCH_ROOT_DIR)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${TORCH_COMMAND}"
                                         "${PROJECT_SOURCE_DIR}/requirements/torch.txt")
  execute_process(COMMAND "${TORCH_COMMAND}" path OUTPUT_VARIABLE TORCH_ROOT_DIR
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endif()

if(POLYPHON_SANITIZE)
  set(TorchCpu_FOUND FALSE)
  set(TorchCpu_NOT_FOUND_MESSAGE "libtorch is not built for sanitizers")
elseif(EXISTS "${TORCH_ROOT_DIR}/lib/libtorch_cpu.so")
  find_package(OpenMP REQUIRED COMPONENTS CXX) # what at::parallel_for, in ATen's headers, is made of
  add_library(TorchCpu::c10 UNKNOWN IMPORTED GLOBAL)
  set_target_properties(TorchCpu::c10 PROPERTIES IMPORTED_LOCATION
                                                 "${TORCH_ROOT_DIR}/lib/libc10.so")
  add_library(TorchCpu::torch UNKNOWN IMPORTED GLOBAL)
  set_target_properties(
    TorchCpu::torch
    PROPERTIES IMPORTED_LOCATION "${TORCH_ROOT_DIR}/lib/libtorch_cpu.so"
               INTERFACE_INCLUDE_DIRECTORIES
               "${TORCH_ROOT_DIR}/include;${TORCH_ROOT_DIR}/include/torch/csrc/api/include;${PROJECT_SOURCE_DIR}/cmake/gloo_names"
               INTERFACE_LINK_LIBRARIES "TorchCpu::c10;OpenMP::OpenMP_CXX"
               # libtorch_cpu finds what it needs beside itself, the linker does not.
               INTERFACE_LINK_OPTIONS "-Wl,-rpath-link,${TORCH_ROOT_DIR}/lib")
  if(EXISTS "${TORCH_ROOT_DIR}/lib/libtorch_cuda.so")
    # Nothing calls it by name, it makes itself known when it is loaded.
    set_property(
      TARGET TorchCpu::torch
      APPEND PROPERTY INTERFACE_LINK_OPTIONS "-Wl,--no-as-needed,${TORCH_ROOT_DIR}/lib/libtorch_cuda.so"
                      "-Wl,${TORCH_ROOT_DIR}/lib/libc10_cuda.so,--as-needed")
    find_package(CUDAToolkit QUIET)
    find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
    if(CUDAToolkit_FOUND AND NCCL_INCLUDE_DIR)
      set_property(TARGET TorchCpu::torch APPEND PROPERTY INTERFACE_COMPILE_DEFINITIONS USE_C10D_NCCL)
      set_property(TARGET TorchCpu::torch APPEND PROPERTY INTERFACE_INCLUDE_DIRECTORIES
                                                          "${CUDAToolkit_INCLUDE_DIRS};${NCCL_INCLUDE_DIR}")
    endif()
  endif()
  set(TorchCpu_FOUND TRUE)
else()
  set(TorchCpu_FOUND FALSE)
  set(TorchCpu_NOT_FOUND_MESSAGE "libtorch is not installed: run `make trainer`")
endif()
