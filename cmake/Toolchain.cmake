# Language level, warnings, sanitizers and ccache for our own code. No -march here: kernels choose
# their instructions at run time (Highway in ours, one module a CPU level in ggml's), so that a
# binary built on one machine runs on an older one.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug or Release" FORCE)
endif()
set(POLYPHON_SANITIZE "" CACHE STRING "Value of -fsanitize=, for instance address,undefined")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")

# With paths relative to the checkout, one checkout's objects serve another's.
find_program(POLYPHON_CCACHE ccache)
if(POLYPHON_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}"
                                  CCACHE_NOHASHDIR=1 "${POLYPHON_CCACHE}")
endif()

add_library(polyphon_flags INTERFACE)
target_compile_options(
  polyphon_flags INTERFACE -Wall -Wextra -Wnon-virtual-dtor -Woverloaded-virtual
                           -Werror=return-type -fdiagnostics-color=auto)
if(POLYPHON_SANITIZE)
  target_compile_options(polyphon_flags INTERFACE -fsanitize=${POLYPHON_SANITIZE}
                                                  -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(polyphon_flags INTERFACE -fsanitize=${POLYPHON_SANITIZE})
endif()
