# SPDX-License-Identifier: Apache-2.0
# Every src/bpf/FOLDER/NAME.bpf.c becomes BUILD/bpf/NAME.bpf.o and a skeleton, bpf/NAME.skel.h.
find_program(BPF_CLANG NAMES clang-14 clang REQUIRED)
find_program(BPF_STRIP NAMES llvm-strip-14 llvm-strip REQUIRED)
find_program(BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin REQUIRED)

set(HOLDFAST_BPF_FLAGS -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter
  -Wno-unused-function -std=gnu11 -I${CMAKE_SOURCE_DIR}/src
  -idirafter /usr/include/${CMAKE_LIBRARY_ARCHITECTURE})

# holdfast_bpf_object(SOURCE OUTPUT-DIR): compiles and strips; adds the object and skeleton rules.
function(holdfast_bpf_object source dir)
  get_filename_component(name ${source} NAME)
  string(REGEX REPLACE "\\.bpf\\.c$" "" name ${name})
  file(MAKE_DIRECTORY ${dir})
  set(object ${dir}/${name}.bpf.o)
  add_custom_command(OUTPUT ${object}
    COMMAND ${BPF_CLANG} ${HOLDFAST_BPF_FLAGS} -MD -MF ${object}.d -c ${source} -o ${object}
    COMMAND ${BPF_STRIP} -g ${object}
    DEPENDS ${source} DEPFILE ${object}.d COMMENT "BPF ${name}" VERBATIM)
  add_custom_command(OUTPUT ${dir}/${name}.skel.h
    COMMAND ${BPFTOOL} gen skeleton ${object} name ${name}_bpf > ${dir}/${name}.skel.h
    DEPENDS ${object} COMMENT "Skeleton ${name}" VERBATIM)
endfunction()

file(GLOB_RECURSE bpf_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/bpf/*.bpf.c)
set(bpf_skeletons)
foreach(source ${bpf_sources})
  holdfast_bpf_object(${source} ${CMAKE_BINARY_DIR}/skel/bpf)
  string(REGEX REPLACE ".*/(.*)\\.bpf\\.c$" "${CMAKE_BINARY_DIR}/skel/bpf/\\1.skel.h" skeleton ${source})
  list(APPEND bpf_skeletons ${skeleton})
endforeach()
add_custom_target(hf_skeletons DEPENDS ${bpf_skeletons})

# Rooms that load BPF programs link hf_skel and include "bpf/NAME.skel.h".
add_library(hf_skel INTERFACE)
target_include_directories(hf_skel SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/skel)
add_dependencies(hf_skel hf_skeletons)

# holdfast_bpf_objects(TARGET FOLDER SOURCE...): each SOURCE as an object with a skeleton in FOLDER; TARGET makes them all.
function(holdfast_bpf_objects target folder)
  set(skeletons)
  foreach(source ${ARGN})
    holdfast_bpf_object(${source} ${folder})
    get_filename_component(name ${source} NAME)
    string(REGEX REPLACE "\\.bpf\\.c$" ".skel.h" skeleton ${name})
    list(APPEND skeletons ${folder}/${skeleton})
  endforeach()
  add_custom_target(${target} DEPENDS ${skeletons})
endfunction()
