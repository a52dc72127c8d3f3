# Helpers: one static library per folder, one test program per folder of tests.

# The precompiled header of every file that speaks CAF. A library asks for it with CAF; cores-only libraries do not need it.
add_library(troupe_pch OBJECT ${CMAKE_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(troupe_pch PRIVATE troupe_options CAF::core spdlog::spdlog)
target_precompile_headers(troupe_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch.hpp)

# That of pure code, which does not know CAF.
add_library(troupe_core_pch OBJECT ${CMAKE_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(troupe_core_pch PRIVATE troupe_options CAF::core spdlog::spdlog)
target_precompile_headers(troupe_core_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/core_pch.hpp)

# That of tests. They are compiled without optimization, which halves their build; what they test is optimized.
add_library(troupe_test_options INTERFACE)
target_link_libraries(troupe_test_options INTERFACE troupe_options doctest::doctest CAF::core spdlog::spdlog)
target_compile_options(troupe_test_options INTERFACE -O0)
add_library(troupe_test_pch OBJECT ${CMAKE_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(troupe_test_pch PRIVATE troupe_test_options)
target_precompile_headers(troupe_test_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/test_pch.hpp)
# doctest's own code, the slowest part of a test program, is compiled once.
add_library(troupe_test_main OBJECT ${CMAKE_SOURCE_DIR}/tests/main.cpp)
target_link_libraries(troupe_test_main PRIVATE troupe_test_options)

# troupe_optimize_less(TARGET): for what starts things, waits for programs and other machines, or runs seldom: there the time
# that optimizing takes is better spent elsewhere.
function(troupe_optimize_less target)
  target_compile_options(${target} PRIVATE $<$<NOT:$<CONFIG:Debug>>:-O1>)
endfunction()

# troupe_library(NAME [DEPENDS lib...]): all .cpp files of the current folder and below become troupe_NAME, except those of
# folders that have a CMakeLists.txt, and so a library, of their own.
function(troupe_library name)
  cmake_parse_arguments(ARG "NO_PCH" "" "DEPENDS;SOURCES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  file(GLOB_RECURSE nested CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/CMakeLists.txt)
  list(REMOVE_ITEM nested ${CMAKE_CURRENT_SOURCE_DIR}/CMakeLists.txt)
  foreach(file IN LISTS nested)
    get_filename_component(folder ${file} DIRECTORY)
    list(FILTER sources EXCLUDE REGEX "^${folder}/")
  endforeach()
  list(APPEND sources ${ARG_SOURCES})
  if(NOT sources)
    return()
  endif()
  add_library(troupe_${name} STATIC ${sources})
  target_link_libraries(troupe_${name} PUBLIC troupe_options ${ARG_DEPENDS})
  if(NOT ARG_NO_PCH)
    target_link_libraries(troupe_${name} PUBLIC CAF::core spdlog::spdlog)
    target_precompile_headers(troupe_${name} REUSE_FROM troupe_pch)
  endif()
endfunction()

# troupe_tests(LEVEL SUBJECT DEPENDS lib...): tests/LEVEL/SUBJECT/*.cpp become the program SUBJECT_LEVEL_tests.
function(troupe_tests level subject)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${level}/${subject}/*.cpp)
  if(NOT sources)
    return()
  endif()
  set(target ${subject}_${level}_tests)
  add_executable(${target} ${sources} $<TARGET_OBJECTS:troupe_test_main>)
  foreach(dependency IN LISTS ARG_DEPENDS)
    if(TARGET ${dependency})
      target_link_libraries(${target} PRIVATE ${dependency})
    endif()
  endforeach()
  target_link_libraries(${target} PRIVATE troupe_test_options)
  target_precompile_headers(${target} REUSE_FROM troupe_test_pch)
  target_compile_definitions(${target} PRIVATE TROUPE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME ${level}/${subject} COMMAND ${target})
endfunction()
