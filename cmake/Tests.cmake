# How tests are registered with ctest. Labels: `fast` needs nothing but the build, `model` needs the
# default model in the cache folder, `long` needs it too and shows a figure: `make check-long` runs it.
#   polyphon_discover_tests(target)  the GoogleTest cases of one program
#   polyphon_project_tests()         the layer check and tests/*_test.py

include(GoogleTest)

if(DEFINED ENV{POLYPHON_CACHE})
  set(POLYPHON_CACHE "$ENV{POLYPHON_CACHE}")
else()
  set(POLYPHON_CACHE "$ENV{HOME}/.cache/polyphon")
endif()
set(POLYPHON_SHARE_DIR "${PROJECT_SOURCE_DIR}/share/polyphon" CACHE PATH "models.json, models.py")
set(POLYPHON_PYTHON "${POLYPHON_CACHE}/venv/bin/python" CACHE FILEPATH "Python with pytest")
cmake_host_system_information(RESULT POLYPHON_CORES QUERY NUMBER_OF_LOGICAL_CORES)

file(READ "${POLYPHON_SHARE_DIR}/models.json" catalogue)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${POLYPHON_SHARE_DIR}/models.json")
string(JSON default_model GET "${catalogue}" default)
string(JSON model_count LENGTH "${catalogue}" models)
foreach(index RANGE 1 ${model_count})
  math(EXPR index "${index} - 1")
  string(JSON model_name GET "${catalogue}" models ${index} name)
  if(model_name STREQUAL default_model)
    string(JSON default_model_file GET "${catalogue}" models ${index} file)
  endif()
endforeach()
set(POLYPHON_TEST_MODEL "${POLYPHON_CACHE}/models/${default_model_file}")

# Suites named *RealModel load the model and use every core: they run one at a time. What tests
# write is in the build's own folder, so that two checkouts may be tested at once.
function(polyphon_discover_tests target)
  set(scratch "${CMAKE_BINARY_DIR}/scratch")
  file(MAKE_DIRECTORY "${scratch}")
  gtest_discover_tests(
    ${target} DISCOVERY_MODE PRE_TEST TEST_FILTER "-*RealModel.*"
    PROPERTIES LABELS fast TIMEOUT 120 ENVIRONMENT "TMPDIR=${scratch}")
  gtest_discover_tests(
    ${target} DISCOVERY_MODE PRE_TEST TEST_FILTER "*RealModel.*"
    PROPERTIES LABELS model TIMEOUT 600 PROCESSORS ${POLYPHON_CORES}
               ENVIRONMENT "POLYPHON_TEST_MODEL=${POLYPHON_TEST_MODEL};TMPDIR=${scratch}")
endfunction()

function(polyphon_project_tests)
  find_program(POLYPHON_SYSTEM_PYTHON NAMES python3 REQUIRED)
  add_test(NAME layers COMMAND "${POLYPHON_SYSTEM_PYTHON}"
                               "${PROJECT_SOURCE_DIR}/scripts/check_layers.py")
  add_test(NAME layers_check_itself
           COMMAND "${POLYPHON_SYSTEM_PYTHON}" "${PROJECT_SOURCE_DIR}/scripts/check_layers_test.py")
  add_test(NAME reasoning_gym_script
           COMMAND "${POLYPHON_SYSTEM_PYTHON}" "${PROJECT_SOURCE_DIR}/scripts/reasoning_gym_test.py")
  set_tests_properties(layers layers_check_itself reasoning_gym_script PROPERTIES LABELS fast)

  file(GLOB files CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/test_*.py"
       "${PROJECT_SOURCE_DIR}/tests/*_test.py")
  foreach(file IN LISTS files)
    cmake_path(GET file STEM name)
    polyphon_pytest("${name}" "${file}" model "not long")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
    file(STRINGS "${file}" long REGEX "pytest.mark.long")
    if(long)
      polyphon_pytest("${name}_long" "${file}" long long)
    endif()
  endforeach()
endfunction()

# polyphon_pytest(name file label marks): the tests of a file that carry these marks.
function(polyphon_pytest name file label marks)
  add_test(NAME "${name}" COMMAND "${POLYPHON_PYTHON}" -m pytest -q -p no:cacheprovider -m "${marks}"
                                  "${file}"
           WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
  set_tests_properties(
    "${name}"
    PROPERTIES LABELS ${label} TIMEOUT 1200 PROCESSORS ${POLYPHON_CORES}
               ENVIRONMENT
               "POLYPHON_BINARY=${PROJECT_BINARY_DIR}/polyphon;POLYPHON_TEST_MODEL=${POLYPHON_TEST_MODEL};PYTHONDONTWRITEBYTECODE=1")
endfunction()
