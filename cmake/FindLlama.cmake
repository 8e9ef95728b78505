# libllama, its `common` library, ggml and cpp-httplib as imported targets:
#   Llama::ggml  Llama::llama  Llama::common  Llama::httplib
# From the cache entry that scripts/llama.sh built, or from POLYPHON_LLAMA_ROOT.

set(POLYPHON_GPU "" CACHE STRING "GPU backend of the pinned llama.cpp: cuda, vulkan or empty")
set(POLYPHON_LLAMA_ROOT "" CACHE PATH "Folder with include/ and lib/ of the pinned llama.cpp")
set(LLAMA_COMMAND "${PROJECT_SOURCE_DIR}/scripts/llama.sh")

set(LLAMA_ROOT_DIR "${POLYPHON_LLAMA_ROOT}")
if(NOT LLAMA_ROOT_DIR)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${LLAMA_COMMAND}"
                                         "${PROJECT_SOURCE_DIR}/cmake/llama/CMakeLists.txt")
  execute_process(
    COMMAND "${CMAKE_COMMAND}" -E env "GPU=${POLYPHON_GPU}" "CXX=${CMAKE_CXX_COMPILER}"
            "${LLAMA_COMMAND}" path
    OUTPUT_VARIABLE LLAMA_ROOT_DIR OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endif()
if(NOT EXISTS "${LLAMA_ROOT_DIR}/lib/libllama.so")
  message(FATAL_ERROR "llama.cpp is not built yet: run `make llama` (it builds ${LLAMA_ROOT_DIR})")
endif()

function(llama_import name)
  cmake_parse_arguments(ARG "" "FILE" "LINKS" ${ARGN})
  add_library(Llama::${name} UNKNOWN IMPORTED GLOBAL)
  set_target_properties(
    Llama::${name} PROPERTIES IMPORTED_LOCATION "${LLAMA_ROOT_DIR}/lib/${ARG_FILE}"
                              INTERFACE_INCLUDE_DIRECTORIES "${LLAMA_ROOT_DIR}/include"
                              INTERFACE_LINK_LIBRARIES "${ARG_LINKS}")
endfunction()

llama_import(ggml_base FILE libggml-base.so)
llama_import(ggml FILE libggml.so LINKS Llama::ggml_base)
llama_import(llama FILE libllama.so LINKS Llama::ggml)
llama_import(common FILE libllama-common.a LINKS Llama::llama)
# It holds functions of llama.cpp's own programs whose callees are not built: the linker drops them.
set_property(TARGET Llama::common PROPERTY INTERFACE_LINK_OPTIONS -Wl,--gc-sections)
llama_import(httplib FILE libcpp-httplib.a LINKS "OpenSSL::SSL;OpenSSL::Crypto;Threads::Threads")
# As its own CMakeLists.txt compiled it: the header's inline code must agree with the library.
set_property(
  TARGET Llama::httplib
  PROPERTY INTERFACE_COMPILE_DEFINITIONS
           CPPHTTPLIB_OPENSSL_SUPPORT CPPHTTPLIB_FORM_URL_ENCODED_PAYLOAD_MAX_LENGTH=1048576
           CPPHTTPLIB_LISTEN_BACKLOG=512 CPPHTTPLIB_REQUEST_URI_MAX_LENGTH=32768
           CPPHTTPLIB_TCP_NODELAY=1)
