# polyphon_layer(name [NEEDS package] [DEPENDS layers] [PUBLIC libraries] [PRIVATE libraries]
#                [DEFINES name=value])
#   src/<name>/*.cpp        -> static library polyphon_<name> (an INTERFACE library if headers only)
#   src/<name>/*_test.cpp   -> program polyphon_<name>_tests, found by ctest
# A folder that does not exist is skipped, and so is a dependency on it; so is one whose package was
# not found. A layer's files are compiled several at a time (POLYPHON_UNITY), which takes a third of
# the time, since reading headers is half of the work or more. So a name in an unnamed namespace must
# be the only one in its layer.
#
# polyphon_openmp(name file)
#   Compiles one file of a layer with OpenMP, whose threads are then those of ggml. Not under a
#   sanitizer: libgomp is not built for them, and its barriers look like races.
#
# polyphon_program()
#   src/app/main.cpp        -> program polyphon, at the top of the build folder
#
# polyphon_trainer()
#   src/app/trainer_main.cpp      -> program polyphon-train beside it, the only one that links libtorch

option(POLYPHON_UNITY "Compile a layer's files several at a time; OFF finds missing includes" ON)
add_custom_target(trainer)

function(polyphon_layer name)
  cmake_parse_arguments(ARG "" "NEEDS" "DEPENDS;PUBLIC;PRIVATE;DEFINES" ${ARGN})
  set(folder "${PROJECT_SOURCE_DIR}/src/${name}")
  if(NOT IS_DIRECTORY "${folder}" OR (ARG_NEEDS AND NOT ${ARG_NEEDS}_FOUND))
    return()
  endif()

  file(GLOB sources CONFIGURE_DEPENDS "${folder}/*.cpp")
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "(_test|main)\\.cpp$")

  set(layers "")
  foreach(layer IN LISTS ARG_DEPENDS)
    if(TARGET polyphon_${layer})
      list(APPEND layers polyphon_${layer})
    endif()
  endforeach()

  set(target polyphon_${name})
  if(sources)
    add_library(${target} STATIC ${sources})
    target_include_directories(${target} PUBLIC "${PROJECT_SOURCE_DIR}/src")
    target_link_libraries(${target} PUBLIC ${layers} ${ARG_PUBLIC} Threads::Threads
                          PRIVATE ${ARG_PRIVATE} polyphon_flags)
    target_compile_definitions(${target} PRIVATE ${ARG_DEFINES})
    set_target_properties(${target} PROPERTIES UNITY_BUILD ${POLYPHON_UNITY}
                                               UNITY_BUILD_BATCH_SIZE 8)
    polyphon_compile_alone(${sources})
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE "${PROJECT_SOURCE_DIR}/src")
    target_link_libraries(${target} INTERFACE ${layers} ${ARG_PUBLIC} Threads::Threads)
  endif()

  if(tests)
    add_executable(${target}_tests ${tests})
    target_link_libraries(${target}_tests PRIVATE ${target} ${ARG_PRIVATE} GTest::gmock_main
                                                  polyphon_flags)
    target_compile_definitions(${target}_tests PRIVATE ${ARG_DEFINES})
    set_target_properties(${target}_tests PROPERTIES UNITY_BUILD ${POLYPHON_UNITY}
                                                     UNITY_BUILD_BATCH_SIZE 4)
    polyphon_discover_tests(${target}_tests)
  endif()
endfunction()

# Highway compiles such a file once for each CPU level, by its own name.
function(polyphon_compile_alone)
  foreach(source IN LISTS ARGN)
    file(STRINGS "${source}" for_each_level REGEX "hwy/foreach_target")
    if(for_each_level)
      set_source_files_properties("${source}" PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    endif()
  endforeach()
endfunction()

function(polyphon_openmp name file)
  if(POLYPHON_SANITIZE)
    return()
  endif()
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  set_source_files_properties("${file}" PROPERTIES COMPILE_OPTIONS "${OpenMP_CXX_FLAGS}")
  target_link_libraries(polyphon_${name} PUBLIC ${OpenMP_CXX_LIBRARIES})
endfunction()

function(polyphon_program)
  set(main "${PROJECT_SOURCE_DIR}/src/app/main.cpp")
  file(GLOB found CONFIGURE_DEPENDS "${main}")
  if(NOT found)
    return()
  endif()
  add_executable(polyphon "${main}")
  target_link_libraries(polyphon PRIVATE polyphon_app polyphon_flags)
  add_dependencies(trainer polyphon)
endfunction()

# <torch/torch.h> alone takes half a minute and a gigabyte a file: the files of each layer that sees
# it share one precompiled header.
function(polyphon_trainer)
  if(NOT TARGET polyphon_head_trainer)
    return()
  endif()
  foreach(layer tensors trainer head_trainer)
    set(target polyphon_${layer})
    if(layer STREQUAL tensors)
      target_precompile_headers(${target} PRIVATE "${PROJECT_SOURCE_DIR}/src/tensors/torch.h")
    else()
      target_precompile_headers(${target} REUSE_FROM polyphon_tensors)
    endif()
    target_precompile_headers(${target}_tests REUSE_FROM polyphon_tensors)
    set_target_properties(${target} ${target}_tests PROPERTIES UNITY_BUILD OFF)
  endforeach()

  add_executable(polyphon-train "${PROJECT_SOURCE_DIR}/src/app/trainer_main.cpp")
  # Tensors of megabytes come and go by the thousand, of other sizes in each batch: glibc's malloc
  # either takes pages fresh from the kernel for each, a tenth of the time, or keeps the gaps.
  target_link_libraries(polyphon-train PRIVATE polyphon_head_trainer CLI11::CLI11
                                               PkgConfig::jemalloc polyphon_flags)
  add_dependencies(trainer polyphon-train)
endfunction()
