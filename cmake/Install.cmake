# What `make install` and `make package` install, as components:
#   program   polyphon, its share folder, llama.cpp's libraries and CPU kernels, unit, completion
#   trainer   polyphon-train and libtorch, where it was built; in no package, for its size
#   bundle    the other libraries, for a .tar.gz; a .deb depends on Debian's packages instead
# The program finds its libraries and its share folder from its own place, so PREFIX may be moved.

set(private_libraries lib/polyphon)
set_target_properties(polyphon PROPERTIES INSTALL_RPATH "$ORIGIN/../${private_libraries}")
install(TARGETS polyphon RUNTIME DESTINATION bin COMPONENT program)
install(DIRECTORY "${LLAMA_ROOT_DIR}/lib/" DESTINATION ${private_libraries} COMPONENT program
        FILES_MATCHING PATTERN "*.so*")
install(FILES share/polyphon/models.json share/polyphon/models.py DESTINATION share/polyphon
        COMPONENT program)
install(DIRECTORY share/suites DESTINATION share/polyphon COMPONENT program)
install(FILES share/systemd/polyphon.service DESTINATION lib/systemd/system COMPONENT program)
install(FILES share/bash-completion/polyphon DESTINATION share/bash-completion/completions
        COMPONENT program)
install(FILES LICENSE THIRD-PARTY-NOTICES README.md DESTINATION share/doc/polyphon
        COMPONENT program)
install(DIRECTORY docs DESTINATION share/doc/polyphon COMPONENT program) # README.md links to it
install(FILES "${LLAMA_ROOT_DIR}/LICENSE" DESTINATION share/doc/polyphon RENAME LICENSE.llama.cpp
        COMPONENT program)
install(FILES "${LLAMA_ROOT_DIR}/LICENSE.cpp-httplib" DESTINATION share/doc/polyphon
        COMPONENT program)
foreach(headers_only nlohmann-json3-dev libcli11-dev)
  install(FILES "/usr/share/doc/${headers_only}/copyright" DESTINATION share/doc/polyphon
          RENAME LICENSE.${headers_only} COMPONENT program OPTIONAL)
endforeach()

if(TARGET polyphon-train)
  set_target_properties(polyphon-train PROPERTIES INSTALL_RPATH "$ORIGIN/../${private_libraries}")
  install(TARGETS polyphon-train RUNTIME DESTINATION bin COMPONENT trainer OPTIONAL)
  install(DIRECTORY "${TORCH_ROOT_DIR}/lib/" DESTINATION ${private_libraries} COMPONENT trainer
          FILES_MATCHING PATTERN "*.so*")
endif()

# glibc stays the system's: another one beside it would not work.
install(
  CODE "
  file(GET_RUNTIME_DEPENDENCIES EXECUTABLES $<TARGET_FILE:polyphon> RESOLVED_DEPENDENCIES_VAR found
       PRE_EXCLUDE_REGEXES \"^lib(llama|ggml)\" \"^lib(c|m|dl|rt|pthread|resolv)[.]so\" \"^ld-linux\")
  foreach(library IN LISTS found)
    file(INSTALL \"\${library}\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${private_libraries}\"
         FOLLOW_SYMLINK_CHAIN)
  endforeach()"
  COMPONENT bundle EXCLUDE_FROM_ALL)

set(CPACK_PACKAGE_NAME polyphon)
set(CPACK_PACKAGE_CONTACT "The Polyphon maintainers <maintainers@polyphon.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Reasoning server that thinks in parallel streams")
set(CPACK_PACKAGE_DIRECTORY "${PROJECT_SOURCE_DIR}/build/package")
set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_ARCHIVE_COMPONENT_INSTALL ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${LLAMA_ROOT_DIR}/lib")
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "python3-pip") # `polyphon models pull`
set(CPACK_PROJECT_CONFIG_FILE "${PROJECT_SOURCE_DIR}/cmake/PackageConfig.cmake")
include(CPack)
