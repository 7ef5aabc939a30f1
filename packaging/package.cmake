# SPDX-License-Identifier: Apache-2.0
# Runs before the Debian package is made: compresses what Debian wants compressed, without the time in it.
file(GLOB roots LIST_DIRECTORIES true ${CPACK_TEMPORARY_DIRECTORY}/usr ${CPACK_TEMPORARY_DIRECTORY}/*/usr)
foreach(root ${roots})
  file(GLOB_RECURSE files ${root}/share/man/* ${root}/share/doc/*/changelog ${root}/share/doc/*/CHANGELOG.md)
  foreach(file ${files})
    execute_process(COMMAND gzip -9nf ${file} COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
endforeach()
