# SPDX-License-Identifier: Apache-2.0
# A room is one folder under src/ and one static library; a folder below it that is no room belongs to it. A program is a
# room's main.cc.
file(STRINGS ${CMAKE_SOURCE_DIR}/CMakeLists.txt room_lines REGEX "^holdfast_room\\(")
list(TRANSFORM room_lines REPLACE "^holdfast_room\\(([^ )]+).*" "\\1" OUTPUT_VARIABLE HOLDFAST_ROOMS)
find_package(fmt REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBBPF REQUIRED libbpf>=1.4)

# libbpf and what it needs, static: holdfast links statically for its start-up time.
add_library(hf_libbpf INTERFACE)
target_include_directories(hf_libbpf SYSTEM INTERFACE ${LIBBPF_INCLUDE_DIRS})
if(HOLDFAST_SANITIZE)
  target_link_libraries(hf_libbpf INTERFACE bpf elf z)
else()
  foreach(name bpf elf z) # by path: with a bare name CMake would switch back to -Bdynamic
    find_library(LIB_${name}_A NAMES lib${name}.a REQUIRED)
    target_link_libraries(hf_libbpf INTERFACE ${LIB_${name}_A})
  endforeach()
endif()

# RCU for the store of labels.
add_library(hf_urcu INTERFACE)
foreach(name urcu-bp urcu-common)
  if(HOLDFAST_SANITIZE)
    target_link_libraries(hf_urcu INTERFACE ${name})
  else()
    find_library(LIB_${name}_A NAMES lib${name}.a REQUIRED)
    target_link_libraries(hf_urcu INTERFACE ${LIB_${name}_A})
  endif()
endforeach()

# Signatures of bundles. The static libcrypto can load modules and look up hosts, which glibc warns about in a static
# program; holdfast does neither.
add_library(hf_crypto INTERFACE)
if(HOLDFAST_SANITIZE)
  target_link_libraries(hf_crypto INTERFACE crypto)
else()
  find_library(LIB_crypto_A NAMES libcrypto.a REQUIRED)
  target_link_libraries(hf_crypto INTERFACE ${LIB_crypto_A})
  target_link_options(hf_crypto INTERFACE -Wl,--no-warnings)
endif()

# toml++ compiled once, without exceptions crossing our code: its header alone costs seconds a file.
add_library(hf_toml STATIC ${CMAKE_SOURCE_DIR}/cmake/toml.cc)
target_compile_definitions(hf_toml PUBLIC TOML_HEADER_ONLY=0 TOML_ENABLE_FORMATTERS=0)
target_compile_options(hf_toml PRIVATE -w)

# "backend/lsm" -> hf_backend_lsm
function(holdfast_target room out)
  string(REPLACE "/" "_" name ${room})
  set(${out} hf_${name} PARENT_SCOPE)
endfunction()

# holdfast_room(ROOM [ROOM-IT-MAY-USE ...])
function(holdfast_room room)
  holdfast_target(${room} target)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${room}/*.cc)
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  foreach(other ${HOLDFAST_ROOMS})
    if(other MATCHES "^${room}/")
      list(FILTER sources EXCLUDE REGEX "/src/${other}/")
    endif()
  endforeach()
  if(sources)
    add_library(${target} STATIC ${sources})
    set(scope PUBLIC)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope} ${CMAKE_SOURCE_DIR}/src)
  foreach(used ${ARGN})
    holdfast_target(${used} used_target)
    target_link_libraries(${target} ${scope} ${used_target})
  endforeach()
endfunction()

# holdfast_link(ROOM LIBRARY...): libraries from outside that a room stands on.
function(holdfast_link room)
  holdfast_target(${room} target)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL INTERFACE_LIBRARY)
    target_link_libraries(${target} INTERFACE ${ARGN})
  else()
    target_link_libraries(${target} PUBLIC ${ARGN})
  endif()
endfunction()

# holdfast_program(NAME ROOM): src/ROOM/main.cc linked with everything the room may use.
function(holdfast_program name room)
  holdfast_target(${room} target)
  add_executable(${name} ${CMAKE_SOURCE_DIR}/src/${room}/main.cc)
  target_link_libraries(${name} PRIVATE ${target})
  if(NOT HOLDFAST_SANITIZE)
    target_link_options(${name} PRIVATE -static)
  endif()
endfunction()
